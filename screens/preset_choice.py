"""What a new run does: its kind, its preset, and the settings that are changed in that."""

from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from pipeline.model import STAGES, RunKind
from pipeline.settings import DEFAULT_PRESETS, PipelineSettings, Preset, presets_of
from screens.ports import Planning, Refusal
from screens.presenters.run_settings import RunSetting, run_settings, setting_lines
from screens.setting_value import SettingValue
from screens.widgets.lines import Lines
from screens.widgets.outside import Cell, outside, wrap
from screens.widgets.picks import Picks


class PresetChoice(Vertical):
    """Two lists to choose from, what the choice means, and its settings; a setting that is picked can be changed."""

    KINDS: ClassVar[tuple[RunKind, ...]] = tuple(STAGES)

    def __init__(self, planning: Planning, presets: Mapping[str, Preset]) -> None:
        super().__init__()
        self._planning = planning
        self._presets = presets
        self._names = list(presets_of(presets, self.KINDS[0]))
        self.changes: dict[str, str] = {}
        """Settings that differ from those of the preset: section.key and its value as text."""
        self.settings: list[RunSetting] = []
        """Those that are shown, in their order."""

    def compose(self) -> ComposeResult:
        """Build the lists."""
        with Horizontal(id="what"):
            yield OptionList(*(Option(outside(kind)) for kind in self.KINDS), id="kind")
            yield OptionList(id="preset")
        yield Lines(id="meaning")
        yield Picks(id="settings")

    def on_mount(self) -> None:
        """Name the lists and select what is usual."""
        for name in ("kind", "preset", "settings"):
            self.query_one(f"#{name}").border_title = outside(name)
        self.query_one("#meaning").can_focus = False
        self.query_one("#kind", OptionList).highlighted = 0

    def on_resize(self) -> None:
        """Lay out the texts again."""
        self.call_after_refresh(self._show)

    @property
    def kind(self) -> RunKind:
        """The kind that is chosen."""
        return self.KINDS[self.query_one("#kind", OptionList).highlighted or 0]

    @property
    def preset(self) -> str:
        """The name of the preset that is chosen."""
        return self._names[self.query_one("#preset", OptionList).highlighted or 0]

    @on(OptionList.OptionHighlighted, "#kind")
    def _kind_moved(self) -> None:
        self._names = list(presets_of(self._presets, self.kind))
        offered, usual = self.query_one("#preset", OptionList), DEFAULT_PRESETS[self.kind]
        offered.clear_options().add_options([Option(outside(name)) for name in self._names])
        offered.highlighted = self._names.index(usual) if usual in self._names else 0

    @on(OptionList.OptionHighlighted, "#preset")
    def _preset_moved(self) -> None:
        self.changes.clear()
        self._show()

    @on(Picks.Picked, "#settings")
    def _setting_picked(self, event: Picks.Picked) -> None:
        setting = self.settings[event.position]

        def fault(text: str) -> str:
            answer = self._planning.settings(self.preset, self.changes | {setting.key: text})
            return answer.message if isinstance(answer, Refusal) else ""

        def take(text: str | None) -> None:
            if text is not None:
                self.changes[setting.key] = text
                self._show()

        self.app.push_screen(SettingValue(setting, fault), take)

    def _show(self) -> None:
        text = self._presets[self.preset].description
        meaning, settings = self.query_one("#meaning", Lines), self.query_one("#settings", Picks)
        meaning.show(tuple((Cell(row, "quiet"),) for row in wrap(text, max(20, meaning.line_width))))
        plain = self._planning.settings(self.preset, {})
        now = self._planning.settings(self.preset, self.changes)
        if isinstance(plain, PipelineSettings) and isinstance(now, PipelineSettings):
            self.settings = run_settings(self.kind, plain, now, self.changes)
            settings.show(setting_lines(self.settings, max(20, settings.line_width)))
            differ = sum(setting.differs for setting in self.settings)
            settings.border_title = outside(f"settings: {differ} not at their default")
