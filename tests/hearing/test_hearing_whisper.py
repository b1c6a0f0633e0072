"""Whisper in the model host: the official format, the words of whisper itself, and what is said where it cannot be."""

import os
import pickle
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from whisper_make import make_checkpoint

from pipeline.errors import JobError, MissingWeightsError, SettingsError
from pipeline.models import registry
from pipeline.models.check import verify
from pipeline.models.client import HostClient
from pipeline.models.families import whisper as family
from pipeline.models.fetch import fetch
from pipeline.models.load import load
from pipeline.models.speech import Heard, Window
from pipeline.models.standalone import StandaloneHost
from pipeline.sections import HostSettings, ModelSettings
from pipeline.settings import MODELS, PipelineSettings

CPU = HostSettings(device="cpu")
# Of whisper itself: it leaves its vocabulary open, and its beam search sorts with an interface that numpy calls old.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__"),
]


def noise(seconds: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3000, round(16_000 * seconds)).astype(np.int16)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model(mine: ModelSettings) -> Any:
    return load("mine", mine, CPU, lambda _: None)


def by_whisper(mine: ModelSettings, window: Window) -> Heard:
    """Return what `whisper.transcribe` says of a window."""
    import whisper

    network = whisper.load_model(mine.path, "cpu")
    torch.manual_seed(0)
    beams = {"beam_size": window.beam_size} if window.beam_size > 1 else {}
    sound = window.samples.astype(np.float32) / 32768
    told = whisper.transcribe(network, sound, language=window.language or None, fp16=False, **beams)
    rows = [
        [one["start"], one["end"], one["text"].strip(), one["avg_logprob"], one["no_speech_prob"]]
        for one in told["segments"]
        if one["text"].strip()
    ]
    return Heard.from_message({"language": told["language"], "segments": rows})


@pytest.mark.parametrize(
    "window",
    [Window(noise(3, 1), "", 1), Window(noise(12.3, 2), "en", 1), Window(noise(30, 3), "de", 1)],
    ids=["language found", "language set", "30 s"],
)
def test_a_window_is_transcribed_as_whisper_itself_does_it(model: Any, mine: ModelSettings, window: Window) -> None:
    heard = model.transcribe([window])[0]
    assert heard == by_whisper(mine, window)
    assert heard.segments


def test_beams_are_those_of_whisper(model: Any, mine: ModelSettings) -> None:
    window = Window(noise(2, 5), "en", 3)
    assert model.transcribe([window])[0] == by_whisper(mine, window)


def test_windows_that_are_decoded_together_say_what_each_says_alone(model: Any) -> None:
    windows = [Window(noise(4, 1), "", 1), Window(noise(9, 2), "en", 1), Window(noise(5, 4), "en", 1)]
    for alone, together in zip((model.transcribe([one])[0] for one in windows), model.transcribe(windows), strict=True):
        assert together.language == alone.language
        assert [one[:3] for one in together.segments] == [one[:3] for one in alone.segments]
        for one, other in zip(together.segments, alone.segments, strict=True):
            assert one[3:] == pytest.approx(other[3:], abs=1e-4)


def test_the_host_answers_several_connections_and_is_loaded_once(host: StandaloneHost, model: Any) -> None:
    windows = [Window(noise(2 + number, number), "en", 1) for number in range(4)]
    answers: dict[int, Heard] = {}

    def ask(numbers: range) -> None:
        client = HostClient(host.socket_path, 1 << 17, progress=lambda _: None)  # room for one window or two
        for number in numbers:
            client.submit_window("mine", number, windows[number])
        answers.update({tag: heard for (_, tag), heard in client.collect_heard().items()})
        client.close()

    threads = [threading.Thread(target=ask, args=(numbers,)) for numbers in (range(2), range(2, 4))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: model.transcribe([window])[0] for number, window in enumerate(windows)}


def test_a_picture_for_a_model_of_speech_fails_alone(host: StandaloneHost) -> None:
    client = HostClient(host.socket_path, 1 << 20, progress=lambda _: None)
    client.submit("mine", 0, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(JobError, match="encode_pictures"):
        client.collect()
    client.reset()
    client.submit_window("mine", 0, Window(noise(1, 0), "en", 1))
    assert list(client.collect_heard()) == [("mine", 0)]
    client.close()


def test_the_sizes_are_those_of_whisper_and_their_checksums_are_pinned() -> None:
    import whisper

    addresses = {f"{family.ADDRESS}/{sha256}/{size}.pt" for size, sha256 in family.SIZES.items()}
    assert addresses == set(whisper._MODELS.values())
    for key, model in MODELS.items():
        if model.family == "whisper":
            assert registry.locate(key, model).expected_sha256 == family.SIZES[model.architecture]


def test_missing_weights_are_told_before_a_run_begins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    settings = PipelineSettings.model_validate({"embed": {"enabled": False}, "speech": {"enabled": True}})
    with pytest.raises(MissingWeightsError, match=r"whisper-base \(base; 145 MB\).*whisper/base\.pt") as caught:
        registry.require(settings.model_keys, settings)
    assert "vconsole models fetch whisper-base" in caught.value.remedy
    assert "speech.enabled=false" in caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"embed": {"models": ("mine",)}}, "embed.models names 'mine', which transcribes"),
        ({"embed": {"enabled": False}, "speech": {"enabled": True, "model": "tiny-shapes"}}, "does not transcribe"),
        ({"embed": {"enabled": False}, "speech": {"enabled": True, "model": "nobody"}}, "no such model"),
    ],
)
def test_a_model_in_the_wrong_place_is_refused(changes: dict[str, Any], sentence: str, mine: ModelSettings) -> None:
    settings = PipelineSettings.model_validate({**changes, "models": {"mine": mine.model_dump()}})
    with pytest.raises(SettingsError, match=sentence):
        registry.require(settings.model_keys, settings)


def test_a_size_that_there_is_not_is_refused() -> None:
    model = ModelSettings(family="whisper", architecture="gigantic")
    settings = PipelineSettings.model_validate(
        {"speech": {"enabled": True, "model": "mine"}, "models": {"mine": model.model_dump()}}
    )
    with pytest.raises(SettingsError, match="no size 'gigantic'"):
        registry.require(["mine"], settings)


@pytest.mark.parametrize("spoil", ["cut", "pickle", "foreign"])
def test_a_checkpoint_that_is_none_is_refused_and_runs_nothing(spoil: str, tmp_path: Path, mine: ModelSettings) -> None:
    path, marker = tmp_path / "bad.pt", tmp_path / "ran"
    whole = Path(mine.path).read_bytes()
    if spoil == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif spoil == "pickle":
        path.write_bytes(pickle.dumps(_Touch(marker)))
    else:
        torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(JobError, match=r"bad\.pt|cannot be loaded"):
        load("mine", mine.model_copy(update={"path": str(path)}), CPU, lambda _: None)
    assert not marker.exists()


def test_a_pinned_checksum_must_be_right(mine: ModelSettings) -> None:
    with pytest.raises(JobError, match="are not those expected"):
        load("mine", mine.model_copy(update={"sha256": "0" * 64}), CPU, lambda _: None)


def test_weights_are_verified_like_those_of_other_models(mine: ModelSettings, tmp_path: Path) -> None:
    assert verify("mine", mine).verdict == "ok"
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"no checkpoint")
    assert verify("mine", mine.model_copy(update={"path": str(bad)})).verdict == "bad"


def test_a_checkpoint_is_fetched_from_its_address_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: Callable[[Path], str]
) -> None:
    (tmp_path / "there").mkdir()
    whole = make_checkpoint(tmp_path / "there" / "base.pt", seed=2)
    sha256 = registry.sha256_of(whole)
    os.renames(whole, tmp_path / "there" / sha256 / "base.pt")
    monkeypatch.setattr(family, "ADDRESS", served(tmp_path / "there"))
    monkeypatch.setitem(family.SIZES, "base", sha256)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    started: list[tuple[str, int]] = []
    done = fetch(
        "whisper-base", MODELS["whisper-base"], started=lambda *told: started.append(told), moved=lambda *_: None
    )
    assert (done.downloaded, done.sha256) == (True, sha256)
    assert done.path == tmp_path / "cache" / "whisper" / "base.pt"
    assert started[0][0].endswith(f"{sha256}/base.pt")
    again = fetch("whisper-base", MODELS["whisper-base"], started=lambda *told: started.append(told))
    assert not again.downloaded
    assert registry.locate("whisper-base", MODELS["whisper-base"]).on_disk


@pytest.fixture
def served() -> Any:
    """Serve a folder on this machine."""
    servers = []

    def serve(folder: Path) -> str:
        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args, directory=str(folder))

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


class _Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_what_was_heard_crosses_the_border_of_a_process_whole(model: Any) -> None:
    heard = model.transcribe([Window(noise(2, 7), "en", 1)])[0]
    assert Heard.from_message(heard.to_message()) == heard
    assert replace(heard, language="de") != heard
