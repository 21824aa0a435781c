"""The ledger of measured figures, and the markers through which prose and tables quote it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from coursekit import __version__
from coursekit.errors import CourseError
from coursekit.files import atomic_path, locked, package_repository

Record = dict[str, Any]
FIELDS = (
    "id", "value", "unit", "spread", "seeds", "dataset", "split", "preprocessing", "estimator",
    "command", "profile", "device", "date", "version", "note",
)  # fmt: skip
_DIGITS = {"nats": 2, "bits/dim": 3, "ratio": 2, "seconds": 2, "milliseconds": 1, "MSE on [0,1]": 4}
_PACKAGE = Path(__file__).parent


def ledger_path() -> Path:
    """The ledger: `data/results.json` of the checkout, else the copy inside the wheel."""
    root = package_repository()
    return root / "data" / "results.json" if root else _PACKAGE / "results.json"


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CourseError(
            f"{path} is missing; reinstall the course or check it out again."
        ) from error
    except ValueError as error:
        raise CourseError(f"{path} is not sound JSON ({error}); restore it from git.") from error


def records(path: Path | None = None) -> dict[str, Record]:
    """Read the ledger.

    Returns:
        Each record under its id; the fields are those of `FIELDS`.
    """
    return {record["id"]: record for record in _read(path or ledger_path())}


def references() -> dict[str, Record]:
    """The figures the course sets itself against, each under its id.

    A record has part, unit, direction, target, reference (either may be None) and what.
    """
    return {record["id"]: record for record in _read(_PACKAGE / "references.json")}


def record(new: Record, path: Path | None = None) -> None:
    """Write one record to the ledger in place of an older one with its id.

    Args:
        new: the fields of `FIELDS`; date and version are filled in, absent ones are null.
        path: the ledger, for tests.

    Raises:
        CourseError: for an unknown or missing field, or a null value without a note.
    """
    target = path or ledger_path()
    unknown = set(new) - set(FIELDS)
    if unknown or not {"id", "value", "unit", "command"} <= set(new):
        raise CourseError(
            f"A ledger record has the fields {', '.join(FIELDS)}; this one has {sorted(new)}."
        )
    value = None if new["value"] is None else float(new["value"])
    if value is not None and not math.isfinite(value):
        value = None  # JSON has no word for it
    if value is None and not new.get("note"):
        raise CourseError(f"The record {new['id']} has no finite value: its note must say why.")
    whole = dict.fromkeys(FIELDS) | {"date": date.today().isoformat(), "version": __version__} | new
    whole["value"] = value
    with locked(target), atomic_path(target) as temporary:
        have = records(target) if target.exists() else {}
        have[new["id"]] = whole
        text = json.dumps([have[key] for key in sorted(have)], indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", "utf-8")


def formatted(entry: Record, spread: bool = False) -> str:
    """A record's value as tables print it: nats with 2 decimals, bits/dim with 3 and so on.

    Example:
        >>> formatted({"value": 0.14514, "unit": "bits/dim", "spread": 0.0012}, spread=True)
        '0.145 ± 0.001'
    """
    if entry["value"] is None:
        return "not measured"
    digits = _DIGITS.get(entry["unit"], 3)
    text = f"{entry['value']:.{digits}f}"
    if spread and entry.get("spread") is not None:
        text += f" ± {entry['spread']:.{digits}f}"
    return text


def table(ids: Iterable[str]) -> str:
    """A markdown table of ledger records beside their references.

    Args:
        ids: which figures; one that was not measured is listed as such.

    Returns:
        Markdown, one row a figure with data, preprocessing, estimator and seeds.
    """
    have, known = records(), references()
    lines = [
        "| figure | ours | our target | reference | data | preprocessing | estimator | seeds |",
        "|" + " --- |" * 8,
    ]
    for key in ids:
        entry = have.get(key, {"value": None, "unit": ""})
        known_row = known.get(key, {})
        what = known_row.get("what") or entry.get("note") or key
        unit = known_row.get("unit") or entry["unit"]
        target, reference = known_row.get("target"), known_row.get("reference")
        cells = [
            f"{what} (`{key}`)",
            formatted(entry, spread=True) + (f" {unit}" if entry["value"] is not None else ""),
            "" if target is None else f"{target:g}",
            "" if reference is None else f"{reference:g}",
            *(str(entry.get(name) or "") for name in ("dataset", "preprocessing", "estimator")),
            str(len(entry["seeds"])) if entry.get("seeds") else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def part_ids(part: str) -> list[str]:
    """The ids of one part of the references, in their order.

    Raises:
        CourseError: for a part that does not exist.
    """
    found = [key for key, row in references().items() if row["part"] == part]
    if not found:
        parts = sorted({row["part"] for row in references().values()})
        raise CourseError(f"There is no part {part!r}; the parts are {', '.join(parts)}.")
    return found


# what stands between two markers holds no marker: one that is not closed would eat the text
_VALUE = re.compile(r"<!--r:(?P<id>[^>]+?)-->(?:(?!<!--|\n).)*<!--/r-->")
_TABLE = re.compile(r"<!--table:(?P<part>[^>]+?)-->(?:(?!<!--).)*<!--/table-->", re.DOTALL)


def fill_markers(text: str) -> str:
    """Write the ledger's values between the invisible markers of a markdown text.

    `<!--r:ID--><!--/r-->` holds one value; `<!--table:PART--><!--/table-->` a whole table.

    Args:
        text: markdown.

    Returns:
        The text with every marker filled; unchanged where it was up to date.

    Raises:
        CourseError: for a marker whose id is not in the ledger, or one without its other half.
    """
    have = records()
    left = re.search(r"<!--/?(r|table)\b.*?-->", _TABLE.sub("", _VALUE.sub("", text)))
    if left:
        raise CourseError(
            f"The marker {left[0]} lacks its other half; write "
            "<!--r:ID--><!--/r--> in one line, or <!--table:PART--><!--/table-->."
        )

    def value(match: re.Match[str]) -> str:
        key = match["id"]
        if key not in have:
            raise CourseError(f"A marker quotes {key!r}, which the ledger does not hold.")
        return f"<!--r:{key}-->{formatted(have[key])}<!--/r-->"

    def rows(match: re.Match[str]) -> str:
        body = table(part_ids(match["part"]))
        return f"<!--table:{match['part']}-->\n\n{body}\n\n<!--/table-->"

    return _TABLE.sub(rows, _VALUE.sub(value, text))
