"""Starting the window, quickly: what is heavy is imported after it shows, or never."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from core.control import JobControl
from core.errors import IsocenterError
from core.paths import RESOURCES, ensure_home, home
from gui.actions import THEME_KEY
from gui.context import AppContext
from gui.importing import IMPORTING
from gui.main_window import MainWindow
from gui.pages import LAZY
from gui.scans.opening import SHOWN_WITH_A_SCAN
from gui.scans.recent import recent
from gui.scans.registered import remove_left_over
from gui.theme import apply_theme

logger = logging.getLogger("gui")
STOP_SECONDS = 60.0  # for a training run to make its checkpoints safe
PAGES_AFTER_MS = 4000  # once the window has settled


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="isocenter", description="Open the window, with scans.")
    made.add_argument("scans", nargs="*", type=Path, metavar="SCAN", help="NIfTI files and DICOM folders to open")
    made.add_argument(
        "--sample", action=argparse.BooleanOptionalAction, help="open the sample scan (at a first start it is)"
    )
    made.add_argument("--theme", choices=("system", "dark", "light"), help="for this start only")
    return made


class Faults(QObject):
    """Catches what nobody caught: logs it, and tells the person plainly. Works from any thread."""

    caught = Signal(object)

    def install(self) -> None:
        sys.excepthook = self._hook
        threading.excepthook = lambda args: self._hook(args.exc_type, args.exc_value, args.exc_traceback)

    def _hook(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        logger.critical("Unhandled error", exc_info=(kind, error or kind(), trace))
        self.caught.emit(error or kind())


def start_logging() -> None:
    """Keep a log in the home folder; without one the program still runs."""
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    try:
        ensure_home()
        handlers.append(
            RotatingFileHandler(home() / "isocenter.log", maxBytes=1_000_000, backupCount=2, encoding="utf-8")
        )
    except (IsocenterError, OSError) as error:
        sys.stderr.write(f"isocenter: {error}\n")
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, handlers=handlers, force=True)


def start(argv: list[str]) -> tuple[QApplication, MainWindow]:
    """Make the application and show its window. The caller runs the event loop."""
    wanted = parser().parse_args(argv)
    os.umask(0o077)  # scans and predictions are the user's own
    sys.setswitchinterval(5e-4)  # the window gets its turn beside busy Python threads
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = QApplication(["isocenter"])
    app.setApplicationName("Isocenter")
    app.setDesktopFileName("isocenter")
    app.setWindowIcon(QIcon(str(RESOURCES / "icons" / "isocenter-app.svg")))
    start_logging()
    context = AppContext(app)
    apply_theme(app, wanted.theme or str(context.settings.value(THEME_KEY, "system")))
    window = MainWindow(context)
    faults = Faults(context)
    faults.caught.connect(context.tell)
    faults.install()
    window.painted.connect(lambda: QTimer.singleShot(0, window, lambda: _after_show(window, wanted)))
    window.show()
    return app, window


def _after_show(window: MainWindow, wanted: argparse.Namespace) -> None:
    """What the first picture did not need."""
    window.status.watch_memory()
    if wanted.scans:
        window.open_paths(wanted.scans)
    elif wanted.sample or (wanted.sample is None and _first_start(window.context)):
        window.open_sample(by_user=False)
    # So that a drop finds everything in place. The imports take their time on a thread.
    jobs = window.context.jobs
    jobs.run("Getting ready", _import_what_a_drop_needs, done=lambda _: _get_ready(window), kind="background")


def _import_what_a_drop_needs(control: JobControl) -> None:
    for name in ("core.imaging.reader", "core.imaging.nifti", *SHOWN_WITH_A_SCAN):
        control.check()
        with IMPORTING:
            importlib.import_module(name)
    remove_left_over()


def _get_ready(window: MainWindow) -> None:
    window.scans.prepare()
    # Each at a turn of its own, so that the window never stands still for long.
    QTimer.singleShot(0, window, window.scans.warm_up)
    QTimer.singleShot(0, window, lambda: _look_for_interrupted(window.context))
    # The first visit of a page would else wait for what it imports.
    jobs = window.context.jobs
    QTimer.singleShot(PAGES_AFTER_MS, window, lambda: jobs.run("Getting ready", _import_pages, kind="background"))


def _import_pages(control: JobControl) -> None:
    """Import what the pages need, and the parts of experiments; nothing of Qt is made on this thread."""
    for module, _, _ in LAZY.values():
        control.check()
        with IMPORTING:
            importlib.import_module(module)
    from core import config, registry

    for kind in registry.KINDS:
        control.check()
        with IMPORTING:
            registry.parts(kind)
    with IMPORTING:
        config.experiment_class()


def _first_start(context: AppContext) -> bool:
    """Whether no scan of the user's own was opened yet."""
    samples = home() / "samples"
    return all(samples in scan.path.parents for scan in recent(context.settings))


def _look_for_interrupted(context: AppContext) -> None:
    """Runs whose process is gone are marked, so that they can be resumed."""
    try:
        ended = context.catalog().mark_interrupted()
    except IsocenterError as error:
        context.tell(error)
        return
    if ended:
        context.runs_changed.emit()
        context.notice.emit(
            "warn", f"{len(ended)} training run(s) ended with the program; the Runs page can resume them."
        )


def main(argv: list[str] | None = None) -> int:
    """Open the window and stay until it is closed."""
    app, window = start(sys.argv[1:] if argv is None else argv)
    code = app.exec()
    training = any(job.kind == "training" for job in window.context.jobs.jobs)
    ended = window.context.close(STOP_SECONDS if training else 5.0)
    if not ended:  # a thread that hangs in a library must not keep a window-less program alive
        logging.shutdown()
        os._exit(code)
    return code
