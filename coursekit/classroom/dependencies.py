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
        found = _block(ast.parse(plain).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Names(frozenset(), frozenset())
    return Names(found.needs - _BUILTINS, found.binds)


def _block(statements: Iterable[ast.stmt]) -> Names:
    """Statements one after another: what one binds, those after it need not have from outside."""
    needs: set[str] = set()
    binds: set[str] = set()
    for statement in statements:
        found = _statement(statement)
        needs |= found.needs - binds
        binds |= found.binds
    return Names(frozenset(needs), frozenset(binds))


def _statement(statement: ast.stmt) -> Names:
    """One statement; a loop's variable and what a block binds are its own from there on."""
    match statement:
        case ast.For(target=target, iter=items) | ast.AsyncFor(target=target, iter=items):
            start: ast.stmt = ast.Assign([target], items, lineno=0)
            return _block([start, *statement.body, *statement.orelse])
        case ast.With() | ast.AsyncWith():
            opened = [
                ast.Assign([item.optional_vars], item.context_expr, lineno=0)
                if item.optional_vars
                else ast.Expr(item.context_expr)
                for item in statement.items
            ]
            return _block([*opened, *statement.body])
        case ast.If(test=test) | ast.While(test=test):
            ways = [_block(statement.body), _block(statement.orelse)]
            return _either(_simple(ast.Expr(test)), ways)
        case ast.Try():
            tried = _block([*statement.body, *statement.orelse])
            kinds = [ast.Expr(one.type) for one in statement.handlers if one.type]
            ways = [tried, *map(_handler, statement.handlers), _block(statement.finalbody)]
            return _either(_block(kinds), ways)
        case ast.AugAssign(target=ast.Name(id=name)):
            found = _simple(statement)
            return Names(found.needs | {name}, found.binds)
        case _:
            return _simple(statement)


def _handler(handler: ast.ExceptHandler) -> Names:
    found = _block(handler.body)
    return Names(found.needs - {handler.name or ""}, found.binds)


def _either(first: Names, ways: Sequence[Names]) -> Names:
    """What comes first, then one or another of some blocks: none hides what another one needs."""
    needs = frozenset().union(*(way.needs for way in ways)) - first.binds
    return Names(first.needs | needs, first.binds.union(*(way.binds for way in ways)))


def _simple(statement: ast.stmt) -> Names:
    source = ast.unparse(statement)
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
    # A function that calls itself is read only after it was bound; yet `x = f(x)` reads first, so
    # only definitions are taken out.
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
        The cell with fewer imports; what else it does stays, with the imports that needs. A cell
        with a star import stays as it was.

    Example:
        >>> print(trim_imports("import os\nfrom math import pi, tau as t", {"t"}))
        from math import tau as t
    """
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError):
        return source
    others = [one for one in statements if not isinstance(one, (ast.Import, ast.ImportFrom))]
    wanted = wanted | _block(others).needs
    kept: list[ast.stmt] = []
    for statement in statements:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            bound = _bound(statement)
            if STAR in bound:
                return source
            pairs = zip(statement.names, bound, strict=True)
            statement.names = [alias for alias, name in pairs if name in wanted]
            if not statement.names:
                continue
        kept.append(statement)
    return "\n".join(ast.unparse(statement) for statement in kept)


def _bound(statement: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.asname or alias.name.split(".")[0] for alias in statement.names]
