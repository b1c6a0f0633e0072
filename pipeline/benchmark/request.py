"""What the process that measures is told: one subject, the method, the settings and a folder to work in."""

import json
from dataclasses import asdict, dataclass

from pipeline.benchmark.order import subject_of
from pipeline.benchmark.plan import Subject
from pipeline.benchmark.report import Method
from pipeline.sections import HostSettings
from pipeline.settings import PipelineSettings

BATCH = 16
"""Pictures in a batch where neither sweep nor settings name a number."""


@dataclass(frozen=True, slots=True)
class Request:
    """All that `pipeline.benchmark.child` reads."""

    subject: Subject
    method: Method
    settings: PipelineSettings
    scratch: str
    """A folder on the volume that outputs go to; what is in it may be removed afterwards."""

    @property
    def host(self) -> HostSettings:
        """The settings of the model host that this subject asks for; no cache answers in the place of the model."""
        varied = self.subject.parameters
        fields = {key: varied[key] for key in ("precision", "compile", "device") if key in varied}
        own = {"batch_size": self.batch_size, "cache_mb": 0, **fields}
        return HostSettings.model_validate(self.settings.host.model_dump() | own)

    @property
    def batch_size(self) -> int:
        """Pictures or texts of one call."""
        if "batch_size" in self.subject.parameters:
            return int(self.subject.parameters["batch_size"])
        return BATCH if self.settings.host.batch_size == "auto" else self.settings.host.batch_size

    def to_json(self) -> str:
        """Return it as it is sent."""
        return json.dumps(
            {
                "subject": asdict(self.subject),
                "method": self.method.model_dump(),
                "settings": self.settings.model_dump(mode="json"),
                "scratch": self.scratch,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Request":
        """Return what was sent."""
        fields = json.loads(text)
        return cls(
            subject_of(fields["subject"]),
            Method.model_validate(fields["method"]),
            PipelineSettings.model_validate(fields["settings"]),
            fields["scratch"],
        )
