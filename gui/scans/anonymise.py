"""Exporting the scan in front without patient data: a dialog that says what goes and what stays, then a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QFileDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from core.control import JobControl
from gui.context import AppContext
from gui.widgets import button, label, notice

if TYPE_CHECKING:
    from core.export.anonymise import Anonymised
    from core.imaging.volume import Volume

FOLDER_KEY = "scans/anonymised_folder"
WIDTH = 520
NAME = "without patient data"
GOES = (
    "Names, numbers, dates, places, descriptions and private elements are removed or replaced, as the basic "
    "confidentiality profile of DICOM (PS3.15) says; all UIDs are renamed."
)
STAYS = "The pixels stay as they are: a head scan still shows the face."
LOOKED = "I have looked at every image, and none shows a name"


class AnonymiseDialog(QDialog):
    """Where to write; and, where the pictures themselves may name the patient, whether someone has looked."""

    export_requested = Signal(object, bool)  # Path of the new folder; whether the pictures were looked at

    def __init__(self, folder: Path, doubt: str = "", parent: QWidget | None = None) -> None:
        """`doubt`: why the pictures have to be looked at first; empty where they have not."""
        super().__init__(parent)
        self.setObjectName("anonymise-dialog")
        self.setWindowTitle("Export without patient data")
        self.folder = QLineEdit(str(folder))
        self.folder.setObjectName("anonymise-folder")
        self.folder.setAccessibleName("New folder for the export")
        self.folder.textChanged.connect(self._refresh)
        choose = button("Choose…", "anonymise-choose", self._choose, tip="Choose where the new folder is made")
        self.looked = QCheckBox(LOOKED)
        self.looked.setObjectName("anonymise-looked")
        self.looked.setAccessibleName(LOOKED)
        self.looked.setVisible(bool(doubt))
        self.looked.toggled.connect(self._refresh)
        self.export = button("Export", "anonymise-export", self._export, role="primary")
        place = QHBoxLayout()
        place.setSpacing(8)
        place.addWidget(self.folder, 1)
        place.addWidget(choose)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(button("Cancel", "anonymise-cancel", self.reject))
        buttons.addWidget(self.export)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addWidget(label(GOES, wrap=True))
        column.addWidget(label(STAYS, wrap=True))
        if doubt:
            column.addWidget(notice(doubt, "warn"))
        column.addWidget(self.looked)
        where = QVBoxLayout()
        where.setSpacing(4)
        where.addWidget(label("New folder", "dim"))
        where.addLayout(place)
        column.addLayout(where)
        column.addSpacing(8)
        column.addLayout(buttons)
        self.resize(WIDTH, column.heightForWidth(WIDTH))
        self._refresh()

    def _refresh(self) -> None:
        self.export.setEnabled(bool(self.folder.text().strip()) and (self.looked.isHidden() or self.looked.isChecked()))

    def _choose(self) -> None:
        above = QFileDialog.getExistingDirectory(self, "Make the new folder in", str(Path(self.folder.text()).parent))
        if above:
            self.folder.setText(str(free_folder(Path(above))))

    def _export(self) -> None:
        self.export_requested.emit(Path(self.folder.text().strip()).expanduser().absolute(), self.looked.isChecked())
        self.accept()


def export_without_patient_data(context: AppContext, volume: Volume | None, parent: QWidget) -> AnonymiseDialog | None:
    """Ask where, then write the series of a scan without patient data, as a job."""
    if volume is None or not volume.source.format.startswith("DICOM"):
        what = "Open a DICOM series first" if volume is None else "This scan is no DICOM series"
        context.notice.emit("info", f"{what}: NIfTI and other volumes that Isocenter writes hold no patient data.")
        return None
    last = context.settings.value(FOLDER_KEY, "")
    source = volume.source.path
    above = Path(last) if last and Path(last).is_dir() else (source if source.is_dir() else source.parent).parent
    return _ask(context, volume, free_folder(above), "", parent)


def _ask(context: AppContext, volume: Volume, folder: Path, doubt: str, parent: QWidget) -> AnonymiseDialog:
    dialog = AnonymiseDialog(folder, doubt, parent)
    dialog.export_requested.connect(lambda out, looked: _start(context, volume, out, looked, parent))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog


def _start(context: AppContext, volume: Volume, out: Path, looked: bool, parent: QWidget) -> None:
    context.settings.setValue(FOLDER_KEY, str(out.parent))

    def work(control: JobControl) -> Anonymised:
        from core.export.anonymise import anonymise

        source = volume.source
        return anonymise(source.path, out, series=source.series, burned_in_checked=looked, control=control)

    def done(made: Anonymised) -> None:
        count = "1 image" if made.images == 1 else f"{made.images} images"
        told = f"Exported {count} without patient data to {made.folder}."
        if made.failed:
            told += f" {len(made.failed)} damaged and left out, such as {made.failed[0][0].name}."
        context.notice.emit("warn" if made.failed else "ok", told)

    def failed(error: Exception) -> None:
        from core.export.anonymise import BurnedInText

        if isinstance(error, BurnedInText):
            _ask(context, volume, out, f"{error.what[:1].upper()}{error.what[1:]}.", parent)
        else:
            context.tell(error)

    context.jobs.run("Export without patient data", work, done=done, failed=failed)


def free_folder(above: Path) -> Path:
    """A folder's name that is not there yet."""
    names = [above / NAME, *(above / f"{NAME} {n}" for n in range(2, 1000))]
    return next((path for path in names if not path.exists()), names[0])
