"""Registering the scan in front: a dialog that asks to what and how, a job, and the result as a scan of its own.

The result is drawn over what it was registered to, so that the fit can be judged. It lies in the home folder as long
as it is open; closing it undoes all of it, and saving writes it with its transform where the user says.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QDialog, QFileDialog, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from core.control import JobControl
from gui.context import AppContext
from gui.scans.registered import Registered, new_folder
from gui.widgets import button, label

if TYPE_CHECKING:
    from core.imaging.registration.register import Kind
    from core.imaging.volume import Volume
    from gui.scans.page import ScansPage
    from gui.viewer.scene import OpenedScan

FOLDER_KEY = "scans/registered_folder"
FILTER = "NIfTI (*.nii.gz *.nii);;NRRD (*.nrrd);;MetaImage (*.mha)"
TEMPLATE = "Template (ICBM 152, MNI space)"
KINDS: dict[Kind, str] = {"affine": "Affine: turn, shift, size and shear", "rigid": "Rigid: turn and shift only"}
WIDTH = 480


class RegisterDialog(QDialog):
    """To what the scan is registered, and how freely it may move."""

    register_requested = Signal(object, str)  # Volume, or None for the template; "rigid" or "affine"

    def __init__(self, moving: Volume, others: list[Volume], *, to_template: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("register-dialog")
        self.setWindowTitle(f"Register {moving.title}")
        self._targets: list[Volume | None] = [None, *others]
        self.target = QComboBox()
        self.target.setObjectName("register-target")
        self.target.setAccessibleName("Register to")
        self.target.addItems([TEMPLATE, *(volume.title for volume in others)])
        self.target.setCurrentIndex(0 if to_template else 1)
        self.kind = QComboBox()
        self.kind.setObjectName("register-kind")
        self.kind.setAccessibleName("How freely the scan may move")
        self.kind.addItems(list(KINDS.values()))
        self.target.currentIndexChanged.connect(self._propose_kind)
        self._propose_kind()
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.addRow(label("Register to", "dim"), self.target)
        form.addRow(label("Movement", "dim"), self.kind)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(button("Cancel", "register-cancel", self.reject))
        self.start = button("Register", "register-start", self._start, role="primary")
        buttons.addWidget(self.start)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        words = (
            "The scan is turned and moved until it lies on the other one, and opens as a new scan over it. "
            "The original stays as it is. A fit that is not good is refused."
        )
        column.addWidget(label(words, wrap=True))
        column.addLayout(form)
        column.addSpacing(8)
        column.addLayout(buttons)
        self.resize(WIDTH, column.heightForWidth(WIDTH))

    def _propose_kind(self) -> None:
        """People differ in size from the template; two scans of one person do not."""
        self.kind.setCurrentIndex(0 if self.target.currentIndex() == 0 else 1)

    def _start(self) -> None:
        self.register_requested.emit(self._targets[self.target.currentIndex()], list(KINDS)[self.kind.currentIndex()])
        self.accept()


def ask(context: AppContext, page: ScansPage, *, to_template: bool) -> RegisterDialog | None:
    """Ask how the scan in front is to be registered, then do it."""
    moving = page.volume
    others = [scan.opened.volume for scan in page.open_scans if scan is not page.front_scan]
    if moving is None or (not to_template and not others):
        what = "Open a scan first" if moving is None else "Open the other scan too"
        context.notice.emit("info", f"{what}: then the one in front can be registered to it.")
        return None
    dialog = RegisterDialog(moving, others, to_template=to_template, parent=page.window())
    dialog.register_requested.connect(lambda fixed, kind: start(context, page, moving, fixed, kind))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog


def start(context: AppContext, page: ScansPage, moving: Volume, fixed: Volume | None, kind: Kind) -> None:
    """Register as a job; the result opens in front."""

    def work(control: JobControl) -> tuple[OpenedScan, Registered]:
        return registered(moving, fixed, kind, control)

    def done(result: tuple[OpenedScan, Registered]) -> None:
        opened, made = result
        page.add_scan(opened, registered=made)

    context.jobs.run(f"Registering {moving.title}", work, done=done)


def registered(moving: Volume, fixed: Volume | None, kind: Kind, control: JobControl) -> tuple[OpenedScan, Registered]:
    """The scan on the other's grid, written under the home folder, over the scan that it was registered to."""
    from core.imaging.reader import read
    from core.imaging.registration import apply
    from core.imaging.registration.register import register
    from core.imaging.registration.target import template_target
    from gui.viewer.scene import OpenedScan

    found = register(moving, fixed, kind, control.part(0.0, 0.85))
    laid = apply.resampled(moving, found, fixed, control.part(0.85, 0.95))
    control.progress(0.95, "Writing the registered scan")
    folder = new_folder()
    try:
        name = f"{moving.name} on {'template' if fixed is None else fixed.name}.nii"
        apply.save(folder / name, laid, found, moving.name, control.silent())
        volume = read(folder / name, control.silent())
        control.check()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    source = replace(volume.source, modality=moving.source.modality, units=moving.source.units)
    volume = replace(volume, source=source).with_findings(*found.findings)
    under = template_target().volume if fixed is None else fixed
    return OpenedScan.prepare(volume, under), Registered(found, moving.name, folder)


def save_front(context: AppContext, page: ScansPage) -> None:
    """Write the registered scan in front, with its transform, where the user says."""
    scan = page.front_scan
    made = scan.registered if scan is not None else None
    if scan is None or made is None:
        context.notice.emit("info", "Register a scan first: then the result can be saved with its transform.")
        return
    volume, last = scan.opened.volume, str(context.settings.value(FOLDER_KEY, ""))
    above = Path(last) if last and Path(last).is_dir() else Path.home()
    name, _ = QFileDialog.getSaveFileName(
        page, "Save the registered scan", str(above / f"{volume.name}.nii.gz"), FILTER
    )
    if not name:
        return
    path = Path(name if name.lower().endswith((".nii", ".nii.gz", ".nrrd", ".mha")) else f"{name}.nii.gz")
    context.settings.setValue(FOLDER_KEY, str(path.parent))

    def work(control: JobControl) -> Path:
        from core.imaging.registration import apply

        control.progress(None, f"Writing {path.name}")
        return apply.save(path, volume, made.found, made.moving_name, control)[0]

    def done(transform: Path) -> None:
        context.notice.emit("ok", f"Saved {path}, and its transform as {transform.name}.")

    context.jobs.run("Save the registered scan", work, done=done)
