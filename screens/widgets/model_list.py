"""The list of the models of the catalogue."""

from collections.abc import Mapping

from textual.message import Message

from pipeline.shelf import FetchStep, ShelvedModel
from screens.presenters.models import model_row, models_heading
from screens.widgets.lines import LineView
from screens.widgets.outside import Cell, Line


class ModelList(LineView):
    """The selection stays with its model."""

    class Selected(Message):
        """Another model is selected."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._models: tuple[ShelvedModel, ...] = ()
        self._steps: Mapping[str, FetchStep] = {}
        self._key = ""

    def take(self, models: tuple[ShelvedModel, ...], steps: Mapping[str, FetchStep]) -> None:
        """Show these models, and how far the downloads of some are."""
        self._models, self._steps = models, dict(steps)
        self.sync()

    @property
    def model(self) -> ShelvedModel | None:
        """The selected model: the first until another is chosen."""
        return self._models[self.cursor] if self._models else None

    @property
    def cursor(self) -> int:
        """The position of the selected model, -1 = there is none."""
        found = (place for place, model in enumerate(self._models) if model.key == self._key)
        return next(found, 0 if self._models else -1)

    def select(self, position: int) -> None:
        """Select the model at a position."""
        self._key = self._models[position].key
        self.post_message(self.Selected())

    def row_count(self) -> int:
        """Return how many models there are."""
        return len(self._models)

    def row(self, index: int, width: int) -> Line:
        """Return one model."""
        model = self._models[index]
        return model_row(model, self._steps.get(model.key), width)

    def heading(self, width: int) -> Line | None:
        """Return the titles of the columns."""
        return models_heading(width)

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return what to say while the catalogue is read."""
        return ((Cell("Reading the catalogue…", "quiet"),),)
