"""Reading a table from CSV, TSV, Excel or Parquet, with the kind of each column guessed.

Text files are read in pieces and numbers kept as float32, so that a large table needs little more memory than it holds.
"""

from __future__ import annotations

import csv
import gzip
import io
import weakref
import zlib
from collections import Counter
from pathlib import Path
from typing import IO, Any

import numpy as np

from core.control import JobControl
from core.data.tables.table import Column, Kind, Table, column_of, dates
from core.errors import DatasetError

Array = np.ndarray[Any, Any]

SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".xlsx", ".parquet")
EMPTY = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A", "missing", "Missing", "?", ".")
MOST_COLUMNS = 20_000
MOST_BYTES = 16 * 1024**3
MOST_EXCEL_BYTES = 200 * 2**20
MOST_UNPACKED_BYTES = 2 * 1024**3
# Cells parsed at once: pandas holds Python's lock meanwhile, and with it a window beside it, for some 40 ms.
PIECE_CELLS = 200_000
SAMPLE_ROWS = 2_000
# A column with at most this many different words is a category; with more, and mostly different ones, it is text.
MOST_LEVELS = 20_000


def is_table(path: Path) -> bool:
    """Whether a file's name is that of a table."""
    return path.name.lower().endswith(SUFFIXES)


# Tables that someone still holds, by file as it was: the window looks at a table, checks it and predicts from it.
_held: weakref.WeakValueDictionary[tuple[str, int, int, bool], Table] = weakref.WeakValueDictionary()


def read_table(path: Path, control: JobControl | None = None, *, as_text: bool = False) -> Table:
    """Read a whole table; one that is still held anywhere and whose file did not change is not read again.

    as_text: all columns as they are written, for one who wants to say what is no number; takes far more memory.
    Raises DatasetError for what is no table, or one that is damaged, empty or too large.
    """
    path = Path(path)
    try:
        found = path.stat()
    except OSError as error:
        raise DatasetError(f"the table cannot be read ({error.strerror or error})", where=path) from error
    key = (str(path.absolute()), found.st_mtime_ns, found.st_size, as_text)
    table = _held.get(key)
    if table is None:
        table = _held[key] = _read(path, found.st_size, control or JobControl(), as_text)
    return table


def _read(path: Path, size: int, control: JobControl, as_text: bool) -> Table:
    name = path.name.lower()
    try:
        if size == 0:
            raise DatasetError("the file is empty", where=path, mend="Export the table again.")
        if size > (MOST_EXCEL_BYTES if name.endswith(".xlsx") else MOST_BYTES):
            raise DatasetError("the file is too large to be read as a table", where=path, mend="Split it, or use CSV.")
        if name.endswith(".parquet"):
            return _from_parquet(path, as_text)
        if name.endswith(".xlsx"):
            return _from_excel(path, control, as_text)
        return _from_text(path, control, as_text)
    except (UnicodeDecodeError, EOFError, zlib.error) as error:
        what = "this is no text file" if isinstance(error, UnicodeDecodeError) else "the archive ends too early"
        raise DatasetError(what, where=path, mend="Export the table as CSV, Excel or Parquet.") from None
    except OSError as error:
        raise DatasetError(f"the table cannot be read ({error.strerror or error})", where=path) from error


# ---- text ---------------------------------------------------------------------------------------------------------


def _from_text(path: Path, control: JobControl, as_text: bool) -> Table:
    import pandas as pd

    encoding = _encoding(path)
    with _opened(path, encoding) as stream:
        head = stream.read(1 << 20)
    if "\0" in head:
        raise DatasetError("this is no text file", where=path, mend="Export the table as CSV, Excel or Parquet.")
    delimiter = _delimiter(head)
    names = _header(head, delimiter, path)
    kinds: list[Kind] = []
    pieces: list[list[Any]] = [[] for _ in names]
    rows = 0
    try:
        with _opened(path, encoding) as stream:
            for frame in pd.read_csv(
                stream, sep=delimiter, header=0, names=range(len(names)), dtype=str, keep_default_na=False,
                na_values=list(EMPTY), chunksize=max(PIECE_CELLS // len(names), 500), skipinitialspace=True,
                on_bad_lines="error", index_col=False,
            ):  # fmt: skip
                control.progress(None, f"Reading {path.name}: {rows:,} rows")
                if not kinds:
                    cells = ([_cell(c) for c in frame[i].iloc[:SAMPLE_ROWS]] for i in range(len(names)))
                    kinds = ["text" if as_text else _kind(column) for column in cells]
                for i, kind in enumerate(kinds):
                    pieces[i].append(_piece(frame[i], kind))
                rows += len(frame)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, csv.Error, EOFError) as error:
        what = str(error).strip().splitlines()[0].removeprefix("Error tokenizing data. C error: ")
        raise DatasetError(f"not readable as a table ({what})", where=path, mend="Export the table again.") from None
    if rows == 0:
        raise DatasetError("the table has a header and no rows", where=path)
    columns: dict[str, Column] = {}
    for i, name in enumerate(names):
        columns[name] = _joined(name, kinds[i], pieces[i])
        pieces[i].clear()
    return Table(columns)


def _opened(path: Path, encoding: str) -> IO[str]:
    if path.name.lower().endswith(".gz"):
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def _encoding(path: Path) -> str:
    """UTF-8 where the beginning is that, else the encoding of older Windows programs."""
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as file:
        head: bytes = file.read(1 << 20)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        head[: len(head) - 4].decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _delimiter(head: str) -> str:
    """The sign that cuts the first lines into the most columns, as many in each."""
    lines = [line for line in head.splitlines()[:20] if line.strip()]
    best, most = ",", 0
    for sign in (",", ";", "\t", "|"):
        counts = Counter(len(next(csv.reader([line], delimiter=sign))) for line in lines)
        width, same = counts.most_common(1)[0] if counts else (1, 0)
        if width > 1 and same * width > most:
            best, most = sign, same * width
    return best


def _header(head: str, delimiter: str, path: Path) -> list[str]:
    first = next(csv.reader(io.StringIO(head), delimiter=delimiter), [])
    return _names(first, path)


def _names(cells: list[Any], path: Path) -> list[str]:
    """The names of a header. Raises DatasetError where two columns have the same or there are too many."""
    names = [str(cell).strip() if cell is not None else "" for cell in cells]
    names = [name or f"column {i + 1}" for i, name in enumerate(names)]
    if len(names) > MOST_COLUMNS:
        raise DatasetError(f"the table has {len(names):,} columns, more than {MOST_COLUMNS:,}", where=path)
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DatasetError(
            f"more than one column is called {', '.join(twice[:5])}{' and so on' if len(twice) > 5 else ''}",
            where=path,
            mend="Give each column a name of its own.",
        )
    return names


def _cell(cell: Any) -> str | None:
    return cell.strip() if isinstance(cell, str) else None


def _kind(cells: list[str | None]) -> Kind:
    """What the cells of a sample most likely are.

    >>> _kind(["61", None, "7.5"]), _kind(["f", "m", "f", "f"]), _kind(["2011-03-04", "2012-01-30"])
    ('number', 'category', 'date')
    """
    filled = [cell for cell in cells if cell is not None]
    if not filled:
        return "number"
    numbers = sum(_is_number(cell) for cell in filled)
    if numbers >= 0.95 * len(filled):
        return "number"
    dated = all(len(cell) >= 8 and cell[:4].isdigit() and cell[4] in "-/" for cell in filled)
    if dated and not np.isnan(dates(filled)).any():
        return "date"
    different = len(set(filled))
    if len(filled) >= 50 and different > 0.9 * len(filled) and sum(map(len, filled)) > 30 * len(filled):
        return "text"
    return "category"


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _piece(series: Any, kind: Kind) -> Any:
    """One piece of a column, as compact as its kind allows: cells, or numbers and how many cells were none."""
    import pandas as pd

    if kind == "number":
        numbers = pd.to_numeric(series, errors="coerce")
        odd = numbers.isna() & series.notna()
        if odd.any():
            numbers[odd] = pd.to_numeric(series[odd].str.replace(",", "."), errors="coerce")
        return compact(numbers.to_numpy(np.float64, na_value=np.nan)), int((numbers.isna() & series.notna()).sum())
    cells = [_cell(cell) for cell in series]
    if kind != "date":
        return cells
    days = dates(cells)
    return days, int(np.isnan(days).sum() - cells.count(None))


def compact(numbers: Array) -> Array:
    """Numbers as float32, but for whole numbers that it cannot hold, such as long record numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        small = numbers.astype(np.float32)
        lost = (numbers == np.rint(numbers)) & (small != numbers)
    return numbers if lost.any() else small


def _joined(name: str, kind: Kind, pieces: list[Any]) -> Column:
    if kind in ("number", "date"):
        values, unread = zip(*pieces, strict=True)
        return Column(name, kind, np.concatenate(values), unread=sum(unread))
    return _of_words(name, [cell for piece in pieces for cell in piece], kind)


def _of_words(name: str, cells: list[str | None], kind: Kind) -> Column:
    """A column of written cells; one of too many different words for a category is text."""
    if kind == "category" and len(set(cells)) > MOST_LEVELS:
        kind = "text"
    return column_of(name, cells, kind)


# ---- Excel and Parquet --------------------------------------------------------------------------------------------


def _from_excel(path: Path, control: JobControl, as_text: bool) -> Table:
    """The first sheet of a workbook; formulas as the values that were last computed."""
    import zipfile

    import openpyxl

    from core.archives import opened_zip

    try:
        with opened_zip(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_UNPACKED_BYTES:
                raise DatasetError("the workbook is too large when unpacked", where=path, mend="Save it as CSV.")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = book.worksheets[0].iter_rows(values_only=True)
        header = next(rows, None)
        if header is None:
            raise DatasetError("the first sheet is empty", where=path)
        names = _names(list(header), path)
        cells: list[list[str | None]] = [[] for _ in names]
        for number, row in enumerate(rows):
            if number % 500 == 0:
                control.progress(None, f"Reading {path.name}: {number:,} rows")
            if all(cell is None for cell in row):
                continue
            for i, column in enumerate(cells):
                column.append(_written(row[i] if i < len(row) else None))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, IndexError) as error:
        raise DatasetError(
            f"not readable as an Excel workbook ({type(error).__name__})", where=path, mend="Save it again, or as CSV."
        ) from None
    if not cells[0]:
        raise DatasetError("the table has a header and no rows", where=path)
    kinds: list[Kind] = ["text" if as_text else _kind(column[:SAMPLE_ROWS]) for column in cells]
    return Table({name: _of_words(name, cells[i], kinds[i]) for i, name in enumerate(names)})


def _written(value: Any) -> str | None:
    if value is None:
        return None
    text = value.isoformat() if hasattr(value, "isoformat") else str(value).strip()
    return None if text in EMPTY else text


def _from_parquet(path: Path, as_text: bool) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = _names(list(file.schema_arrow.names), path)
        if file.metadata.num_rows == 0:
            raise DatasetError("the table has no rows", where=path)
        columns = {}
        for name, field in zip(names, file.schema_arrow, strict=True):
            column = file.read([field.name]).column(0)
            columns[name] = _cells(name, column) if as_text else _from_arrow(name, column)
    except pa.ArrowException as error:
        what = str(error).splitlines()[0][:200]
        raise DatasetError(f"not readable as Parquet ({what})", where=path, mend="Export the table again.") from None
    return Table(columns)


def _cells(name: str, column: Any) -> Column:
    return column_of(name, [_written(value) for value in column.to_pylist()], "text")


def _from_arrow(name: str, column: Any) -> Column:
    import pyarrow as pa

    kind = column.type
    if (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        return Column(name, "number", compact(column.cast(pa.float64()).to_numpy(zero_copy_only=False)))
    if pa.types.is_temporal(kind):
        stamps = column.cast(pa.timestamp("us")).to_pandas()
        return Column(name, "date", dates([None if s is None or s != s else s.isoformat() for s in stamps]))
    cells = [_written(value) for value in column.to_pylist()]
    return _of_words(name, cells, _kind(cells[:SAMPLE_ROWS]))
