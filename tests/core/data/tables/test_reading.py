"""Tables are read from every format and encoding alike, and what is no table is refused in words."""

from __future__ import annotations

import gzip

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.control import JobControl
from core.data.tables.read import MOST_LEVELS, read_table
from core.errors import Cancelled, DatasetError

CELLS = [("age", "sex", "seen", "größe"), ("61.5", "f", "2011-03-04", "1,75"), ("", "m", "2012-01-30", "1,80"),
         ("70", "", "", ""), ("44", "f", "2012-02-01", "1,62")]  # fmt: skip


def as_text(sign=";", rows=CELLS):
    return "\r\n".join(sign.join(row) for row in rows) + "\r\n"


def check(table):
    assert table.names == ["age", "sex", "seen", "größe"]
    assert [column.kind for column in table.columns.values()] == ["number", "category", "date", "number"]
    np.testing.assert_allclose(table["age"].values, [61.5, np.nan, 70, 44])
    assert table["sex"].strings() == ["f", "m", None, "f"]
    np.testing.assert_allclose(table["größe"].values, [1.75, 1.80, np.nan, 1.62])
    assert table["seen"].values[0] == 15037 and np.isnan(table["seen"].values[2])  # days since 1970


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_text_is_read_in_its_encoding_and_cut_at_its_sign(tmp_path, encoding, sign):
    path = tmp_path / "table.csv"
    path.write_bytes(as_text(sign).encode(encoding))
    check(read_table(path))


def test_a_compressed_text_a_workbook_and_parquet_hold_the_same(tmp_path):
    with gzip.open(tmp_path / "table.csv.gz", "wb") as file:
        file.write(as_text().encode())
    check(read_table(tmp_path / "table.csv.gz"))
    book = openpyxl.Workbook()
    for row in CELLS:
        book.active.append([cell or None for cell in row])
    book.save(tmp_path / "table.xlsx")
    check(read_table(tmp_path / "table.xlsx"))
    columns = {name: [row[i] or None for row in CELLS[1:]] for i, name in enumerate(CELLS[0])}
    columns["age"] = pa.array([61.5, None, 70, 44])
    columns["größe"] = pa.array([1.75, 1.80, None, 1.62])
    pq.write_table(pa.table(columns), tmp_path / "table.parquet")
    check(read_table(tmp_path / "table.parquet"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"), (b"age,sex\n", "a header and no rows"), (b"age,age\n1,2\n", "more than one column"),
        (b"\x00\x01\x02\x00" * 50, "no text file"), (b"a,b\n1,2\n1,2,3,4\n", "not readable as a table"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_in_words(tmp_path, content, told):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=told):
        read_table(path)


@pytest.mark.parametrize("name", ["table.xlsx", "table.parquet", "table.csv.gz"])
def test_a_damaged_file_is_refused_in_words(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK\x03\x04 no such thing")
    with pytest.raises(DatasetError):
        read_table(tmp_path / name)


def test_cells_that_are_no_numbers_are_counted_also_across_pieces(tmp_path):
    cells = [str(i / 2) for i in range(1000)]
    cells[3], cells[900] = "haemolysed", "lost"
    path = tmp_path / "table.csv"
    path.write_text("value\n" + "\n".join(cells) + "\n")
    column = read_table(path)["value"]
    assert column.kind == "number" and column.unread == 2 and np.isnan(column.values[[3, 900]]).all()


def test_ten_thousand_words_are_a_category_and_more_than_can_be_learned_are_text(tmp_path):
    for rows, kind in ((10_000, "category"), (MOST_LEVELS + 1, "text")):
        path = tmp_path / f"{rows}.csv"
        path.write_text("word\n" + "\n".join(f"w{i}" for i in range(rows)) + "\n")
        assert read_table(path)["word"].kind == kind


def test_long_record_numbers_keep_all_their_digits(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("record\n1234567891\n1234567892\n")
    assert read_table(path)["record"].values.tolist() == [1234567891, 1234567892]


def test_reading_is_cancelled(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a\n1\n")
    control = JobControl()
    control.cancel()
    with pytest.raises(Cancelled):
        read_table(path, control)
