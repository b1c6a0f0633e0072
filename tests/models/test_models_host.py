"""The host: its vectors equal open_clip's, a killed one is outlived, bad weights are refused with a sentence."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline import wire
from pipeline.errors import JobError
from pipeline.media.shapes import HELD_OUT, draw, random_look
from pipeline.models.client import HostClient, prepare
from pipeline.models.standalone import StandaloneHost, standalone_host
from pipeline.sections import HostSettings

Connect = Callable[..., HostClient]
Pictures = list[NDArray[np.uint8]]

QUIET = HostSettings(device="cpu", threads=1, batch_size=4, max_wait_ms=0)


def embed(client: HostClient, key: str, pictures: Pictures) -> NDArray[np.float32]:
    spec = client.spec(key)
    for tag, picture in enumerate(pictures):
        client.submit(key, tag, prepare(picture, spec))
    rows = client.collect()
    assert rows.keys() == {(key, tag) for tag in range(len(pictures))}
    return np.stack([rows[key, tag] for tag in range(len(pictures))])


def message(control: Any, kind: str, ready: Callable[[wire.Message], bool] = lambda _: True) -> wire.Message:
    """Return the next message of `kind` from the host that satisfies `ready`."""
    control.settimeout(30)
    while True:
        head, _ = wire.receive(control)
        if head["type"] == kind and ready(head):
            return head


@pytest.mark.parametrize("name", ["shortest", "longest", "squash"])
def test_vectors_equal_those_of_open_clip(
    host: StandaloneHost, connect: Connect, open_clip: Any, model_folder: Any, pictures: Pictures, name: str
) -> None:
    import torch

    theirs = open_clip.create_model("plain-small", pretrained=str(model_folder.folder / "small.safetensors"))
    theirs.eval()
    client = connect(host.socket_path)
    spec = client.spec(name)
    transform = open_clip.image_transform(
        32, is_train=False, mean=spec.mean, std=spec.std, resize_mode=spec.resize_mode,
        interpolation=spec.interpolation, fill_color=spec.fill,
    )  # fmt: skip
    wide = [np.vstack([picture, picture])[: 90 + place] for place, picture in enumerate(pictures)]
    with torch.inference_mode():
        batch = torch.stack([transform(Image.fromarray(picture)) for picture in wide])
        expected = theirs.encode_image(batch, normalize=True).numpy()
    ours = embed(client, name, wide)
    assert ours.dtype == np.float32
    assert ours.shape == (24, spec.dim)
    assert (ours * expected).sum(axis=1).min() > 0.99999


def test_a_held_out_shape_is_nearest_to_its_own_words(host: StandaloneHost, connect: Connect) -> None:
    rng = np.random.default_rng(2026)
    client = connect(host.socket_path)
    vectors = embed(client, "tiny-shapes", [draw(pair, random_look(rng)) for pair in HELD_OUT])
    words = client.encode_texts("tiny-shapes", [pair.caption for pair in HELD_OUT])
    right = (vectors @ words.T).argmax(axis=1) == np.arange(len(HELD_OUT))
    assert right.mean() >= 0.9


def test_two_workers_at_once_get_their_own_vectors(host: StandaloneHost, connect: Connect, pictures: Pictures) -> None:
    alone = embed(connect(host.socket_path), "shortest", pictures)
    found: dict[int, NDArray[np.float32]] = {}

    def work(number: int, mine: Pictures) -> None:
        found[number] = embed(clients[number], "shortest", mine)

    clients = [connect(host.socket_path, 4 * 32 * 32 * 3) for _ in range(2)]
    threads = [
        threading.Thread(target=work, args=(0, pictures)),
        threading.Thread(target=work, args=(1, pictures[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    np.testing.assert_allclose(found[0], alone, atol=1e-5)
    np.testing.assert_allclose(found[1], alone[::-1], atol=1e-5)


def test_a_host_killed_in_the_middle_costs_no_vector(
    tmp_path: Path, host: StandaloneHost, connect: Connect, model_folder: Any, pictures: Pictures
) -> None:
    expected = embed(connect(host.socket_path), "tiny-shapes", pictures)
    path = str(tmp_path / "s")
    stopped: list[StandaloneHost] = []

    with contextlib.ExitStack() as stack:

        def start() -> StandaloneHost:
            made = StandaloneHost(QUIET, model_folder.models, path, nice=0)
            stack.callback(made.close)
            return made

        def replace_stopped(what: str) -> None:
            if stopped:
                stopped[0].process.kill()
                stopped.pop().process.wait()
                start()

        first = start()
        client = connect(path, progress=replace_stopped)
        spec = client.spec("tiny-shapes")
        for tag, picture in enumerate(pictures):
            if tag == 10:
                # A stopped host keeps what it was sent, and the client must wait for it: then it is killed.
                os.kill(first.process.pid, signal.SIGSTOP)
                stopped.append(first)
            client.submit("tiny-shapes", tag, prepare(picture, spec))
        rows = client.collect()
        assert first.process.returncode == -signal.SIGKILL
    assert sorted(rows) == [("tiny-shapes", tag) for tag in range(len(pictures))]
    ours = np.stack([rows["tiny-shapes", tag] for tag in range(len(pictures))])
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_a_host_that_nobody_asks_loads_nothing_and_rests(tmp_path: Path, model_folder: Any) -> None:
    idle = StandaloneHost(QUIET, model_folder.models, str(tmp_path / "s"), nice=0)
    try:
        message(idle.control, "stats")
        assert "libtorch" not in Path(f"/proc/{idle.process.pid}/maps").read_text()
    finally:
        idle.close()
    assert idle.process.returncode == 0


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("cut.safetensors", "cannot be loaded from"),
        ("noise.pt", "cannot be"),
        ("pickle.pt", "wants to run code"),
        ("zipped.pt", "wants to run code"),
        ("pinned", "are not those expected"),
        ("misfit", "cannot be loaded from"),
        ("absent.pt", "are not on this machine"),
        ("nobody", "there is no model"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(
    host: StandaloneHost, connect: Connect, model_folder: Any, pictures: Pictures, key: str, sentence: str
) -> None:
    client = connect(host.socket_path)
    with pytest.raises(JobError, match=sentence) as caught:
        client.spec(key)
    assert caught.value.failure == "model"
    client.reset()
    client.submit(key, 1, pictures[0])
    with pytest.raises(JobError, match=sentence):
        client.collect()
    assert not model_folder.marker.exists()


def test_plain_weights_in_a_pickle_are_taken(host: StandaloneHost, connect: Connect, pictures: Pictures) -> None:
    client = connect(host.socket_path)
    np.testing.assert_allclose(embed(client, "small.pt", pictures), embed(client, "shortest", pictures), atol=1e-6)


def test_a_picture_of_the_wrong_size_fails_alone(host: StandaloneHost, connect: Connect, pictures: Pictures) -> None:
    bad, good = connect(host.socket_path), connect(host.socket_path)
    good.spec("shortest")
    bad.submit("shortest", 1, pictures[0][:20, :20])
    assert embed(good, "shortest", pictures).shape == (24, 24)
    with pytest.raises(JobError):
        bad.collect()


def test_a_model_that_must_be_there_first_and_cannot_ends_the_host(tmp_path: Path, model_folder: Any) -> None:
    doomed = StandaloneHost(QUIET, model_folder.models, str(tmp_path / "s"), nice=0)
    try:
        wire.send(doomed.control, {"type": "preload", "keys": ["absent.pt"]})
        assert "not on this machine" in message(doomed.control, "note")["text"]
        assert doomed.process.wait(30) == 71
    finally:
        doomed.close()


def test_a_device_that_is_not_there_ends_the_host(tmp_path: Path, model_folder: Any, connect: Connect) -> None:
    settings = HostSettings(device="cuda:99")
    with standalone_host(settings, model_folder.models) as doomed:
        wire.send(doomed.control, {"type": "preload", "keys": ["tiny-shapes"]})
        assert "not that of host.device" in message(doomed.control, "note")["text"]
        assert doomed.process.wait(30) == 71
