"""The kernel that runs a submission. This file is started inside the sandbox, as a script.

It is IPython's own kernel, but for one thing: a probe is run by plain `exec` and `eval`, in a copy
of the notebook's names, so that no input transformer, hook, event or display formatter of the
notebook takes part, and its value leaves as JSON text in the reply. Nothing is decided here: the
text is parsed and compared outside.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

PROBE = "# coursekit: this is a probe"
MAX_NUMBERS = 100_000
MAX_DEPTH = 16


def plain(value: Any, depth: int = 0, budget: list[int] | None = None) -> Any:
    """Turn a probe's result into lists of plain numbers.

    Args:
        value: a number, or nested lists or tuples of numbers.
        depth: how deep inside the result this is.
        budget: how many numbers may still come.

    Raises:
        TypeError: there is something else in it.

    Example:
        >>> plain([(1, 2.5), True])
        [[1, 2.5], 1]
    """
    budget = [MAX_NUMBERS] if budget is None else budget
    budget[0] -= 1
    if depth > MAX_DEPTH or budget[0] < 0:
        raise TypeError("the result is too large, or nested too deeply")
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1, budget) for item in value]
    raise TypeError(f"the result is not made of numbers: it holds a {type(value).__name__}")


def run_probe(source: str, names: dict[str, Any]) -> str:
    """Run a probe.

    Args:
        source: its code; the last line is an expression.
        names: the notebook's; the probe works in a copy.

    Returns:
        The expression's value as JSON (with NaN and Infinity, as Python writes them).

    Example:
        >>> run_probe("y = x + 1\\n[y, x]", {"x": 1})
        '[2, 1]'
    """
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body else None
    if not isinstance(last, ast.Expr):
        raise TypeError("the probe does not end with an expression")
    names = dict(names)
    exec(compile(tree, "<probe>", "exec"), names)
    return json.dumps(plain(eval(compile(ast.Expression(last.value), "<probe>", "eval"), names)))


class Patches:
    """Functions of other packages than the library, refused for as long as a probe runs."""

    def __init__(self, gate: Any) -> None:
        self.gate = gate
        self.undo: list[Callable[[], None]] = []

    def _patch(self, name: str) -> None:
        parts = name.split(".")
        length = next((n for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in sys.modules), 0)
        if not 0 < length < len(parts):
            return
        owner: Any = sys.modules[".".join(parts[:length])]
        for part in parts[length:-1]:
            owner = getattr(owner, part, None)
        function = getattr(owner, parts[-1], None)
        if function is None:
            return
        text = f"def refused(*args, **kwargs):\n    __import__('coursekit_gate').refuse({name!r})"
        made: dict[str, Any] = {}
        exec(text, made)
        if isinstance(function, FunctionType) and not function.__code__.co_freevars:
            # Whoever kept the function under another name has this object too.
            code = function.__code__
            function.__code__ = made["refused"].__code__
            self.undo.append(lambda: setattr(function, "__code__", code))
        else:
            try:
                setattr(owner, parts[-1], made["refused"])
            except (AttributeError, TypeError):
                return
            self.undo.append(lambda: setattr(owner, parts[-1], function))

    def __enter__(self) -> None:
        for name in self.gate.forbidden():
            if not name.startswith("coursekit."):
                self._patch(name)

    def __exit__(self, *_: object) -> None:
        for undo in reversed(self.undo):
            undo()


def _words(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except BaseException:
        return ""


def kernel_class(gate: Any) -> type:
    """Make IPython's kernel with probes.

    Args:
        gate: the module `coursekit_gate`.
    """
    from ipykernel.ipkernel import IPythonKernel

    # Bound here, before any code of a notebook runs.
    probe, patches, words, noted = run_probe, Patches, _words, gate.noted
    ordinary = IPythonKernel.do_execute

    class Kernel(IPythonKernel):  # type: ignore[misc]
        async def do_execute(self, code: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
            if not code.startswith(PROBE):
                return await ordinary(self, code, *args, **kwargs)
            reply = {"execution_count": 0, "user_expressions": {}, "payload": []}
            noted()
            try:
                with patches(gate):
                    reply |= {"status": "ok", "value": probe(code, self.shell.user_ns)}
            except BaseException as error:
                reply |= {"status": "error", "ename": type(error).__name__, "traceback": []}
                reply["evalue"] = words(error)
            return {**reply, "forbidden": noted()}

    return Kernel


def main() -> None:
    """Start the kernel: kernel.py ORIGINALS CONTROL [arguments of ipykernel]."""
    originals, control, *rest = sys.argv[1:]
    seen = sys.path.pop(0)  # this file's folder
    if "MPLCONFIGDIR" in os.environ and os.environ.get("USER") == "student":
        os.makedirs(os.environ["MPLCONFIGDIR"], exist_ok=True)
        for name in os.listdir(seen):
            if name.startswith("fontlist-"):
                shutil.copyfile(f"{seen}/{name}", f"{os.environ['MPLCONFIGDIR']}/{name}")
    sys.argv[1:] = rest
    import coursekit_gate  # type: ignore[import-not-found]
    from ipykernel.kernelapp import IPKernelApp

    coursekit_gate.load(originals, control)
    IPKernelApp.launch_instance(kernel_class=kernel_class(coursekit_gate))


if __name__ == "__main__":
    main()
