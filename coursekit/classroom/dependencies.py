"""Which cells of a notebook others need: names bound here, names read there.

A grading run leaves out what no answer and no probe needs, so that a submission takes seconds.
Nothing is executed; where the analysis is unsure, it takes a cell for needed.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

STAR = "*"
MAX_LENGTH = 20_000
_MAGIC = re.compile(r"^([ \t]*)(?:[%!?].*|[^\n#'\"]*\?[ \t]*)$", re.M)
_ASSIGNED = re.compile(r"^([ \t]*\w+ *= *)[%!].*$", re.M)
_WORD = re.compile(r"\b[^\W\d]\w*\b")
_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class Names:
    """What a piece of code reads from outside of itself, and what it binds at the top level."""

    needs: frozenset[str]
    binds: frozenset[str]


def names_of(source: str) -> Names:
    r"""Analyse a code cell.

    Args:
        source: its source; lines with IPython magic are passed over.

    Returns:
        The names. `*` is bound by a star import. Code that is not Python cannot run, so
        it needs and binds nothing; code too long to look at needs every word in it.

    Example:
        >>> found = names_of("import math\ndef area(r):\n    return math.pi * square(r)")
        >>> sorted(found.needs), sorted(found.binds)
        (['square'], ['area', 'math'])
    """
    if len(source) > MAX_LENGTH:
        return Names(frozenset(_WORD.findall(source)), frozenset())
    try:
        plain = _ASSIGNED.sub(r"\1None", _MAGIC.sub(r"\1pass", source))
        statements = ast.parse(plain).body
        parts = [_statement(ast.unparse(statement)) for statement in statements]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Names(frozenset(), frozenset())
    bound: set[str] = set()
    needs: set[str] = set()
    for part in parts:
        needs |= part.needs - bound
        bound |= part.binds
    return Names(frozenset(needs - _BUILTINS), frozenset(bound))


def _statement(source: str) -> Names:
    table = symtable.symtable(source, "cell", "exec")
    needs: set[str] = set()
    binds: set[str] = set()
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            binds.add(symbol.get_name())
        if symbol.is_referenced():
            needs.add(symbol.get_name())
    for inner in _inside(table):
        for symbol in inner.get_symbols():
            if symbol.is_global():
                (binds if symbol.is_assigned() else needs).add(symbol.get_name())
    # A function that calls itself, or a loop variable, is read only after it was bound; yet
    # `x = f(x)` reads first, so only definitions are taken out.
    if source.startswith(("def ", "class ", "async def ", "@")):
        needs -= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_namespace()}
    return Names(frozenset(needs), frozenset(binds | ({STAR} if _is_star(source) else set())))


def _inside(table: symtable.SymbolTable) -> Iterable[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _inside(child)


def _is_star(source: str) -> bool:
    return source.startswith("from ") and source.endswith("import *")


def needed(cells: Sequence[tuple[Names, bool]]) -> set[int]:
    """Choose the cells that a run cannot do without.

    Args:
        cells: for each cell, in order, its names and whether it must run in any case.

    Returns:
        The places of the cells to run: those that must, and, again and again, those that bind
        a name which a chosen cell after them needs (or before them, where nothing else does).

    Example:
        >>> a, b, c = names_of("x = 1"), names_of("y = 2"), names_of("print(x)")
        >>> sorted(needed([(a, False), (b, False), (c, True)]))
        [0, 2]
    """
    chosen = {place for place, (_, must) in enumerate(cells) if must}
    waiting = sorted(chosen)
    binders: dict[str, list[int]] = {}
    for place, (names, _) in enumerate(cells):
        for name in names.binds:
            binders.setdefault(name, []).append(place)
    waiting += [place for place in binders.get(STAR, []) if place not in chosen]
    chosen.update(binders.get(STAR, []))
    while waiting:
        place = waiting.pop()
        for name in cells[place][0].needs:
            found = binders.get(name, [])
            for other in [one for one in found if one < place] or found:
                if other not in chosen:
                    chosen.add(other)
                    waiting.append(other)
    return chosen


def trim_imports(source: str, wanted: Set[str]) -> str:
    r"""Take out of a cell of imports what nobody needs: they are most of a kernel's start.

    Args:
        source: a cell of the course.
        wanted: the names that the other cells of a run need.

    Returns:
        The cell with fewer imports; as it was where it does anything else.

    Example:
        >>> print(trim_imports("import os\nfrom math import pi, tau as t", {"t"}))
        from math import tau as t
    """
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError):
        return source
    kept: list[ast.stmt] = []
    for statement in statements:
        if not isinstance(statement, (ast.Import, ast.ImportFrom)) or STAR in _bound(statement):
            return source
        pairs = zip(statement.names, _bound(statement), strict=True)
        names = [alias for alias, name in pairs if name in wanted]
        if names:
            statement.names = names
            kept.append(statement)
    return "\n".join(ast.unparse(statement) for statement in kept)


def _bound(statement: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.asname or alias.name.split(".")[0] for alias in statement.names]
