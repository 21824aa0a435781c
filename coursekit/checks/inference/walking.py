"""One picture's ELBOs walked down row by row, by the rule of `keep-best` and its wrong forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """How one picture's values are walked through; the defaults are the right rule.

    Args:
        better: whether a value replaces the best one so far.
        done: whether the walk ends, from the rows since the best one and the patience.
        first: the first row that is a candidate.
        against_last: whether a value is compared with the one before, not with the best.
    """

    better: Callable[[float, float], bool] = lambda value, best: value > best
    done: Callable[[int, int], bool] = lambda since, patience: since >= patience
    first: int = 0
    against_last: bool = False


def walk(values: list[float], patience: int, rule: Rule) -> tuple[int, int]:
    """Walk down one column; return the rows of its best value and of its stop."""
    best = since_row = min(rule.first, len(values) - 1)
    for row in range(best, len(values)):
        if rule.against_last:
            if row > 0 and rule.better(values[row], values[row - 1]):
                since_row = row
        elif row > best and rule.better(values[row], values[best]):
            since_row = row
        if row > best and rule.better(values[row], values[best]):
            best = row
        if rule.done(row - since_row, patience):
            return best, row
    return best, len(values) - 1
