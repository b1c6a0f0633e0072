"""What a snapshot tells of the machine: its gauges, its GPUs, and the model hosts that compute on them; all frozen."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GpuView:
    """One GPU as NVML tells it; None = this sensor cannot be read."""

    index: int
    name: str
    utilisation: float | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    encoder: float | None
    decoder: float | None
    temperature_c: float | None
    power_w: float | None
    throttle: str | None = None
    """What holds its clocks down, empty if nothing does."""
    fault: str = ""
    history: tuple[float, ...] = ()
    clock_mhz: int | None = None
    uuid: str = ""
    mig: tuple[str, ...] = ()
    """The UUIDs of its MIG instances, none where it is not divided."""
    lost: bool = False
    """Whether NVML says that it has fallen off the bus."""


@dataclass(frozen=True, slots=True)
class MachineView:
    """CPU, memory and disk."""

    cpu_share: float = 0.0
    cpu_per_core: tuple[float, ...] = ()
    memory_used_bytes: int = 0
    memory_total_bytes: int = 0
    disk_free_bytes: int = 0
    disk_total_bytes: int = 0
    disk_read_bytes_per_s: float = 0.0
    disk_write_bytes_per_s: float = 0.0
    cpu_history: tuple[float, ...] = ()
    gpus: tuple[GpuView, ...] = ()
    gpu_note: str = ""
    """Why there is no GPU to show, e.g. that NVML is absent."""


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model that a host serves."""

    key: str
    device: str
    precision: str
    batch_size: int
    """Most pictures in a batch now."""
    load_s: float
    pictures_done: int = 0
    state: str = "loaded"
    """loaded | resting (another has its place for now) | loading (its turn has come)"""
    memory_bytes: int | None = 0
    """What its parameters take, and on a GPU its largest batch; None of an engine that reads text: nobody counts it."""
    unloads: int = 0
    """How often it made room for another."""
    compiled: bool = False
    """Whether its forward pass was compiled when it was loaded."""


@dataclass(frozen=True, slots=True)
class HostView:
    """One model host."""

    device: str
    state: str
    """off | starting | loading | ready | restarting | failed | out (failed, and others do its work)"""
    models: tuple[str, ...] = ()
    batch_size: int = 0
    queue_pictures: int = 0
    queue_bytes: int = 0
    pictures_done: int = 0
    busy_share: float = 0.0
    """Share of the last seconds in which it ran batches, copying included; the rest it waited for pictures."""
    restarts: int = 0
    note: str = ""
    served: tuple[ModelView, ...] = ()
    pictures_per_s: float = 0.0
    """Over the last seconds."""
    copying_share: float = 0.0
    """Share of the last seconds in which it brought pictures to its device."""
    memory_share: float = 0.0
    """Share of the device's memory that it has taken; 0 on the CPU."""
    cleanups: int = 0
    """How often it gave cached memory back."""
    cache_asked: int = 0
    """Pictures and texts that it was asked for."""
    cache_hits: int = 0
    """Those of them that it answered from its cache."""
    gpu: int = -1
    """The GPU as NVML counts, -1 = unknown or none."""
    budget_bytes: int = 0
    """What its models may take together, 0 = not known yet."""
    unloads: int = 0
    """How often one of its models made room for another: where any did, they take turns."""

    @property
    def takes_turns(self) -> bool:
        """Whether its models do not fit together."""
        return self.unloads > 0
