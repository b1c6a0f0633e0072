"""A model host that speaks the control protocol and loads nothing.

`python fake_host.py SCRIPT --fd N --nice N`: each start takes the first line of the file SCRIPT away and does it:
`serve` (also when the file is empty), `lose CODE` (serves on a GPU and exits when SCRIPT.lost is there),
`exit CODE` once it listens, `dead` (exits before it listens),
`freeze` (stops itself before it is loaded), `garbage`, `huge`, `odd` (sends what is no message and stops itself), `cut`
(dies in the middle of a message), `refuse REASON` (tells an error and exits as a host whose model cannot be loaded).
Every start adds its process number to SCRIPT.pids.
"""

import argparse
import fcntl
import os
import select
import signal
import socket
from pathlib import Path

from stopping import end_with_parent

from pipeline import wire

RAW = {
    "garbage": b"\xff" * 100,
    "huge": wire.HEADER.pack(1 << 30, 0),
    "odd": wire.encode({"type": "stats", "busy_s": 10**400}),
    "cut": wire.encode({"type": "note", "text": "x" * 1000})[:500],
}
BEAT_S = 0.2
"""How often it says that it lives."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("script", type=Path)
    parser.add_argument("--fd", type=int)
    parser.add_argument("--nice", type=int)
    arguments = parser.parse_args()
    end_with_parent()
    with arguments.script.with_suffix(".pids").open("a") as file:
        file.write(f"{os.getpid()}\n")
    word, *rest = next_line(arguments.script).split()
    if word == "dead":
        raise SystemExit("CUDA is not there")
    sock = socket.socket(fileno=arguments.fd)
    configure, _ = wire.receive(sock)
    wire.send(sock, {"type": "ready", "pid": os.getpid()})
    wire.send(sock, {"type": "note", "level": "info", "text": f"models: {','.join(configure['models'])}"})
    if word == "refuse":
        for text in (" ".join(rest), "it was to be loaded before anything else"):
            wire.send(sock, {"type": "note", "level": "error", "text": text})
        raise SystemExit(71)
    if word == "exit":
        raise SystemExit(int(rest[0]))
    if word in RAW:
        sock.sendall(RAW[word])
        os.kill(os.getpid(), signal.SIGKILL if word == "cut" else signal.SIGSTOP)
    if word == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    device = "cuda:0" if word == "lose" else "cpu"
    stats = {"state": "ready", "models": list(configure["models"]), "batch_size": 4}
    lost = arguments.script.with_suffix(".lost")
    counts = {"queue_pictures": 1, "queue_bytes": 2, "pictures_done": 3, "batches_done": 1, "busy_s": 0.5}
    counts |= {"copied_s": 0.1, "memory_share": 0.0, "cleanups": 0, "cache_asked": 4, "cache_hits": 1}
    counts |= {"budget_bytes": 0, "unloads": 0}
    stats["device"] = configure["host"]["device"].replace("auto", device)
    facts = {
        "precision": "fp32",
        "compiled": False,
        "device": configure.get("called") or stats["device"],
        "load_s": 0.1,
        "unloads": 0,
    }
    facts |= {"state": "loaded", "memory_bytes": 0, "batch_size": 4, "pictures_done": 3}
    stats["facts"] = [{"key": key, **facts} for key in configure["models"]]
    while True:
        if word == "lose" and lost.exists():
            raise SystemExit(int(rest[0]))
        wire.send(sock, {"type": "stats", **stats, **counts})
        if select.select([sock], [], [], BEAT_S)[0] and not sock.recv(1 << 16):
            return


def next_line(script: Path) -> str:
    """Take the first line away, under a lock."""
    with script.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        first, *others = file.read().splitlines() or ["serve"]
        file.seek(0)
        file.write("\n".join(others))
        file.truncate()
    return first


if __name__ == "__main__":
    main()
