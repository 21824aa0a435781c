"""What comes out of running a cell, and how a probe's value is read: strictly, outside."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

MAX_VALUE = 4 << 20  # characters of a probe's value
MAX_PRINTED = 20_000  # characters kept of a text
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class CellResult:
    """What came of running one cell.

    Attributes:
        cell_id: which.
        status: "ok", "error", "timeout", "died" or "skipped".
        value: of a probe that is ok: a number, or nested lists of numbers (nan and inf are floats).
        message: plain text: why it is not ok; what a check printed. For an error the first line is
            "ENAME: EVALUE"; the traceback follows, but not for a probe.
        seconds: how long it took.
        forbidden: of a probe: the forbidden names that were called while it ran.
    """

    cell_id: str
    status: str
    value: Any = None
    message: str = ""
    seconds: float = 0.0
    forbidden: tuple[str, ...] = ()


def probe_seed(seed: int, probe: str) -> int:
    """A probe's own seed, the same for the reference and for every submission of a run.

    Args:
        seed: the run's.
        probe: the probe's id.

    Returns:
        A number below 2**32, which every library takes as a seed.

    Example:
        >>> probe_seed(1, "a") == probe_seed(1, "a") != probe_seed(1, "b")
        True
    """
    return int.from_bytes(hashlib.sha256(f"{seed}:{probe}".encode()).digest()[:4], "big")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= 18 else float(digits)


def _only_numbers(value: Any, depth: int = 0) -> bool:
    if isinstance(value, list):
        return depth < 20 and all(_only_numbers(item, depth + 1) for item in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def numbers(text: Any) -> Any:
    """Read a probe's value from the text that a kernel sent.

    Args:
        text: JSON: a number or nested lists of numbers; NaN, Infinity and -Infinity are numbers.

    Returns:
        The value, of plain floats, ints and lists.

    Raises:
        ValueError: it is anything else.

    Example:
        >>> numbers("[1, [2.5, NaN]]")
        [1, [2.5, nan]]
    """
    if not isinstance(text, str) or len(text) > MAX_VALUE:
        raise ValueError("the result is not made of numbers")
    try:
        value = json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        raise ValueError("the result is not made of numbers") from None
    if not _only_numbers(value):
        raise ValueError("the result is not made of numbers")
    return value


def clean(text: Any, limit: int = MAX_PRINTED) -> str:
    r"""Make text from a kernel fit for a report: no escape sequences, no control characters.

    Example:
        >>> clean("\x1b[31mred\x1b[0m\r\n\x00end")
        'red\nend'
    """
    if not isinstance(text, str):
        return ""
    if len(text) > 4 * limit:
        text = text[: 4 * limit]
    text = _CONTROL.sub("", _ESCAPES.sub("", text))
    return text if len(text) <= limit else text[: limit - 4] + " ..."
