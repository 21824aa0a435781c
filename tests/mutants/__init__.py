"""Wrong answers that students write, a module for each notebook's exercises or for a part of them.

A module of this package holds `EXERCISES`, a list of `Exercise`; tests/test_checks.py finds it
there by itself. Each exercise needs a right answer written in at least two ways, and mutants:
wrong answers, each with a keyword that the check's message must contain.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Function = Callable[..., Any]


@dataclass(frozen=True)
class Answer:
    """What a student might hand in: functions by the names that they have in the notebook."""

    title: str
    functions: dict[str, Function]
    keyword: str = ""  # what the message must contain, for a wrong answer


@dataclass
class Exercise:
    """An exercise's check, with right and wrong answers to it.

    `check_only` names mutants that a check tells from a right answer and a probe need not, and
    says why.
    """

    id: str
    check: Function
    names: tuple[str, ...]
    rights: list[Answer] = field(default_factory=list)
    mutants: list[Answer] = field(default_factory=list)
    check_only: dict[str, str] = field(default_factory=dict)

    def right(self, title: str, *functions: Function) -> None:
        """Add a right answer: one function for each name."""
        self.rights.append(Answer(title, dict(zip(self.names, functions, strict=True))))

    def wrong(self, *rows: tuple[str, str, Function], name: str = "") -> None:
        """Add mutants: title, keyword and a wrong function for one name.

        The other names keep the first right answer's functions.
        """
        for title, keyword, function in rows:
            functions = {**self.rights[0].functions, (name or self.names[0]): function}
            self.mutants.append(Answer(title, functions, keyword))

    def run(self, answer: Answer) -> None:
        """Run the check on an answer."""
        self.check(*(answer.functions[name] for name in self.names))


def exercises() -> list[Exercise]:
    """All exercises of the modules in this package."""
    found: list[Exercise] = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        found += importlib.import_module(f"{__name__}.{module.name}").EXERCISES
    return found
