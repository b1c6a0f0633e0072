"""Fault case 19: whatever a file is called and whatever is in it, no other file is opened and nobody is called."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from worker_harness import Engine, make_video

STRACE = ("strace", "-f", "-qq", "-s", "4096", "-e", "trace=open,openat,openat2,socket,connect,sendto,execve")
CALLS = re.compile(r"\b(?:open|openat|openat2)\((?:AT_FDCWD, )?\"((?:[^\"\\]|\\.)*)\"")
OUTSIDE = re.compile(r"AF_INET|AF_INET6|AF_NETLINK|\bconnect\(|\bexecve\(")
LOOKUPS = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf")
BAIT = "bait.mp4"
NAMES = [b"concat:a|b.mp4", b"http:x.mp4", b"https:bait.mp4", b"file:bait.mp4", b"-i.mp4", b"pipe:0", b"data:x.mp4"]
NAMES += [b"async:bait.mp4", b"subfile,,start,0,end,99,,:bait.mp4", b"cache:bait.mp4", b"%03d.mp4", b"tcp:127.0.0.1:9"]
URL = "http://127.0.0.1:9/{bait}"
SCRIPTS = {
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{bait}\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
    "hls_full.ts": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{full}\n#EXT-X-ENDLIST\n",
    "hls_key.mp4": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF:1,\n{bait}\n#EXT-X-ENDLIST\n',
    "hls_map.mp4": '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-MAP:URI="{bait}"\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n',
    "hls_master.mp4": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}\n#EXT-X-STREAM-INF:BANDWIDTH=2\n{full}\n",
    "concat.mp4": "ffconcat version 1.0\nfile '{full}'\nfile '{url}'\n",
    "concat_near.mp4": "ffconcat version 1.0\nfile {bait}\n",
    "dash.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet>'
    '<Representation id="1" mimeType="video/mp4" bandwidth="1"><BaseURL>{url}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "smooth.mp4": '<SmoothStreamingMedia><StreamIndex Type="video" Url="{url}"/></SmoothStreamingMedia>',
    "svg.mp4": '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" width="9" height="9">'
    '<image x:href="{full}" width="9" height="9"/><image x:href="{url}" width="9" height="9"/></svg>',
    "svg.png": '<?xml version="1.0"?><!DOCTYPE svg SYSTEM "{url}"><svg><image href="{full}"/></svg>',
    "redirect.asf": "[Reference]\nRef1={url}\n",
    "redirect.wmv": '<asx version="3"><entry><ref href="{url}"/></entry></asx>',
    "redirect.rm": "{url}\nfile://{full}\n",
    "vobsub.mp4": "# VobSub index file, v7\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 000000000\n",
    "imf.mp4": '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
    "<Id>urn:uuid:0</Id></CompositionPlaylist>",
    "avisynth.mp4": 'AVISource("{full}")\n',
    "srt.mp4": '1\n00:00:00,000 --> 00:00:01,000\n<img src="{url}">\n',
}
"""Texts that other programs would follow to a second file or to a server."""

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
    pytest.mark.timeout(300),
]


class Watched:
    """A real worker under strace, and what it did while it had one file."""

    def __init__(self, folder: Path) -> None:
        self.inputs = folder / "in"
        self.inputs.mkdir()
        self._log = folder / "strace.log"
        self.engine = Engine(folder / "out", folder / "worker.log", under=(*STRACE, "-o", str(self._log)))
        self.engine.start_run(crop={"enabled": True}, frames={"save": "jpeg"})

    def do(self, source: Path) -> str:
        """Give the file to the worker; see that it looked at no other; return how the job ended."""
        begun = self._log.stat().st_size
        message = self.engine.do(source, force=True)
        assert strayed(self._log.read_bytes()[begun:].decode(errors="replace"), self.inputs, source) == []
        return str(message["outcome"])


def strayed(log: str, inputs: Path, source: Path) -> list[str]:
    """Return what a process did that it had no business to do while it read `source`."""
    found = [line for line in log.splitlines() if OUTSIDE.search(line)]
    for name in CALLS.findall(log):
        path = os.path.abspath(name)
        inside = path.startswith(f"{inputs}/") and path != str(source)
        if inside or name in LOOKUPS or os.path.basename(path) == BAIT:
            found.append(f"opened {name}")
    return found


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    watched = Watched(tmp_path_factory.mktemp("outside"))
    make_video(watched.inputs / BAIT)
    shutil.copy(watched.inputs / BAIT, watched.inputs / "vobsub.sub")
    yield watched
    watched.engine.kill()


def script(inputs: Path, name: str) -> Path:
    path = inputs / name
    path.write_text(SCRIPTS[name].format(bait=BAIT, full=inputs / BAIT, url=URL.format(bait=BAIT)))
    return path


@pytest.mark.parametrize("name", NAMES, ids=os.fsdecode)
def test_a_name_that_looks_like_a_protocol_is_a_name(watched: Watched, name: bytes) -> None:
    source = watched.inputs / os.fsdecode(name)
    os.link(watched.inputs / BAIT, source)
    assert watched.do(source) == "done"
    source.unlink()


def test_a_name_that_looks_like_a_sequence_is_one_picture(watched: Watched) -> None:
    for number in range(3):
        Image.new("RGB", (64, 48), (80 * number, 0, 0)).save(watched.inputs / f"{number:03}.png")
    source = watched.inputs / "%03d.png"
    shutil.copy(watched.inputs / "000.png", source)
    assert watched.do(source) == "done"


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_a_text_that_names_other_files_is_not_followed(watched: Watched, name: str) -> None:
    assert watched.do(script(watched.inputs, name)) == "failed"


def test_a_film_whose_pictures_are_in_another_file_does_not_lead_there(watched: Watched) -> None:
    source = watched.inputs / "reference.mov"
    source.write_bytes(referring(watched.inputs / BAIT, watched.inputs))
    assert watched.do(source) in {"failed", "partial"}


@pytest.mark.parametrize(
    ("name", "options"),
    [("concat.mp4", {"safe": "0"}), ("reference.mov", {"enable_drefs": "1", "use_absolute_path": "1"})],
)
def test_a_reader_without_our_precautions_would_have_been_seen(
    watched: Watched, tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    """The trap works: FFmpeg as it comes, or told to follow references, goes where these files lead."""
    source = watched.inputs / name
    if name == "reference.mov":
        source.write_bytes(referring(watched.inputs / BAIT, watched.inputs))
    else:
        script(watched.inputs, name)
    program = (
        f"import av\ntry:\n    av.open({str(source)!r}, options={options!r})\nexcept av.error.FFmpegError:\n    pass"
    )
    log = tmp_path / "log"
    subprocess.run([*STRACE, "-o", str(log), sys.executable, "-c", program], check=True)
    assert f"opened {watched.inputs / BAIT}" in strayed(log.read_text(errors="replace"), watched.inputs, source)


def referring(target: Path, folder: Path) -> bytes:
    """Return a MOV whose data reference is an alias of `target`."""
    path = folder / "plain.mov"
    content = bytearray(make_video(path).read_bytes())
    path.unlink()
    name, whole = target.name.encode(), str(target).encode()
    record = bytes(10) + bytes([0]) + bytes(27) + bytes(12) + bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16)
    record += b"\0\x01\0\x01" + bytes(16) + b"\0\x02" + len(whole).to_bytes(2, "big") + whole + bytes(len(whole) % 2)
    record += b"\xff\xff\0\0"
    entry = (12 + len(record)).to_bytes(4, "big") + b"alis" + bytes(4) + record
    place = content.index(b"dref") + 12
    old = int.from_bytes(content[place : place + 4], "big")
    content[place : place + old] = entry
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        at = content.rindex(box, 0, place) - 4
        size = int.from_bytes(content[at : at + 4], "big") + len(entry) - old
        content[at : at + 4] = size.to_bytes(4, "big")
    return bytes(content)
