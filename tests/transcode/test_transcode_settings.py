"""What may be asked of a transcode, and what the built-in presets ask."""

import pytest
from pydantic import ValidationError

from pipeline.transcode.settings import TRANSCODE_PRESETS, TranscodeSettings, conflict


@pytest.mark.parametrize("name", TRANSCODE_PRESETS)
def test_every_built_in_preset_is_a_valid_group_of_settings_that_says_only_what_differs(name: str):
    sentence, values = TRANSCODE_PRESETS[name]
    assert sentence.endswith(".")
    assert not conflict(TranscodeSettings.model_validate(values))
    made = TranscodeSettings.model_validate(values).model_dump()
    plain = TranscodeSettings().model_dump()
    assert {key for key in values if made[key] == plain[key]} <= set()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"output_format": "webm"}, "webm holds no h264 here"),
        ({"output_format": "webm", "video_codec": "libsvtav1"}, "webm holds no aac here"),
        ({"speed": "p4"}, "libx264 has no speed 'p4'"),
        ({"crf": 60}, "crf of libx264 ends at 51"),
    ],
)
def test_what_cannot_go_together_is_told_in_a_sentence(values: dict[str, object], sentence: str):
    assert sentence in conflict(TranscodeSettings.model_validate(values))


@pytest.mark.parametrize("values", [{"crop": "100:100"}, {"resolution": "0x480"}])
def test_what_cannot_be_is_refused(values: dict[str, object]):
    with pytest.raises(ValidationError, match=next(iter(values))):
        TranscodeSettings.model_validate(values)


def test_auto_is_the_codec_that_the_container_is_made_for():
    assert TranscodeSettings(video_codec="auto").family == "h264"
    assert TranscodeSettings(video_codec="auto", audio_codec="libopus", output_format="webm").family == "av1"
    assert TranscodeSettings(video_codec="copy").family == ""
