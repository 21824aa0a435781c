"""The task that a grading run gives to another process or machine: run one submission."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from coursekit.classroom.cells import parse
from coursekit.classroom.rebuilding import rebuild
from coursekit.classroom.submissions import Unreadable, read
from coursekit.errors import CourseError

if TYPE_CHECKING:
    from coursekit.classroom.limits import Limits

MAX_NUMBERS = 100_000


def grade_one(
    release_json: str, name: str, submission: bytes, seed: int, limits: Limits, sandboxed: bool
) -> dict[str, Any]:
    """Run one submission; this is what goes to a worker process or a cluster.

    Args:
        release_json: the release's notebook, lean.
        name: the release's name.
        submission: the bytes that were handed in.
        seed: the seed of this grading run.
        limits: time and memory.
        sandboxed: whether the kernel must be shut in.

    Returns:
        Plain data: `probes`, `exercises`, `checks` (by id) and `extras` with the results of their
        cells; `answers`, `code`, `notes`, `seconds`. Or `unreadable` alone, with the reason; or
        `failed` alone, where the grader itself could not do its work.

    Raises:
        Unprotected: this machine cannot shut a kernel in.
    """
    from coursekit.classroom.sandbox import Unprotected

    try:
        return _grade_one(release_json, name, submission, seed, limits, sandboxed)
    except Unprotected:
        raise
    except Unreadable as error:
        return {"unreadable": str(error)}
    except CourseError as error:
        return {"failed": str(error)}
    except Exception as error:  # one submission must never end the run of the others
        return {"failed": f"{type(error).__name__}: {error}"[:500]}


def _grade_one(
    release_json: str, name: str, submission: bytes, seed: int, limits: Limits, sandboxed: bool
) -> dict[str, Any]:
    from coursekit.classroom.runner import run

    release = parse(json.loads(release_json), name)
    rebuilt = rebuild(release, read(submission))
    start = time.monotonic()
    results = run(rebuilt.notebook, seed, limits, sandboxed)
    found: dict[str, Any] = {"probes": {}, "exercises": {}, "checks": {}, "extras": []}
    for cell, result in zip(rebuilt.notebook["cells"], results, strict=True):
        facts = cell["metadata"]["coursekit"]
        plain = asdict(result) | {"value": bounded(result.value)}
        if facts["role"] == "probe":
            found["probes"][facts["probe"]["id"]] = plain
        elif facts["role"] in ("exercise", "check"):
            found[facts["role"] + "s"][facts["exercise"]] = plain
        elif facts["role"] == "extra":
            found["extras"].append(plain)
    return found | {
        "answers": rebuilt.answers,
        "code": rebuilt.code,
        "notes": rebuilt.notes,
        "seconds": time.monotonic() - start,
    }


def bounded(value: Any) -> Any:
    """Keep a result that is small and plain; anything else becomes None.

    Args:
        value: what a probe gave, as the runner read it.

    Returns:
        Nested lists of at most 100,000 finite or infinite floats, or None.

    Example:
        >>> bounded([1, [2.5]]), bounded(["1"]), bounded([10**400])
        ([1.0, [2.5]], None, None)
    """
    count = 0

    def plain(part: Any, depth: int) -> Any:
        nonlocal count
        count += 1
        if count > MAX_NUMBERS or depth > 20:
            raise ValueError
        if type(part) is list:
            return [plain(one, depth + 1) for one in part]
        if type(part) not in (int, float):
            raise ValueError
        return float(part)

    try:
        return plain(value, 0)
    except (ValueError, OverflowError):
        return None
