"""`isocenter`: the window, or one of the commands that need none."""

from __future__ import annotations

import argparse
import os
import sys

SNAPSHOT = "snapshot"


def main(argv: list[str] | None = None) -> int:
    """Run a command of `core.cli`, take a snapshot, or open the window with the scans named."""
    args = sys.argv[1:] if argv is None else argv
    first = args[0] if args else ""
    if first == SNAPSHOT:
        from gui.snapshot import main as snapshot

        return snapshot(args[1:])
    if first in ("-h", "--help"):
        return _help()
    if first == "--version" or _is_command(first):
        from core.cli import main as command

        return command(args)
    from gui.app import main as window

    return window(args)


def _is_command(word: str) -> bool:
    """Whether the first word is a command. The name of a scan is not, and does not cost the import to find out."""
    looks_so = word.replace("-", "").isalpha() and not word.startswith("-")
    return looks_so and not os.path.exists(word) and word in _commands()


def _commands() -> dict[str, str]:
    """The commands of `core.cli`, each with its line of help."""
    from core.cli import build_parser

    subparsers = [a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return {choice.dest: choice.help or "" for action in subparsers for choice in action._choices_actions}


def _help() -> int:
    from gui.app import parser

    lines = [*_commands().items(), (SNAPSHOT, "the four views of a scan as a picture, no display needed")]
    print(parser().format_help())
    print("commands:")
    for name, words in lines:
        print(f"  {name:<12} {words}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
