"""The sections of the settings: what may be set in each, its default, its bounds and its explanation."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.section import Section

Auto = Literal["auto"]
Count = Annotated[int, Field(ge=1)]
ModelKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""A model's key names a group in the feature file, so it holds no slash."""


class EngineSettings(Section):
    """How the engine schedules, bounds and retries."""

    workers: Auto | Annotated[int, Field(ge=1, le=256)] = Field(
        "auto",
        description="Worker processes; auto = min(GPU memory / (job memory + 2 GB), cores / 2, free memory / 4 GB); to "
        "transcode min(cores / those that one encoder fills (4; AV1 8, NVENC 2, copy 1), free memory / 4 GB).",
    )
    decode_threads: Annotated[int, Field(ge=0, le=64)] = Field(
        0, description="Decoder threads of each worker; 0 = cores / workers, at least 1."
    )
    job_memory_gb: Annotated[float, Field(gt=0)] = Field(
        2.0, description="GPU memory one job is expected to need, for workers = auto."
    )
    stall_s: Annotated[float, Field(gt=0)] = Field(
        60.0, description="A worker that makes no progress for this long is killed and its job tried again."
    )
    job_timeout_s: Annotated[float, Field(ge=0)] = Field(
        0.0, description="The longest one attempt may take; 0 = no limit."
    )
    grace_s: Annotated[float, Field(gt=0)] = Field(
        5.0, description="How long a stopping engine waits for its workers before it ends them."
    )
    max_attempts: Count = Field(3, description="Attempts at one job before it counts as failed.")
    max_crashes: Count = Field(
        2, description="Crashes or stalls of the worker on the same video before it is quarantined."
    )
    max_engine_deaths: Count = Field(
        5, description="Engine deaths during the same video before it runs alone; as many more then quarantine it."
    )
    retry_pause_s: Annotated[float, Field(ge=0)] = Field(
        5.0, description="Pause before a second attempt; doubled for each further one."
    )
    retry_pause_max_s: Annotated[float, Field(ge=0)] = Field(300.0, description="Longest pause before a new attempt.")
    breaker_deaths: Count = Field(
        5, description="Workers that die at start, one after another, before the run is paused."
    )
    settle_s: Annotated[float, Field(ge=0)] = Field(
        2.0, description="A file changed more recently than this is taken as still being copied and waits."
    )
    chunk_s: Annotated[float, Field(ge=0)] = Field(
        300.0,
        description="Seconds of video in a chunk: a longer one is cut at keyframes into chunks that workers do side "
        "by side, with one result in the end; a chunk that fails costs only itself. 0 = never cut.",
    )
    recycle_after: Count = Field(500, description="Videos after which a worker is replaced by a fresh one.")
    worker_memory_cap_gb: Annotated[float, Field(ge=0)] = Field(
        8.0,
        description="GB (10^9 bytes) of resident memory above which a worker is replaced; a job that goes over it even "
        "alone in a fresh worker fails as out_of_memory. 0 = no cap.",
    )
    lease_ahead: Annotated[int, Field(ge=0, le=64)] = Field(
        8, description="Jobs a worker is handed ahead while its jobs take only milliseconds; 0 = none."
    )
    nice: Annotated[int, Field(ge=0, le=19)] = Field(
        10, description="Niceness of workers and model hosts; keeps the console quick on a full machine."
    )
    scan_batch: Count = Field(1000, description="Files that discovery hands to the ledger at once.")
    events_kept: Count = Field(200, description="Notices and failures that a snapshot holds at most.")
    runs_queued: Count = Field(16, description="Runs that may wait for the active one; a further one is refused.")
    snapshot_hz: Annotated[float, Field(gt=0, le=30)] = Field(
        5.0, description="Snapshots a second at most; none is made while nothing changes."
    )
    sensor_s: Annotated[float, Field(gt=0)] = Field(
        1.0, description="Seconds between two readings of CPU, memory, disk and GPU."
    )
    sensor_deadline_s: Annotated[float, Field(gt=0)] = Field(
        5.0, description="A GPU that has not answered for this long is shown as lost."
    )
    rate_window_s: Annotated[float, Field(gt=0)] = Field(30.0, description="Seconds over which rates are averaged.")
    history_s: Annotated[float, Field(gt=0)] = Field(
        5.0, description="Seconds of which a graph shows the mean as one reading."
    )
    history_kept: Annotated[int, Field(ge=2, le=10_000)] = Field(
        120, description="Past readings that a snapshot holds of each rate and gauge."
    )


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


class HostSettings(Section):
    """The model host: one process per device that loads models and serves batches."""

    device: str = Field(
        "auto",
        pattern=r"^(auto|(cpu|cuda:\d+)(,(cpu|cuda:\d+))*)$",
        description="auto, cpu or cuda:N, or several with commas, each with a host of its own; auto = every GPU that "
        "CUDA may use, else the CPU.",
    )
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(
        "auto",
        description="Precision of the forward pass; auto = fp32 on the CPU, on a GPU bf16 or fp16 where its vectors "
        "keep a cosine of 0.995 with those in fp32, which is measured when a model is loaded.",
    )
    batch_size: Auto | Annotated[int, Field(ge=1, le=4096)] = Field(
        "auto",
        description="Most pictures in one batch, halved on out-of-memory; auto = the size at which this model is "
        "quickest on this device, measured once in a few seconds and remembered.",
    )
    max_wait_ms: Annotated[float, Field(ge=0, le=10_000)] = Field(
        20.0, description="How long an incomplete batch waits for more pictures."
    )
    window_mb: Annotated[float, Field(gt=0)] = Field(
        32.0, description="MB (10^6 bytes) of pictures a worker may have under way to a model host before it waits."
    )
    memory_fraction: Annotated[float, Field(gt=0, le=1)] = Field(
        0.9, description="Share of the GPU's memory the host may use."
    )
    cleanup_threshold: Annotated[float, Field(gt=0, le=1)] = Field(
        0.8, description="Share of the GPU's memory above which memory that is only cached is given back after a batch."
    )
    cache_mb: Annotated[float, Field(ge=0, le=100_000)] = Field(
        64.0, description="MB of vectors kept for pictures and texts that are asked again, of each host; 0 = none."
    )
    threads: Annotated[int, Field(ge=0, le=256)] = Field(0, description="CPU threads of the host; 0 = all cores.")
    weights_dir: str = Field(
        "",
        description="Folder of checkpoints, looked in before the cache of the Hugging Face hub, for machines without a "
        "network: KEY.safetensors, or REPOSITORY/FILE as on the hub, or a copy of that cache.",
    )
    load_timeout_s: Annotated[float, Field(gt=0)] = Field(300.0, description="Longest time a model may take to load.")
    batch_timeout_s: Annotated[float, Field(gt=0)] = Field(
        300.0, description="Longest time one batch may take before the host is started again."
    )
    silent_s: Annotated[float, Field(gt=0)] = Field(
        60.0,
        description="A loaded host that tells nothing for this long is ended and started again; an idle one tells of "
        "itself eight times as often.",
    )
    max_restarts: Count = Field(3, description="Restarts without a batch done in between before the run is paused.")

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that `device` names."""
        return tuple(self.device.split(","))

    @property
    def window_bytes(self) -> int:
        """`window_mb` in bytes."""
        return int(self.window_mb * 1e6)


class ModelSettings(Section):
    """One entry of the model catalogue (`[models.KEY]`)."""

    family: Literal["open_clip", "timm", "clip4clip", "perceptual", "whisper"] = Field(
        "open_clip",
        description="open_clip: CLIP and its kin, pictures and texts; timm: DINOv2 and any other backbone of timm; "
        "clip4clip: a CLIP with a temporal head (seqTransf); perceptual: a descriptor without weights; whisper: "
        "OpenAI's transcription of speech.",
    )
    architecture: str = Field(
        description="Architecture as open_clip or timm names it, or size as whisper does (base, large-v3), "
        "hf-hub:REPOSITORY, local-dir:FOLDER, or the path of a "
        "JSON configuration of open_clip."
    )
    weights: str = Field("", description="Pretrained tag of the library; empty if path is set.")
    path: str = Field("", description="A checkpoint file on this machine (.safetensors, or .pt with plain weights).")
    folder: str = Field(
        "", description="Folder that is looked in for this model's checkpoint; empty = host.weights_dir."
    )
    image_size: Annotated[int, Field(ge=0, le=4096)] = Field(
        0,
        description="Side in pixels of the pictures it sees; 0 = the model's own (DINOv2: 518, and 224 costs a fifth).",
    )
    sha256: str = Field(
        "",
        pattern=r"^([0-9a-f]{64})?$",
        description="Expected checksum of the checkpoint; empty = not pinned.",
    )
    size_mb: Annotated[float, Field(ge=0)] = Field(0.0, description="Size of the weights, for the catalogue.")
    licence: str = Field("", description="Licence of the weights, for the catalogue.")


class ConsoleSettings(Section):
    """The screen."""

    refresh_hz: Annotated[float, Field(gt=0, le=30)] = Field(2.0, description="Screen refreshes a second.")
    theme: str = Field(
        "vconsole-dark",
        description="Name of the theme: vconsole-dark, vconsole-light, high-contrast (for colour-blind people too), "
        "ansi (the terminal's own 16 colours), or the name of a file of yours, "
        "without its .toml, in the folder themes of the configuration folder.",
    )


class LogSettings(Section):
    """The log file of the console."""

    dir: str = Field("", description="Folder of the log; empty = the platform's log folder.")
    file_mb: Annotated[float, Field(ge=0.01, le=1000)] = Field(2.0, description="Megabytes of one log file.")
    files: Annotated[int, Field(ge=2, le=100)] = Field(3, description="Log files kept, the one written to included.")
