"""The sections of the settings that stages read: what may be set in each, its default, its bounds, its explanation."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.section import Auto, Count, ModelKey, Section


class ProbeSettings(Section):
    """What a file must be to be taken on."""

    max_pixels: Count = Field(
        50_000_000, description="Largest picture in pixels that is decoded; a guard against bombs."
    )
    max_frames: Annotated[int, Field(ge=0)] = Field(
        0, description="Frames after which a video is cut off; 0 = no limit."
    )
    keep_partial: bool = Field(
        True, description="Keep what could be read of a damaged video (partial); false = quarantine it."
    )


class DecodeSettings(Section):
    """How the pictures of a video are decoded."""

    hwaccel: Literal["auto", "none", "cuda"] = Field(
        "none",
        description="Whether the GPU's decoder engines are used (H.264, HEVC, VP9, AV1): auto = where they are "
        "quicker, as measured once for each codec and size; cuda = always; none = never, for a GPU does not tell of "
        "damage inside a picture as software does.",
    )
    engines: Auto | Annotated[int, Field(ge=1, le=256)] = Field(
        "auto",
        description="Hardware decoders at work at once, over all workers; auto = the engines that the GPUs have, by "
        "their names. Who finds none free decodes by software.",
    )


class CropSettings(Section):
    """Letterbox and pillarbox removal."""

    enabled: bool = Field(True, description="Find black borders and let later stages see the picture inside.")
    probes: Annotated[int, Field(ge=1, le=100)] = Field(6, description="Places in the video that are looked at.")
    clip_s: Annotated[float, Field(ge=0, le=10)] = Field(
        0.0, description="Seconds looked at in each place; 0 = one keyframe."
    )
    threshold: Annotated[int, Field(ge=0, le=255)] = Field(
        24, description="Luma (0-255) up to which a border pixel counts as black."
    )
    min_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.4, description="Least share of width and of height that must remain, else nothing is cropped."
    )


class ScenesSettings(Section):
    """Scene detection by PySceneDetect."""

    enabled: bool = Field(True, description="Find scenes; false = the whole video is one scene.")
    detector: Literal["adaptive", "content", "threshold", "hash"] = Field(
        "adaptive", description="PySceneDetect's detector."
    )
    threshold: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="The detector's threshold, a number of that detector's own scale; unset = its own (adaptive 3, "
        "content 27, threshold 12, hash 0.35). VP_SCENE_THRESH of earlier tools chooses detector content too.",
    )
    min_scene_len: Count = Field(15, description="Least length of a scene in frames.")


class FramesSettings(Section):
    """Which frames are kept."""

    method: Literal["scenes", "interval", "uniform", "keyframes"] = Field(
        "scenes",
        description="scenes = sharp frames of each scene; interval = one every interval_s; uniform = uniform_frames "
        "over the video; keyframes = I-frames only, nothing else is decoded.",
    )
    frames_per_scene: Annotated[int, Field(ge=1, le=100)] = Field(3, description="Most frames kept of one scene.")
    interval_s: Annotated[float, Field(gt=0)] = Field(2.0, description="Seconds between frames for method interval.")
    uniform_frames: Annotated[int, Field(ge=1, le=1000)] = Field(
        16, description="Frames spread over the video when sampling is uniform."
    )
    min_coverage: Annotated[float, Field(ge=0)] = Field(
        1.0,
        description="Frames per minute below which scenes give too few and sampling becomes uniform; 0 = never.",
    )
    candidates_per_s: Annotated[float, Field(gt=0, le=60)] = Field(
        2.0, description="Frames per second of video that are weighed as candidates."
    )
    min_luma: Annotated[float, Field(ge=0, le=255)] = Field(
        16.0,
        description="Mean luma (0-255, full range) below which a frame is black and not kept if a better one is there.",
    )
    min_entropy_bits: Annotated[float, Field(ge=0, le=8)] = Field(
        1.0,
        description="Entropy of the luma histogram below which a frame is empty and not kept if a better one is there.",
    )
    hold_mb: Annotated[int, Field(ge=16)] = Field(
        256,
        description="Memory one worker may use for decoded candidate pictures; with little of it and large pictures, "
        "fewer are weighed, and uniform sampling gives fewer than uniform_frames.",
    )
    save: Literal["none", "jpeg", "webp"] = Field("none", description="Save kept frames as pictures under frames/.")
    save_quality: Annotated[int, Field(ge=1, le=100)] = Field(90, description="Quality of saved pictures.")


class DedupeSettings(Section):
    """Removal of near-identical frames within a video."""

    enabled: bool = Field(True, description="Drop frames whose dHash is close to one already kept.")
    max_distance: Annotated[int, Field(ge=0, le=64)] = Field(
        4, description="Hamming distance (of 64 bits) up to which two frames are the same."
    )
    every_scene: bool = Field(
        True,
        description="Every scene keeps its best frame, even one that resembles a frame of another scene, so that every "
        "scene can be found.",
    )


class EmbedSettings(Section):
    """Image embeddings by the model host."""

    enabled: bool = Field(True, description="Compute embeddings of the kept frames.")
    models: tuple[str, ...] = Field(("clip-vit-b-32",), description="Model keys, see `vconsole models list`.")
    augment: bool = Field(False, description="Average the vector of a frame with that of its mirror image.")
    scene_vectors: bool = Field(True, description="Also store mean vectors of each scene and of the video.")

    @field_validator("models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class TextSettings(Section):
    """On-screen text, read from pictures of the same decode."""

    enabled: bool = Field(False, description="Read the text that the pictures show.")
    engine: Literal["auto", "rapidocr", "easyocr"] = Field(
        "auto",
        description="rapidocr brings its models along; easyocr needs its weights here; auto = rapidocr where it "
        "reads all the languages, else easyocr.",
    )
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}(_[a-z]+)?$")], ...] = Field(
        ("en", "ch_sim"),
        min_length=1,
        description="Languages that the text may be in, as easyocr names them; rapidocr reads English, Chinese and "
        "Japanese in any case.",
    )
    interval_s: Annotated[float, Field(ge=0.04, le=3600)] = Field(
        1.0, description="Seconds between the pictures that are read; the first, middle and last are read as well."
    )
    unchanged: bool = Field(True, description="Do not read a picture again whose text areas look as they did before.")
    longest_px: Annotated[int, Field(ge=128, le=4096)] = Field(
        1280, description="Longest side at which text is looked for; larger pictures are scaled down."
    )
    min_confidence: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Confidence below which text is left out."
    )
    batch: Annotated[int, Field(ge=1, le=256)] = Field(6, description="Pieces of text that are recognised at once.")
    max_pieces: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        100_000,
        description="Pieces of text from which on no further picture of a video is read; the result tells up to when "
        "it was.",
    )

    @field_validator("languages", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class SpeechSettings(Section):
    """Spoken words, from a pass of its own over the sound."""

    enabled: bool = Field(False, description="Transcribe what is said.")
    model: ModelKey = Field(
        "whisper-base", description="Key of a model of the family whisper, see `vconsole models list`."
    )
    language: Annotated[str, Field(pattern=r"^[a-z]{0,3}$")] = Field(
        "", description="Language that is spoken, as a code (en, zh); empty = found in the first words of each video."
    )
    stream: str = Field(
        "",
        pattern=r"^(|\d{1,3}|[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)$",
        description="Which sound is heard: empty = the default one, a number counted from 0, or a language (eng). "
        "Where there is no such one, the default.",
    )
    voice_threshold: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="Probability (by Silero VAD) from which a moment counts as voice; the rest costs nothing."
    )
    min_silence_s: Annotated[float, Field(ge=0.1, le=30)] = Field(
        2.0, description="A pause longer than this is left out; shorter ones stay within what is transcribed at once."
    )
    pad_s: Annotated[float, Field(ge=0, le=0.2)] = Field(
        0.1, description="Seconds before and after a voice that are transcribed with it."
    )
    beam_size: Annotated[int, Field(ge=1, le=16)] = Field(
        1, description="Beams of the decoding; 1 = greedy, 5 is a little better and several times as slow."
    )


class WriteSettings(Section):
    """How outputs are written."""

    compression: Literal["none", "gzip"] = Field("none", description="Compression of the datasets in feature files.")
    deep_verify: bool = Field(True, description="Read every dataset back before a feature file gets its final name.")
