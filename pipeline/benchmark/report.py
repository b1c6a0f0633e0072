"""The schema of a benchmark report (`P.json`): what every field means; `vconsole benchmark --schema` prints it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import SettingsError

SCHEMA_VERSION = 1


class Part(BaseModel):
    """What every part of a report is: frozen, and without fields that the schema does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Method(Part):
    """How each result was measured."""

    iterations: int = Field(20, ge=1, description="Timed calls at least.")
    warmup_iterations: int = Field(
        3, ge=0, description="Calls before them whose times do not count; fewer where they take `max_seconds`."
    )
    min_seconds: float = Field(
        16.0,
        ge=0,
        description="Calls go on until they took this long together; machines have slow moments of some seconds.",
    )
    max_seconds: float = Field(
        60.0,
        gt=0,
        description="No further call begins after this long; before, up to three times the calls that were asked for "
        "are made where others disturb or times waver.",
    )


class Statistics(Part):
    """Figures of a set of times, in seconds."""

    count: int
    mean: float
    std: float = Field(description="Standard deviation of the sample; 0 for a single time.")
    min: float
    p50: float
    p90: float
    p99: float = Field(description="Nearly the largest while there are fewer than 100 times.")
    max: float


class Rates(Part):
    """How much was done a second, over all timed calls."""

    items_per_s: float
    video_s_per_s: float = Field(0.0, description="Seconds of video a second; 0 where the input is no video.")
    mb_per_s: float = Field(0.0, description="10^6 bytes of input a second; 0 where it has no bytes to speak of.")


class Gpu(Part):
    """One reading of one GPU; null where the driver does not tell."""

    index: int
    utilisation: float | None
    memory_bytes: int | None
    power_w: float | None
    clock_mhz: int | None
    throttle: str | None = Field(description="What holds the clocks down, empty if nothing does.")


class Sample(Part):
    """One reading of the machine while calls were timed."""

    at_s: float = Field(description="Since timing began.")
    client_bytes: int = Field(description="Resident memory of the process that calls.")
    worker_bytes: int = Field(description="Resident memory of its workers.")
    host_bytes: int = Field(description="Resident memory of its model host.")
    cpu_cores: float = Field(description="Cores that all of them kept busy.")
    other_cores: float = Field(description="Cores that anything else on the machine kept busy.")
    gpus: tuple[Gpu, ...] = ()


class Reason(Part):
    """Why a result is INVALID, and what to do about it."""

    code: Literal["too_few_samples", "unstable", "throttled", "other_load", "wrong_output", "errors", "slow"]
    text: str
    recommendation: str


class Output(Part):
    """What is known of the output that was measured."""

    dim: int = Field(0, description="Length of a vector; 0 where the output is none.")
    vectors: tuple[tuple[float, ...], ...] = Field(
        (), description="Vectors of the reference inputs, which a later report can be checked against."
    )
    reference: str = Field("", description="What they were compared with; empty = there was nothing.")
    similarity: float | None = Field(None, description="The least cosine of a vector and its reference.")
    problem: str = Field("", description="What is wrong with the output; empty = nothing that was looked for.")


class Floor(Part):
    """The least time that the same work can take here, as another result of this report has it."""

    name: str
    share: float = Field(description="Seconds an item at the floor over seconds an item of this result.")


class Result(Part):
    """One subject with one set of parameters."""

    name: str = Field(description="Unique in a report; equal names of two reports are compared.")
    kind: str = Field(
        description="extractor, stage, preset (of extract), transcode (a preset of it), service, or a floor: forward, "
        "decode, demux, read, write, copy."
    )
    target: str = Field(description="Model key, stage, preset, service, file, or of a floor of videos their codec.")
    input: str = Field(description="image, text, video or file.")
    codec: str = Field("", description="Codec of the videos; empty where it is not known or the input is none.")
    parameters: dict[str, str] = Field(description="What a sweep varies.")
    unit: str = Field(description="What an item is.")
    items: int = Field(description="Items of one call.")
    load_s: float = Field(description="Cold: from the start of the process until it could be called.")
    first_s: float = Field(description="Cold: the first call of all.")
    warmup_s: tuple[float, ...]
    times_s: tuple[float, ...] = Field(description="Every timed call, in order, warm.")
    paces_s: tuple[float, ...] = Field(
        (),
        description="Seconds that a fixed piece of work took beside each timed call: how quick the machine itself was. "
        "Empty for services.",
    )
    disturbed_s: tuple[float, ...] = Field(
        (), description="Timed calls that do not count: others kept more than a tenth of the cores busy meanwhile."
    )
    outliers: tuple[int, ...] = Field(description="Places in `times_s` beyond Tukey's far fences (3 IQR).")
    statistics: Statistics = Field(description="Of seconds an item: `times_s` over `items`.")
    rates: Rates
    stable: bool = Field(description="Whether the last three windows of times lie within 10 %.")
    windows_s: tuple[float, ...] = Field(description="Median of each of the last three windows.")
    stages: dict[str, Statistics] = Field(description="Seconds of a call in each stage; empty where there are none.")
    floor: Floor | None
    samples: tuple[Sample, ...]
    output: Output
    errors: dict[str, int] = Field(description="How many requests ended so, by what went wrong; services only.")
    retries: int = Field(0, description="Requests that were sent again; services only.")
    copied: int = Field(0, description="Videos of a call whose pictures were copied and not decoded.")
    notes: tuple[str, ...] = Field((), description="Sentences about what the calls did: encoders, sizes, fallbacks.")
    reasons: tuple[Reason, ...] = Field(description="Empty = VALID.")

    @property
    def valid(self) -> bool:
        """Whether the figures can be trusted."""
        return not self.reasons

    @property
    def verdict(self) -> str:
        """VALID or INVALID."""
        return "VALID" if self.valid else "INVALID"


class Missing(Part):
    """What was planned and could not be measured."""

    name: str
    message: str
    remedy: str = ""


class GpuFacts(Part):
    """A GPU of this machine."""

    name: str
    memory_bytes: int | None


class Machine(Part):
    """What the report was made on."""

    host: str
    system: str
    cpu: str
    cores: int
    memory_bytes: int
    gpus: tuple[GpuFacts, ...]
    driver: str = Field(description="Version of the GPU driver, empty without one.")
    versions: dict[str, str] = Field(description="Python, this program and the libraries that matter.")
    commit: str = Field(description="Git commit of the program, `+` behind it if files were changed; empty if unknown.")


class Difference(Part):
    """One result of two reports."""

    name: str
    before_s: float = Field(description="Seconds an item, tenth percentile: what else a machine does adds least to it.")
    after_s: float
    pace: float = Field(
        0.0,
        description="By how much a fixed piece of work took longer beside the calls than before, the machine being "
        "slower; taken out of the changes. 0 where it is not known, or a GPU is there to do the work.",
    )
    change: float = Field(description="after / before - 1 at the same pace: 0.2 = a fifth slower.")
    low: float = Field(description="The change lies within low and high at 95 % (bootstrap of the percentiles).")
    high: float
    median_change: float = Field(0.0, description="The same of the median seconds an item.")
    verdict: Literal["slower", "faster", "same"]
    trusted: bool = Field(description="Whether both results are VALID.")


class Fact(Part):
    """One thing that is not the same in two reports."""

    what: str
    before: str
    after: str


class Comparison(Part):
    """Two reports side by side."""

    before: str = Field(description="When and from what commit the earlier one is.")
    after: str
    differences: tuple[Difference, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    surroundings: tuple[Fact, ...] = Field(description="What differs in machine, versions, method and settings.")


class Report(Part):
    """Everything that one benchmark found."""

    format: Literal["vconsole-benchmark"] = "vconsole-benchmark"
    schema_version: Literal[1] = 1
    created_utc: str
    elapsed_s: float
    complete: bool = Field(description="False if it was interrupted; what was measured by then is here.")
    command: tuple[str, ...]
    method: Method
    settings: dict[str, str] = Field(description="Settings by their full name.")
    machine: Machine
    results: tuple[Result, ...]
    missing: tuple[Missing, ...]
    comparison: Comparison | None = None
    allowed_percent: float | None = Field(
        None, description="By how much a subject may be slower than in the baseline; null = there is no gate."
    )


def measured_before(path: Path) -> tuple[Result, ...]:
    """Return what an unfinished report in a file has measured already; nothing if there is none."""
    try:
        report = read_report(path)
    except SettingsError:
        return ()
    return () if report.complete else report.results


def read_report(path: Path) -> Report:
    """Return the report in a file. Raises SettingsError if it is none of this version."""
    try:
        return Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"the report {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise SettingsError(
            f"{path} is no benchmark report of version {SCHEMA_VERSION}: {place}: {first['msg']}",
            remedy="Name the P.json of an earlier `vconsole benchmark`.",
        ) from error
