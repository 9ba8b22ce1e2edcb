"""The command line: the same jobs without a window.

Exit codes: 0 done, 2 bad input (one line on stderr: what, where, how to mend), 130 interrupted, 1 anything else.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from core import __version__
from core.commands import (
    anonymise,
    check,
    convert,
    doctor,
    evaluate,
    export,
    fractions,
    info,
    models,
    plan,
    predict,
    prepare,
    register,
    runs,
    simulate,
    train,
)
from core.control import NATIVE
from core.errors import Cancelled, IsocenterError
from core.files import is_unicode

COMMANDS = (
    predict, plan, check, prepare, train, fractions, evaluate, runs, models, info, convert, register, export,
    anonymise, simulate, doctor,
)  # fmt: skip
DONE, UNEXPECTED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

# Adds commands to what `add_subparsers` gave; each sets `run`, which takes the arguments and returns the exit code.
Adder = Callable[[Any], None]


def build_parser(more: Iterable[Adder] = ()) -> argparse.ArgumentParser:
    """The parser with every command; `more` adds those of the window."""
    parser = argparse.ArgumentParser(
        prog="isocenter",
        description="Look at medical scans, train models on scans, tables and time series. Research use only.",
    )
    parser.add_argument("--version", action="version", version=f"isocenter {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (*(command.add for command in COMMANDS), *more):
        add(commands)
    return parser


def main(argv: Sequence[str] | None = None, more: Iterable[Adder] = ()) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    if strange := next((word for word in words if not is_unicode(word)), None):
        print(f"isocenter: {strange!r}: this name is not Unicode. Rename the file or folder.", file=sys.stderr)
        return BAD_INPUT
    try:
        args = _parse(build_parser(more), words)
    except SystemExit as ended:  # argparse has said why, or printed the help
        return ended.code if isinstance(ended.code, int) else BAD_INPUT
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    logging.getLogger("core").setLevel(logging.INFO)
    try:
        with _ended_as_by_ctrl_c(args):
            code: int = args.run(args)
        sys.stdout.flush()
        return code
    except IsocenterError as error:
        print(f"isocenter: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    except PermissionError as error:  # where no reader or writer said more of it
        where = "" if error.filename is None else f"{error.filename}: "
        print(
            f"isocenter: {where}this may not be read or written. Ask its owner, or choose another place.",
            file=sys.stderr,
        )
        return BAD_INPUT
    except (KeyboardInterrupt, Cancelled):
        print("\nisocenter: interrupted", file=sys.stderr)
        if argv is None and any(thread.name == NATIVE for thread in threading.enumerate()):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(INTERRUPTED)  # ITK aborts a Python that ends while a thread is still in its code
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNEXPECTED
    except MemoryError:
        print("isocenter: not enough memory for this. Close other programs, or use a smaller scan.", file=sys.stderr)
        return UNEXPECTED
    except Exception as error:
        traceback.print_exc()
        print(f"isocenter: unexpected {type(error).__name__}: {error}", file=sys.stderr)
        return UNEXPECTED


@contextmanager
def _ended_as_by_ctrl_c(args: argparse.Namespace) -> Iterator[None]:
    """Within the block a polite kill (SIGTERM) ends a command as Ctrl-C does, so that it leaves nothing half-written.

    Not the window, whose loop is not Python's, nor the processes of torchrun, which ends them so and waits.
    """
    ours = args.run.__module__.startswith("core.") and "TORCHELASTIC_RUN_ID" not in os.environ
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        ours = False  # whoever started it may have had a reason to ignore it
    if not ours:
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parse(parser: argparse.ArgumentParser, argv: list[str]) -> argparse.Namespace:
    args, rest = parser.parse_known_args(argv)
    # argparse takes `key=value` only before the first option; people write them anywhere.
    wrong = [text for text in rest if text.startswith("-") or "=" not in text or not hasattr(args, "overrides")]
    if wrong:
        parser.error(f"not understood: {' '.join(wrong)}")
    if rest:
        args.overrides = [*args.overrides, *rest]
    return args


if __name__ == "__main__":
    sys.exit(main())
