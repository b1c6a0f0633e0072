"""Where the operator's own files are: the configuration, the themes, the ledger."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from vconsole.options import Options

if TYPE_CHECKING:
    from pipeline.settings import Settings

APP = "vconsole"
CONFIG_VARIABLE = "VCONSOLE_CONFIG"
"""The environment variable that names the configuration file; it is no setting."""


def config_path(options: Options, environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file to read, or None if none was named and the user has none."""
    named = options.config or environ.get(CONFIG_VARIABLE, "")
    if named:
        return Path(named).expanduser()
    own = platformdirs.user_config_path(APP) / "config.toml"
    return own if own.is_file() else None


def state_dir(settings: "Settings") -> Path:
    """Return the folder of the ledger (absolute; it may not exist yet)."""
    if settings.state_dir:
        return Path(settings.state_dir).expanduser().absolute()
    return platformdirs.user_state_path(APP)


def themes_dir() -> Path:
    """Return the folder of the operator's own themes (it may not exist)."""
    return platformdirs.user_config_path(APP) / "themes"
