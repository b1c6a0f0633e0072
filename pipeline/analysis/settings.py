"""The settings of classification and of the analysis; no run reads them."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.section import Section

Share = Annotated[float, Field(ge=0, le=1)]


def _listed(value: object) -> object:
    """Take a text with commas for the list that it stands for, as variables and options write it."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class ClassifySettings(Section):
    """Classes of stored videos, from their vectors (`vconsole classify`)."""

    labels: tuple[str, ...] = Field(
        (),
        description="The classes, in words that the model compares with pictures; NAME = WORDS gives a class a name "
        "of its own, and the same NAME again more words for it.",
    )
    prompts: tuple[str, ...] = Field(
        ("{}", "a photo of {}"),
        min_length=1,
        description="Sentences around the words of a class; the class is the mean of their vectors.",
    )
    vectors: str = Field(
        "", description="Key of the model whose vectors are used; empty = the first of the videos that serves."
    )
    method: Literal["centroid", "probe"] = Field(
        "centroid",
        description="How examples tell the classes: centroid = the nearest mean; probe = a linear classifier, for many "
        "examples of a class.",
    )
    temperature: Annotated[float, Field(gt=0, le=10)] = Field(
        0.01, description="By what similarities are divided before they become probabilities; CLIP's own is 0.01."
    )
    min_probability: Share = Field(0.0, description="Probability below which no class is named.")

    @field_validator("labels", "prompts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _listed(value)

    @field_validator("prompts")
    @classmethod
    def _holds_words(cls, prompts: tuple[str, ...]) -> tuple[str, ...]:
        for prompt in prompts:
            if prompt.count("{}") != 1:
                raise ValueError(f"{prompt!r} does not hold {{}} once, where the words of a class go")
        return prompts


class AnalysisSettings(Section):
    """The analysis of stored videos (`vconsole analysis`)."""

    min_similarity: Share = Field(
        0.97, description="Cosine of the vectors of two videos from which they count as near-duplicates."
    )
    min_hash_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5,
        description="Share of the frames of the shorter video found in the other, by their hashes, that makes them so.",
    )
    max_distance: Annotated[int, Field(ge=0, le=15)] = Field(
        6, description="Hamming distance (of 64 bits) up to which two frames are the same."
    )
    max_pairs: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        20_000, description="Pairs of near-duplicates that are kept, the most alike first."
    )
    most_frequent: Annotated[int, Field(ge=1, le=10_000)] = Field(
        50, description="On-screen lines and spoken words that are told, the most frequent first."
    )
