"""`isocenter`: the window, or one of the commands that need none."""

from __future__ import annotations

import argparse
import os
import sys


def main(argv: list[str] | None = None) -> int:
    """Run a command of `core.cli` or of the window, or open the window with the scans named."""
    args = sys.argv[1:] if argv is None else argv
    first = args[0] if args else ""
    if first in ("-h", "--help"):
        return _help()
    if first == "--version" or _is_command(first):
        from core.cli import main as command
        from gui import snapshot

        if first == "doctor":
            _look_at_the_display_too()
        return command(argv, [snapshot.add])  # None: as a program of its own
    from gui.app import main as window

    return window(args)


def _look_at_the_display_too() -> None:
    from core.commands import doctor as core_doctor
    from gui import doctor

    core_doctor.CHECKS.extend(check for check in doctor.CHECKS if check not in core_doctor.CHECKS)


def _is_command(word: str) -> bool:
    """Whether the first word is a command. The name of a scan is not, and does not cost the import to find out."""
    looks_so = word.replace("-", "").isalpha() and not word.startswith("-")
    return looks_so and not os.path.exists(word) and word in _commands()


def _commands() -> dict[str, str]:
    """Every command with its line of help."""
    from core.cli import build_parser
    from gui import snapshot

    actions = build_parser([snapshot.add])._actions
    subparsers = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    return {choice.dest: choice.help or "" for action in subparsers for choice in action._choices_actions}


def _help() -> int:
    from gui.app import parser

    print(parser().format_help())
    print("commands (isocenter COMMAND --help tells more):")
    for name, words in _commands().items():
        print(f"  {name:<12} {words}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
