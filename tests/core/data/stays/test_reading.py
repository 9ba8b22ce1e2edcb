"""Stays are read from files as they are, cleaned, and laid on a grid."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.data.stays.clean import check
from core.data.stays.coding import choose_variables, fit_coding
from core.data.stays.grid import grid
from core.data.stays.outcomes import numbers, outcome_files, read_outcomes
from core.data.stays.read import chosen, read_stays
from core.data.stays.series import Stays
from core.errors import DatasetError
from tests.core.stays import HEAD, make_stays, write_stay

LONG = [("7", 0.5, "HR", 80.0), ("7", 1.5, "HR", 90.0), ("8", 0.25, "HR", 70.0), ("8", 3.0, "Lactate", 2.0)]


def codes(stays: Stays) -> set[str]:
    return {finding.code for finding in stays.findings}


def test_folders_archives_and_tables_give_the_same_stays(tmp_path: Path) -> None:
    make_stays(tmp_path / "folder", 6)
    files = sorted((tmp_path / "folder" / "set-a").iterdir())
    with tarfile.open(tmp_path / "set-a.tar.gz", "w:gz") as archive:
        for file in files:
            archive.add(file, f"set-a/{file.name}")
    with zipfile.ZipFile(tmp_path / "set-a.zip", "w") as zipped:
        for file in files:
            zipped.write(file, f"set-a/{file.name}")
    rows = []
    for file in files:
        for line in file.read_text().splitlines()[1:]:
            time, name, value = line.split(",")
            hours, minutes = time.split(":")
            rows.append((file.stem, int(hours) + int(minutes) / 60, name, float(value)))
    frame = pd.DataFrame(rows, columns=["stay_id", "hours", "variable", "value"]).sample(frac=1, random_state=0)
    frame.to_csv(tmp_path / "long.csv", index=False)
    frame.to_parquet(tmp_path / "long.parquet")
    wide = frame.pivot_table(index=["stay_id", "hours"], columns="variable", values="value").reset_index()
    wide.to_csv(tmp_path / "wide.csv", index=False)
    names = ["folder", "set-a.tar.gz", "set-a.zip", "long.csv", "long.parquet", "wide.csv"]
    whole = [read_stays(tmp_path / name) for name in names]
    assert all(stays.ids == [file.stem for file in files] for stays in whole)
    marks = [np.sort(stays.fingerprints()) for stays in whole]
    assert all((mark == marks[0]).all() for mark in marks) and len(set(marks[0].tolist())) == 6


def test_long_names_of_stays_are_kept_whole(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("RecordID;charttime;itemid;valuenum\n10000000123456789;0;HR;80\n")
    assert read_stays(tmp_path / "long.csv").ids == ["10000000123456789"]


def test_times_are_clocks_hours_minutes_or_dates(tmp_path: Path) -> None:
    for name, cells in {
        "time": ["00:30", "25:15"], "hours": ["0.5", "25.25"], "minutes": ["30", "1515"],
        "charttime": ["2020-02-28T23:30:00", "2020-03-01T00:15:00"],
    }.items():  # fmt: skip
        (tmp_path / "one.csv").write_text(f"{name},variable,value\n{cells[0]},HR,80\n{cells[1]},HR,81\n")
        hours = read_stays(tmp_path / "one.csv").hours
        assert hours[1] - hours[0] == pytest.approx(24.75), name
        (tmp_path / "gap.csv").write_text(f"{name},variable,value\n{cells[0]},HR,80\n,HR,81\n")
        assert len(read_stays(tmp_path / "gap.csv").hours) == 1, name


def test_quirks_of_the_files_are_survived_and_told(tmp_path: Path) -> None:
    odd = [
        ("00:00", "RecordID", 1), ("00:00", "Height", -1), ("03:00", "HR", 80), ("01:00", "HR", 70), ("02:00", "", 3),
        ("-1:30", "HR", 60), ("04:00", "Temp", -17.8), ("05:00", "Temp", 98.6), ("06:00", "pH", 735),
        ("07:00", "HR", "high"), ("whenever", "HR", 90), ("08:00", "Creatinine", 176.8), ("09:00", "DiasABP", -1),
    ]  # fmt: skip
    write_stay(tmp_path / "set" / "1.txt", odd)
    write_stay(tmp_path / "set" / "2.txt", [("00:00", "Age", 50)])
    write_stay(tmp_path / "set" / "3.txt", [("00:00", "Age", 50), ("01:00", "HR", 75)])
    (tmp_path / "set" / "4.txt").write_text(HEAD + "00:00,HR,80,too,many\n")
    (tmp_path / "set" / "5.txt").write_text(HEAD.replace("\n", "\r\n") + "00:00,HR,80\r\n")
    stays = read_stays(tmp_path)
    assert stays.ids == ["1", "2", "3", "5"]
    assert "" not in stays.variables
    first = stays.take(np.array([0]))
    at = {name: first.value[first.variable == n].tolist() for n, name in enumerate(first.variables)}
    assert at["HR"] == [70, 80] and at["Temp"] == pytest.approx([37.0]) and at["pH"] == pytest.approx([7.35])
    assert at["Creatinine"] == pytest.approx([2.0]) and at["Height"] == at["DiasABP"] == at["RecordID"] == []
    assert codes(stays) == {
        "no-variable", "no-time", "no-number", "other-units", "implausible", "negative-time", "broken-files",
        "out-of-order",
    }  # fmt: skip
    told = {finding.code: finding.message for finding in check(stays, ["HR", "Temp"])}
    assert told["no-measurements"] == "1 stay has no measurement: 2."
    assert told["one-measurement"] == "2 stays have a single measurement: 3, 5."


def test_a_weight_is_no_measurement_and_the_order_is_looked_at_within_a_variable(tmp_path: Path) -> None:
    write_stay(tmp_path / "1.txt", [("00:00", "Weight", 80), ("00:00", "Age", 50)])
    stays = read_stays(tmp_path / "1.txt")
    assert [finding.code for finding in check(stays, ["HR", "Weight"])] == ["no-measurements"]
    rows = [("01:00", "HR", 80), ("03:00", "HR", 81), ("00:30", "Temp", 37), ("02:00", "Temp", 37)]
    assert not codes(read_stays(write_stay(tmp_path / "2.txt", rows)))  # one variable after the other
    turned = read_stays(write_stay(tmp_path / "3.txt", [*rows, ("02:00", "HR", 90)]))
    assert codes(turned) == {"out-of-order"} and turned.take(np.array([0])).hours.tolist() == [0.5, 1, 2, 2, 3]


def test_a_stay_over_several_files_is_one(tmp_path: Path) -> None:
    for n, part in enumerate((LONG[:1], LONG[1:])):
        pd.DataFrame(part, columns=["stay", "hours", "variable", "value"]).to_csv(tmp_path / f"{n}.csv", index=False)
    stays = read_stays(tmp_path)
    assert stays.ids == ["7", "8"] and stays.counts().tolist() == [2, 2]


def test_files_that_are_no_stays_are_refused(tmp_path: Path) -> None:
    bad = {"a.csv": b"", "b.csv": b"stay,variable,value\n1,HR,80\n", "c.parquet": b"PAR1", "d.tar.gz": b"\x1f\x8b",
           "e.zip": b"PK", "f.csv": b"time,word\n0,yes\n", "g.doc": b"hello"}  # fmt: skip
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetError, match=name.replace(".", r"\.")):
            read_stays(tmp_path / name)
    with pytest.raises(DatasetError, match="no such file"):
        read_stays(tmp_path / "absent")


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.stays.files.MOST_BYTES", 10_000)
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("1.txt")
        info.size = 20_000
        archive.addfile(info, io.BytesIO(b"0" * 20_000))
    with pytest.raises(DatasetError, match="unpacks to more"):
        read_stays(tmp_path / "bomb.tar.gz")


def test_parts_are_chosen_by_the_names_of_archives_and_folders(tmp_path: Path) -> None:
    make_stays(tmp_path, 3)
    stays = read_stays(make_stays(tmp_path, 2, part="set-b", first=5000))
    assert len(chosen(stays, ["set-b*"])) == 2 and len(chosen(stays, [])) == 5
    with pytest.raises(DatasetError, match=r"There are: set-a, set-b"):
        chosen(stays, ["set-c"])
    alone = chosen(stays, ["set-b"])
    assert len(chosen(alone, ["set-a"])) == 2  # a single part is taken whatever it is called
    assert "parts" in codes(chosen(alone, ["set-a"]))


def test_outcomes_lie_beside_the_stays(tmp_path: Path) -> None:
    make_stays(tmp_path, 4)
    make_stays(tmp_path, 2, part="set-b", first=5000)
    outcomes = read_outcomes(outcome_files(tmp_path))
    found = numbers(outcomes.of(["1000", "5001", "9999"], "Length_of_stay"))
    assert np.isfinite(found).tolist() == [True, True, False]
    (tmp_path / "outcomes-again.csv").write_text("stay,died\n1000,1\n1000,0\n")
    with pytest.raises(DatasetError, match="two different rows"):
        read_outcomes([tmp_path / "outcomes-again.csv"])
    (tmp_path / "labels.csv").write_text("name,died\n1000,1\n")
    with pytest.raises(DatasetError, match="no column names the stays"):
        read_outcomes([tmp_path / "labels.csv"])


def long_table(path: Path, rows: list[tuple[str, float, str, float]]) -> Stays:
    pd.DataFrame(rows, columns=["stay", "hours", "variable", "value"]).to_csv(path / "long.csv", index=False)
    return read_stays(path / "long.csv")


def test_an_archive_that_unpacks_to_far_too_much_is_refused_unread(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("1.txt", b"0" * (70 * 2**20))
    with pytest.raises(DatasetError, match="unpacks to more than can be read"):
        read_stays(tmp_path / "bomb.zip")


def test_a_time_that_no_stay_can_have_is_left_out_and_told(tmp_path: Path) -> None:
    write_stay(tmp_path / "1.txt", [("1e30", "HR", 80), ("99999999:00", "HR", 80), ("01:00", "HR", 81)])
    stays = read_stays(tmp_path / "1.txt")
    assert stays.value.tolist() == [81] and "2 measurements have no readable time" in stays.findings[0].message
    coding = fit_coding(stays, ["HR"], [], step_hours=1, max_hours=4, clip=5)
    assert grid(coding, stays).lengths.tolist() == [2]


def test_a_cell_of_the_grid_is_the_mean_of_its_measurements(tmp_path: Path) -> None:
    stays = long_table(tmp_path, [*LONG, ("7", 1.9, "HR", 100.0), ("7", 48.0, "HR", 60.0), ("7", 50.0, "HR", 61.0)])
    coding = fit_coding(stays, ["HR", "Lactate"], [], step_hours=1, max_hours=48, clip=1000)
    found = grid(coding, stays)
    heart = coding.variables[0]
    own = heart.decode(found.values[0, :, 0])
    assert found.observed[0, :, 0].nonzero()[0].tolist() == [0, 1, 47] and found.lengths.tolist() == [48, 4]
    assert own[[0, 1, 47]].tolist() == pytest.approx([80, 95, 60], abs=1e-3)  # the end belongs to the last hour
    assert (found.values[~found.observed] == 0).all()


def test_the_grid_is_the_same_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stays = read_stays(make_stays(tmp_path, 12))
    coding = fit_coding(stays, ["HR", "Temp"], [], step_hours=2, max_hours=24, clip=5)
    whole = grid(coding, stays)
    monkeypatch.setattr("core.data.stays.grid.CHUNK_CELLS", 50)
    pieces = grid(coding, stays)
    assert (whole.values == pieces.values).all() and (whole.observed == pieces.observed).all()


def test_scaling_is_not_moved_by_outliers_and_undone_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [("1", float(n), "x", float(v)) for n, v in enumerate(rng.normal(50, 5, 500))]
    rows += [("1", 600.0 + n, "x", 1e6) for n in range(5)]
    rows += [("1", float(n), "skewed", float(v)) for n, v in enumerate(rng.lognormal(1, 1, 500))]
    coding = fit_coding(long_table(tmp_path, rows), ["x", "skewed"], [], step_hours=1, max_hours=48, clip=5)
    x, skewed = coding.variables
    assert x.center == pytest.approx(50, abs=1) and x.scale == pytest.approx(5, abs=0.6) and not x.log
    assert skewed.log and skewed.decode(skewed.code(np.array([7.5]), 5)) == pytest.approx([7.5])
    assert x.code(np.array([1e6]), 5).tolist() == [5]


def test_variables_are_those_that_most_stays_have_and_never_outcomes(tmp_path: Path) -> None:
    rows = [(str(s), 1.0, name, 1.0) for s in range(9) for name, least in (("a", 0), ("b", 3), ("c", 6)) if s >= least]
    rows += [(str(s), 0.0, name, 1.0) for s in range(9) for name in ("Age", "In-hospital_death", "Length_of_stay")]
    stays = long_table(tmp_path, rows)
    assert choose_variables(stays, [], 2, []) == ["a", "b"] and choose_variables(stays, [], 35, ["b"]) == ["a", "c"]
    with pytest.raises(DatasetError, match=r"no variable d"):
        choose_variables(stays, ["d"], 35, [])


def test_facts_are_coded_with_whether_they_are_known(tmp_path: Path) -> None:
    stays = read_stays(make_stays(tmp_path, 8))
    coding = fit_coding(stays, ["HR"], [], step_hours=1, max_hours=24, clip=5)
    assert [static.name for static in coding.statics] == ["Age", "Gender", "ICUType", "Weight"]  # no height is known
    assert coding.static_width == 2 + 2 + 4 + 2
    coded = grid(coding, stays).statics
    assert (coded[:, 4:8].sum(axis=1) == 1).all() and (coded[:, 1] == 1).all()


def test_what_was_read_once_is_read_again_quickly_and_never_stale(tmp_path: Path) -> None:
    make_stays(tmp_path, 210)
    first, again = read_stays(tmp_path), read_stays(tmp_path)
    assert (first.value == again.value).all() and first.ids == again.ids and first.findings == again.findings
    write_stay(tmp_path / "set-a" / "1000.txt", [("01:00", "HR", 99)])
    assert read_stays(tmp_path).counts()[0] == 1


def test_taking_and_cutting_keep_events_with_their_stay(tmp_path: Path) -> None:
    stays = long_table(tmp_path, LONG)
    turned = stays.take(np.array([1, 0]))
    assert turned.ids == ["8", "7"] and turned.value.tolist() == [70, 2, 80, 90]
    assert stays.until(1.0).value.tolist() == [80, 70]


def test_the_real_files_give_every_stay(data_folder: Path) -> None:
    folder = data_folder / "physionet2012"
    if not folder.is_dir():
        pytest.skip("no PhysioNet 2012")
    stays = read_stays(folder / "set-a_train.tar.gz")
    variables = choose_variables(stays, [], 35, [])
    assert len(stays) == 3200 and len(variables) == 35 and not {"Cholesterol", "TroponinI"} & set(variables)
    empty = next(finding for finding in check(stays, variables) if finding.code == "no-measurements")
    assert "140501, 140936, 141264" in empty.message
    died = numbers(read_outcomes(outcome_files(folder / "set-a_train.tar.gz")).of(stays.ids, "In-hospital_death"))
    assert died.sum() == 436 and np.isfinite(died).all()
