"""The ledger: whole records, written atomically, quoted without surprises."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from coursekit import ledger
from coursekit.errors import CourseError
from coursekit.files import package_repository
from coursekit.ledger import FIELDS, fill_markers, formatted, record, records, references, table
from coursekit.recipes import RECIPES

ROW: dict[str, Any] = {"id": "a/b", "value": 88.123, "unit": "nats", "command": "make it"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger that is not the course's own."""
    path = tmp_path / "results.json"
    path.write_text("[]")
    monkeypatch.setattr(ledger, "ledger_path", lambda: path)
    return path


def test_record_fills_in_and_sorts(place: Path) -> None:
    record(ROW | {"id": "b"})
    record(ROW | {"id": "a", "seeds": [0, 1]})
    found = records()
    assert list(found) == ["a", "b"]
    assert all(tuple(row) == FIELDS for row in found.values())
    assert found["a"]["seeds"] == [0, 1] and found["b"]["seeds"] is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["a"]["date"])
    assert found["a"]["version"].count(".") == 2


def test_record_replaces_the_older_one_whole(place: Path) -> None:
    record(ROW | {"spread": 0.3})
    record(ROW | {"id": "other"})
    record(ROW | {"value": 2.0})
    assert len(records()) == 2
    assert records()["a/b"]["value"] == 2
    assert records()["a/b"]["spread"] is None, "a spread of another run does not belong to it"


def test_record_begins_a_ledger_and_leaves_arguments_alone(tmp_path: Path) -> None:
    row = dict(ROW)
    record(row, tmp_path / "new" / "results.json")
    assert row == ROW
    assert list(records(tmp_path / "new" / "results.json")) == ["a/b"]


@pytest.mark.parametrize("row", [ROW | {"valeu": 1}, {k: v for k, v in ROW.items() if k != "unit"},
                                 {k: v for k, v in ROW.items() if k != "command"}, {}])  # fmt: skip
def test_unknown_and_missing_fields_are_refused(place: Path, row: dict[str, Any]) -> None:
    record(ROW)
    kept = place.read_text()
    with pytest.raises(CourseError, match="fields"):
        record(row)
    assert place.read_text() == kept


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_no_value_needs_a_note(place: Path, value: float | None) -> None:
    with pytest.raises(CourseError, match="note"):
        record(ROW | {"value": value})
    with pytest.raises(CourseError, match="note"):
        record(ROW | {"value": value, "note": ""})
    record(ROW | {"value": value, "note": "no GPU at hand"})
    assert records()["a/b"]["value"] is None
    assert formatted(records()["a/b"]) == "not measured"
    json.loads(place.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_a_write_that_fails_leaves_the_ledger(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(ROW)
    kept = place.read_text()

    def half(self: Path, text: str, *_args: Any) -> None:
        self.write_bytes(text.encode()[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="No space"):
        record(ROW | {"id": "c"})
    assert place.read_text() == kept
    assert [path.name for path in place.parent.iterdir()] == ["results.json"]


@pytest.mark.parametrize(("content", "word"), [("[{", "JSON"), (None, "missing")])
def test_a_broken_ledger_gets_one_sentence(place: Path, content: str | None, word: str) -> None:
    place.unlink() if content is None else place.write_text(content)
    with pytest.raises(CourseError, match=word):
        records()


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(88.126, "nats", "88.13"), (0.14514, "bits/dim", "0.145"), (0.2, "ratio", "0.20"),
     (3.14159, "unheard of", "3.142"), (None, "nats", "not measured")],
)  # fmt: skip
def test_formatted(value: float | None, unit: str, text: str) -> None:
    assert formatted({"value": value, "unit": unit, "spread": None}, spread=True) == text


# --- markers -----------------------------------------------------------------------------------


def test_markers_are_filled_and_filling_again_changes_nothing(place: Path) -> None:
    record(ROW)
    record(ROW | {"id": "c", "value": 0.5, "unit": "bits/dim"})
    text = "a <!--r:a/b--><!--/r--> b <!--r:c-->9.99<!--/r--> nats, <!--r:a/b-->1<!--/r-->.\n"
    once = fill_markers(text)
    assert once == (
        "a <!--r:a/b-->88.12<!--/r--> b <!--r:c-->0.500<!--/r--> nats, "
        "<!--r:a/b-->88.12<!--/r-->.\n"
    )
    assert fill_markers(once) == once
    assert fill_markers("no marker < here --> at all") == "no marker < here --> at all"


def test_a_table_is_filled_and_filling_again_changes_nothing(place: Path) -> None:
    part = next(iter(references().values()))["part"]
    text = f"before\n<!--table:{part}-->\nold | row\n\n<!--/table-->\nafter <!-- a comment -->"
    once = fill_markers(text)
    assert "old | row" not in once
    assert once.startswith("before\n") and once.endswith("\nafter <!-- a comment -->")
    assert once.count("| not measured |") == len(ledger.part_ids(part))
    assert fill_markers(once) == once


def test_unknown_ids_and_parts_are_refused(place: Path) -> None:
    with pytest.raises(CourseError, match="'a/b'"):
        fill_markers("<!--r:a/b--><!--/r-->")
    with pytest.raises(CourseError, match="no part 'x'"):
        fill_markers("<!--table:x--><!--/table-->")


@pytest.mark.parametrize(
    "text",
    [
        "<!--r:a/b-->1 and prose, then <!--r:a/b-->2<!--/r--> more",
        "<!--r:a/b-->1 and prose",
        "1<!--/r-->",
        "<!--r:a/b-->1\n<!--/r-->",
        "<!--table:newcomer-->\nprose\n<!--table:newcomer-->\nrows\n<!--/table-->",
    ],
)
def test_a_marker_without_its_other_half_never_eats_prose(place: Path, text: str) -> None:
    record(ROW)
    with pytest.raises(CourseError, match="other half"):
        fill_markers(text)


def test_table_says_what_was_measured(place: Path) -> None:
    key = next(iter(references()))
    unit = references()[key]["unit"]
    record(ROW | {"id": key, "value": 0.5, "unit": unit, "seeds": [0, 1, 2], "spread": 0.25,
                  "dataset": "MNIST", "estimator": "IWAE-5"})  # fmt: skip
    record(ROW | {"id": "mine", "note": "a figure of my own"})
    rows = table([key, "mine", "unheard"]).splitlines()
    assert len(rows) == 5
    assert {row.count("|") for row in rows} == {9}
    assert "±" in rows[2] and "MNIST" in rows[2] and rows[2].rstrip(" |").endswith("3")
    assert "88.12 nats" in rows[3] and "a figure of my own" in rows[3]
    assert "not measured" in rows[4]


# --- the course's own ledger -------------------------------------------------------------------


def own() -> list[dict[str, Any]]:
    return list(records().values())


@pytest.mark.parametrize("row", own(), ids=lambda row: row["id"])
def test_own_records_are_whole(row: dict[str, Any]) -> None:
    assert tuple(row) == FIELDS
    assert row["value"] is not None or row["note"]
    assert row["value"] is None or math.isfinite(row["value"])
    for name in ("unit", "dataset", "estimator", "command", "profile", "device", "date", "version"):
        assert row[name], f"{row['id']} does not say its {name}"
    known = references().get(row["id"])
    assert known is None or known["unit"] == row["unit"]
    assert row["seeds"] is None or row["spread"] is None or len(row["seeds"]) > 1


@pytest.mark.parametrize("row", own(), ids=lambda row: row["id"])
def test_own_commands_exist(row: dict[str, Any]) -> None:
    words = row["command"].split()
    root = package_repository()
    assert root is not None
    assert words[0] == "python"
    if words[1:3] == ["-m", "coursekit"]:
        assert words[3] == "train" and words[4] in RECIPES
        assert row["id"] in [figure.id(words[4]) for figure in RECIPES[words[4]].figures]
    else:
        assert (root / words[1]).is_file()


def test_ids_are_unique_and_the_file_is_plain_json() -> None:
    path = ledger.ledger_path()
    rows = json.loads(path.read_text("utf-8"), parse_constant=lambda w: pytest.fail(w))
    ids = [row["id"] for row in rows]
    assert ids == sorted(set(ids))
    keys = [row["id"] for row in json.loads((ledger._PACKAGE / "references.json").read_text())]
    assert len(keys) == len(set(keys))
    for row in references().values():
        assert set(row) == {"id", "part", "unit", "direction", "target", "reference", "what"}


def test_the_best_likelihood_is_the_best_of_the_rows() -> None:
    rows = records()
    table = {
        key: row["value"]
        for key, row in rows.items()
        if key.startswith("likelihood-") and key.endswith("/test_bpd") and "-digits/" not in key
    }
    best = table.pop("likelihood-best/test_bpd")
    assert len(table) == 9
    assert best == pytest.approx(min(table.values()), abs=1e-6)
