"""Faults that are not a video's: what they are called, and what an operator is told of them."""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.text import visible


class Fault(StrEnum):
    """What holds up a run."""

    OUT_FULL = "out_full"
    OUT_GONE = "out_gone"
    OUT_REFUSES = "out_refuses"
    IN_GONE = "in_gone"
    MEMORY = "memory"
    PROCESSES = "processes"
    HOST = "host"
    GPU = "gpu"
    WORKERS = "workers"


SEEN = frozenset(
    {Fault.OUT_FULL, Fault.OUT_GONE, Fault.OUT_REFUSES, Fault.IN_GONE, Fault.MEMORY, Fault.HOST, Fault.GPU}
)
"""Faults of which can be seen whether they have passed; nothing is tried before."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault, the folder it is about (empty if none), and what is known of it."""

    fault: Fault
    where: bytes = b""
    why: str = ""
    sure: bool = True
    """Whether it was seen; false if only an error number speaks for it."""

    def __str__(self) -> str:
        sentence = SENTENCES[self.fault].format(where=visible(self.where))
        return f"{sentence} ({self.why.rstrip('.')}.)" if self.why else sentence


SENTENCES = {
    Fault.OUT_FULL: "The output volume is full. Free space for {where}; the run goes on by itself.",
    Fault.OUT_GONE: "The volume of the output folder {where} is gone. Mount it again; the run goes on by itself.",
    Fault.OUT_REFUSES: "The output folder {where} cannot be written to. Mend its volume or its permissions; the run "
    "goes on by itself.",
    Fault.IN_GONE: "The volume of {where} is gone. Mount it again; the run goes on by itself.",
    Fault.MEMORY: "Memory ran out. The run goes on by itself when some is free; fewer workers need less.",
    Fault.PROCESSES: "No further file can be opened or process started. Raise the limits (ulimit -n, ulimit -u) or end "
    "other programs; the run goes on by itself.",
    Fault.HOST: "The model host is down. The run goes on by itself when it is back.",
    Fault.GPU: "The GPU is lost. See what nvidia-smi says, then reload the driver or restart the machine; the run goes "
    "on by itself when the GPU is back.",
    Fault.WORKERS: "Workers die at start. Mend the cause; they are tried again by themselves.",
}
"""Why a run is held up, and what to do about it."""

PASSED = {
    Fault.OUT_FULL: "The output volume has room again",
    Fault.OUT_GONE: "The volume of the output folder is back",
    Fault.OUT_REFUSES: "The output folder can be written to again",
    Fault.IN_GONE: "The volume of the inputs is back",
    Fault.MEMORY: "Memory is free again",
    Fault.PROCESSES: "Workers are tried again",
    Fault.HOST: "The model host is back",
    Fault.GPU: "The GPU is back",
    Fault.WORKERS: "Workers are tried again",
}
"""What is said when the fault has passed."""
