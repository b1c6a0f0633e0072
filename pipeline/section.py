"""What every group of settings and every preset is made of."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.model import RunKind

Auto = Literal["auto"]
Count = Annotated[int, Field(ge=1)]
ModelKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""A model's key names a group in the feature file, so it holds no slash."""


class Section(BaseModel):
    """A frozen group of settings; an unknown key is an error, and so is a number that is none or has no end."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Preset(Section):
    """A named set of settings: `settings` maps section -> key -> value and is laid over the other settings."""

    description: str = Field(description="One plain sentence for the operator.")
    kind: RunKind = Field(RunKind.EXTRACT, description="The kind of the runs it is for: extract or transcode.")
    settings: dict[str, dict[str, object]] = Field(default_factory=dict)
