"""What the parsers of all commands are made of."""

import argparse
from typing import Any, NoReturn, TypeAlias

from pipeline.text import visible


class Parser(argparse.ArgumentParser):
    """A parser whose complaints cannot move the cursor, whatever an argument (a file name, say) holds."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with exit code 2."""
        super().error(visible(message))


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def texts(says: str, more: str) -> dict[str, Any]:
    """Return what a parser is made with: what it is for, and what stands below its options."""
    return {"description": says, "epilog": more, "formatter_class": argparse.RawDescriptionHelpFormatter}


def command_parser(commands: Commands, name: str, says: str, more: str = "") -> Parser:
    """Return a parser for a subcommand; the first sentence of `says` stands in the list of commands."""
    return commands.add_parser(name, help=says[0].lower() + says[1:].rstrip("."), **texts(says, more))


def add_settings(parser: Parser, before: str = "") -> None:
    """Add what sets settings; `before` marks those that stand before the command, for those behind it win."""
    group = parser.add_argument_group("settings")
    group.add_argument(
        "--config",
        dest=f"{before}config",
        metavar="FILE",
        help="configuration file (default: VCONSOLE_CONFIG, else your own)",
    )
    group.add_argument(
        "--set",
        dest=f"{before}overrides",
        metavar="SECTION.KEY=VALUE",
        action="append",
        default=[],
        help="set one value, as in sample_config.toml; may be given more than once",
    )


def add_json(parser: Parser, ends: str = ", the last one the summary") -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help=f"one JSON object a line on stdout{ends}")
