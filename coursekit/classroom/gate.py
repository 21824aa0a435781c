"""Stands in the kernel between a notebook and the library's functions that an answer may not call.

This file is copied into the library that a kernel sees, as `coursekit_gate`; it imports nothing of
the package. In that library the body of each such function is a call of `call` (see `gates`). What
is forbidden now is read each time from a file that only the grader, outside, can write.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from types import CellType, CodeType, FunctionType
from typing import Any


class Forbidden(RuntimeError):
    """An answer called a library function that does the exercise for it."""


def _open_gate() -> tuple[Callable[..., Any], ...]:
    """The gate's functions share their state here, and nowhere a name leads to it."""
    # Taken now: what a notebook does to `os` later changes nothing here.
    open_file, read, close, read_only = os.open, os.read, os.close, os.O_RDONLY
    originals: dict[str, tuple[str, str]] = {}  # name -> (what is forbidden by it, source)
    built: dict[str, CodeType] = {}
    used: list[str] = []
    list_file = [b""]

    def forbidden() -> list[str]:
        if not list_file[0]:
            return []
        handle = open_file(list_file[0], read_only)
        try:
            return read(handle, 1 << 20).decode().split()
        finally:
            close(handle)

    def refuse(name: str) -> None:
        if name not in used:
            used.append(name)
        raise Forbidden(f"{name} does this exercise for you: write this one yourself")

    def call(
        name: str,
        names: dict[str, Any],
        positional: Sequence[Any],
        keyword: Mapping[str, Any],
        owner: type | None = None,
    ) -> Any:
        """Run the library's function, unless it is forbidden now.

        Args:
            name: which; the key under which `gates` keeps its source.
            names: the globals of its module.
            positional: its arguments.
            keyword: its arguments that go by name.
            owner: its class, if it says `super()`.
        """
        if name not in originals:
            raise Forbidden(f"{name} is not to be had here")
        rule, source = originals[name]
        if rule in forbidden():
            refuse(rule)
        if name not in built:
            built[name] = _function_code(source, name)
        cells = (CellType(owner),) if built[name].co_freevars else None
        return FunctionType(built[name], names, None, None, cells)(*positional, **keyword)

    def load(sources: str, control: str) -> None:
        """Take over the functions' sources, once, before anything else runs."""
        if not list_file[0]:
            with open(sources, encoding="utf-8") as file:
                originals.update({key: (rule, text) for key, (rule, text) in json.load(file).items()})
            list_file[0] = os.fsencode(control)

    def noted() -> list[str]:
        """Which forbidden names were called since this was last asked."""
        names = list(used)
        used.clear()
        return names

    return call, refuse, forbidden, load, noted


def _function_code(source: str, name: str) -> CodeType:
    """The code of the one function, called `_original`, that stands somewhere in `source`."""
    waiting = [compile(source, f"<library: {name}>", "exec", dont_inherit=True)]
    while waiting:
        code = waiting.pop()
        if code.co_name == "_original":
            return code
        waiting += [item for item in code.co_consts if isinstance(item, CodeType)]
    raise Forbidden(f"{name} is not to be had here")


call, refuse, forbidden, load, noted = _open_gate()
