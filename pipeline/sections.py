"""The sections of the settings for what runs the stages: the engine, model hosts and models, the console, its log."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.section import Auto, Count, Section


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


class HostSettings(Section):
    """The model host: one process per device that loads models and serves batches."""

    device: str = Field(
        "auto",
        pattern=r"^(auto|(cpu|cuda:\d+)(,(cpu|cuda:\d+))*)$",
        description="auto, cpu or cuda:N, or several with commas, each with a host of its own; auto = every GPU that "
        "CUDA may use, else the CPU.",
    )
    precision: Literal["auto", "fp32", "fp16", "bf16", "int8"] = Field(
        "auto",
        description="Precision of the forward pass; auto = fp32 on the CPU, on a GPU bf16 or fp16 where its vectors "
        "keep a cosine of 0.995 with those in fp32, which is measured when a model is loaded. int8 is for the CPU: the "
        "linear layers of models of pictures, quicker and less exact; how much less is told.",
    )
    compile: bool = Field(
        False,
        description="Compile models of pictures with torch.compile when they are loaded: it takes minutes and a C++ "
        "compiler (on a GPU Triton). Where it fails, or its vectors are not those of the plain model, the plain one "
        "is used and the log says why.",
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
        0.9,
        description="Share of the GPU's memory the host may use; on the CPU the share of the machine's memory that the "
        "models of a host may take together.",
    )
    memory_mb: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="MB (10^6 bytes) of memory that the models of a host may take together: models that need more are "
        "used in turn, each loaded again when it is asked for. 0 = as memory_fraction says.",
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
