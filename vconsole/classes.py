"""Classifications for the console: what the settings say of one, and the command that starts it, checked."""

import os
from collections.abc import Callable

from pydantic import ValidationError

from pipeline.commands import StartRun
from pipeline.errors import VconsoleError
from pipeline.settings import Settings
from screens.ports import ClassifyRequest, Refusal

_TYPED = ("labels", "method", "vectors", "min_probability")


class ClassDesk:
    """Answers over the settings as they were read last; used by threads only."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings

    def usual(self) -> ClassifyRequest | Refusal:
        """Return what the settings say; the folder is left open."""
        try:
            said = self._settings().classify
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)
        return ClassifyRequest(b"", ", ".join(said.labels), b"", said.method, said.vectors, str(said.min_probability))

    def command(self, request: ClassifyRequest) -> StartRun | Refusal:
        """Return the command that classifies a folder, or why that would surely fail."""
        try:
            return self._command(request)
        except ValidationError as error:
            first = error.errors()[0]
            return Refusal(f"{first['loc'][-1]}: {first['msg']}.")
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)
        except OSError as error:
            return Refusal(f"{os.fsdecode(error.filename or request.folder)}: {error.strerror}.")

    def _command(self, request: ClassifyRequest) -> StartRun:
        from pipeline.analysis.asked import ClassifyRun, command_of
        from pipeline.analysis.folder import folder_of
        from pipeline.analysis.order import order_of

        values = self._settings().model_dump(include=set(ClassifyRun.model_fields))
        values["classify"] |= {
            name: getattr(request, name).strip() for name in _TYPED if getattr(request, name).strip()
        }
        values["classify"]["labels"] = request.labels
        wanted = ClassifyRun.model_validate({**values, "examples": os.fsdecode(request.examples)})
        order_of(folder_of(request.folder), wanted, force=False)
        return command_of(request.folder, wanted)
