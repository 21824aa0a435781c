"""Stands in the kernel between a notebook and the library's functions that an answer may not call.

This file is copied into the library that a kernel sees, as `coursekit_gate`; it imports nothing of
the package. In that library the body of each such function is a call of `call` (see `gates`). What
is forbidden now is read each time from a file that only the grader, outside, can write.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from types import CellType, CodeType, FunctionType
from typing import Any


class Forbidden(RuntimeError):
    """An answer called a function that does the exercise for it."""


def _open_gate() -> tuple[Callable[..., Any], ...]:
    """Make the gate's functions; they share their state here, where no name leads to it."""
    # Taken now: what a notebook does to `os` later changes nothing here.
    open_file, read, close, read_only = os.open, os.read, os.close, os.O_RDONLY
    originals: dict[str, tuple[list[str], str]] = {}  # name -> (what forbids it, source)
    built: dict[str, CodeType] = {}
    others: dict[str, Callable[..., Any]] = {}
    used: list[str] = []
    control: list[bytes] = []

    def check(names: Sequence[str]) -> None:
        """Refuse if one of the names is forbidden now."""
        if not control:
            return
        handle = open_file(control[0], read_only)
        try:
            forbidden = read(handle, 1 << 20).decode().split()
        finally:
            close(handle)
        for name in names:
            if name in forbidden:
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
        """Run a function of the library, unless it is forbidden now.

        Args:
            name: which; the key under which `gates` keeps its source.
            names: the globals of its module.
            positional: its arguments.
            keyword: its arguments that go by name.
            owner: its class, if it says `super()`.
        """
        if name not in originals:
            raise Forbidden(f"{name} is not to be had here")
        rules, source = originals[name]
        check(rules)
        if name not in built:
            built[name] = _function_code(source, name)
        cells = (CellType(owner),) if built[name].co_freevars else None
        return FunctionType(built[name], names, None, None, cells)(*positional, **keyword)

    def pass_on(name: str, positional: Sequence[Any], keyword: Mapping[str, Any]) -> Any:
        """Run a function of another package, unless it is forbidden now."""
        check([name])
        return others[name](*positional, **keyword)

    def load(sources: str, list_file: str) -> None:
        """Take over the functions, once, before any of a notebook's code runs.

        Args:
            sources: file that `gates.furnish` wrote.
            list_file: where to read what is forbidden.
        """
        if control:
            return
        with open(sources, encoding="utf-8") as file:
            known = json.load(file)
        originals.update(known["originals"])
        for name in known["others"]:
            _guard(name, others)
        control.append(os.fsencode(list_file))

    def noted() -> list[str]:
        """Tell which forbidden names were called since this was last asked."""
        names = list(used)
        used.clear()
        return names

    return call, pass_on, load, noted


def _function_code(source: str, name: str) -> CodeType:
    """Find the code of the one function, called `_original`, that stands somewhere in `source`."""
    waiting = [compile(source, f"<library: {name}>", "exec", dont_inherit=True)]
    while waiting:
        code = waiting.pop()
        if code.co_name == "_original":
            return code
        waiting += [item for item in code.co_consts if isinstance(item, CodeType)]
    raise Forbidden(f"{name} is not to be had here")


def _guard(name: str, others: dict[str, Callable[..., Any]]) -> None:
    """Put the gate in front of a function of another package, so that all who hold it meet it."""
    parts = name.split(".")
    owner: Any = None
    for length in range(len(parts) - 1, 0, -1):
        try:
            owner = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:-1]:
            owner = getattr(owner, part, None)
        break
    function = getattr(owner, parts[-1], None)
    if isinstance(function, type):  # others test for the class, so it stays, but cannot be made
        owner, function, parts = function, vars(function).get("__init__"), [*parts, "__init__"]
    if function is None:
        return
    made: dict[str, Any] = {}
    text = f"__import__('coursekit_gate').pass_on({name!r}, args, kwargs)"
    exec(f"def gate(*args, **kwargs):\n    return {text}", made)
    if isinstance(function, FunctionType) and not function.__code__.co_freevars:
        real = FunctionType(function.__code__, function.__globals__, None, function.__defaults__)
        real.__kwdefaults__ = function.__kwdefaults__
        function.__code__, others[name] = made["gate"].__code__, real
        return
    try:
        setattr(owner, parts[-1], made["gate"])
    except (AttributeError, TypeError):
        return
    others[name] = function


call, pass_on, load, noted = _open_gate()
