"""The kernel that runs a submission. This file is started inside the sandbox, as a script.

It is IPython's own kernel, but for two things. A probe is run by plain `exec` and `eval`, in a copy
of the notebook's names, so that no input transformer, hook, event or display formatter of the
notebook takes part, and its value leaves as JSON text in the reply. And before each cell what
others have replaced is put back. Nothing is decided here: the text is parsed and compared outside.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
import shutil
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

PROBE = "# coursekit: this is a probe"
COURSE = "# coursekit: this is the course's own"
MAX_NUMBERS = 100_000
MAX_DEPTH = 16
_CHANGEABLE = 1 << 9  # the flag of classes that are made in Python
_as_json = json.JSONEncoder().encode


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
    r"""Run a probe.

    Args:
        source: its code; the last line is an expression.
        names: a copy of the notebook's; the probe's own are added.

    Returns:
        The expression's value as JSON (with NaN and Infinity, as Python writes them).

    Example:
        >>> run_probe("y = x + 1\n[y, x]", {"x": 1})
        '[2, 1]'
    """
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body else None
    if not isinstance(last, ast.Expr):
        raise TypeError("the probe does not end with an expression")
    exec(compile(tree, "<probe>", "exec"), names)
    return _as_json(plain(eval(compile(ast.Expression(last.value), "<probe>", "eval"), names)))


def usual_torch() -> Callable[[], None]:
    """Set what decides about new tensors as it is at the start, for a probe draws some.

    Returns:
        A function that puts back what the notebook had set.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return lambda: None
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)

    def put_back() -> None:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)

    return put_back


def _words(error: BaseException) -> str:
    """What an error says; half characters, which no message can carry, become question marks."""
    try:
        return str(error)[:2000].encode("utf-8", "replace").decode()
    except BaseException:
        return ""


class Order:
    """What a notebook's cells may have turned upside down, and puts back before each cell.

    It protects one exercise from what was done for another: a hook, a transformer, a replaced
    built-in function, a replaced function of a module that the course imports.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        manager = shell.input_transformer_manager
        self.lists = [
            (found, list(found))
            for found in (
                manager.cleanup_transforms, manager.line_transforms, manager.token_transformers,
                shell.input_transformers_post, shell.ast_transformers,
                *shell.events.callbacks.values(),
            )
        ]  # fmt: skip
        self.methods = {name for name in vars(shell) if hasattr(type(shell), name)}
        ours = ("input", "_", "display", "get_ipython")  # these are IPython's
        self.builtins = {k: v for k, v in vars(builtins).items() if k not in ours}
        self.modules: dict[str, ModuleType] = {}
        self.known: dict[int, tuple[Any, dict[str, Any]]] = {}
        self.sizes: dict[int, int] = {}

    def learn(self) -> None:
        """Note the modules that a cell of the course has brought in, and their functions."""
        for name, value in dict(self.shell.user_ns).items():
            # A drawing library replaces its own functions, by way of its back ends.
            if isinstance(value, ModuleType):
                self.modules[name] = value
                if id(value) not in self.known and not value.__name__.startswith("matplotlib"):
                    self._note_module(value)
                    for part in list(vars(value).values()):
                        inside = isinstance(part, ModuleType) and id(part) not in self.known
                        if inside and part.__name__.startswith(f"{value.__name__}."):
                            self._note_module(part)

    def _note_module(self, module: ModuleType) -> None:
        self._note(module)
        for part in list(vars(module).values()):
            # Not isinstance: some objects warn when asked for their class.
            if issubclass(type(part), type) and part.__flags__ & _CHANGEABLE:
                self._note(part)

    def _note(self, owner: Any) -> None:
        """Remember what can be called in a module or a class."""
        found = {k: v for k, v in dict(vars(owner)).items() if callable(v) and k[:1] != "_"}
        if id(owner) not in self.known:
            self.known[id(owner)], self.sizes[id(owner)] = (owner, found), len(vars(owner))

    def restore(self) -> None:
        """Put all of it back."""
        for name, value in self.builtins.items():
            if builtins.__dict__.get(name) is not value:
                builtins.__dict__[name] = value
        for found, kept in self.lists:
            if found != kept:
                found[:] = kept
        for name in [name for name in vars(self.shell) if name not in self.methods]:
            if callable(getattr(type(self.shell), name, None)):
                del self.shell.__dict__[name]
        for owner, found in self.known.values():
            names = vars(owner)
            for name, value in found.items():
                if names.get(name) is not value:
                    setattr(owner, name, value)
            if isinstance(owner, type) and len(names) > self.sizes[id(owner)]:
                for name in [n for n in names if n[:1] != "_" and n not in found]:
                    # Put in front of what it inherits.
                    if callable(names[name]) and any(
                        hasattr(base, name) for base in owner.__bases__
                    ):
                        delattr(owner, name)


def kernel_class(gate: Any) -> type:
    """Make IPython's kernel with probes.

    Args:
        gate: the module `coursekit_gate`.
    """
    from ipykernel.ipkernel import IPythonKernel

    # Bound here, before any code of a notebook runs.
    probe, usual, words, noted = run_probe, usual_torch, _words, gate.noted
    ordinary = IPythonKernel.do_execute
    orders: list[Order] = []

    class Kernel(IPythonKernel):
        async def _execute(self, code: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
            shell: Any = self.shell
            if not orders:
                orders.append(Order(shell))
            order = orders[0]
            order.restore()
            try:
                if code.startswith(PROBE):
                    # A student may have called something F or math: not in a probe.
                    return self._probe(code, {**shell.user_ns, **order.modules})
                reply: dict[str, Any] = await ordinary(self, code, *args, **kwargs)
                if code.startswith(COURSE):
                    order.learn()
                return reply
            finally:
                order.restore()  # the reply, too, needs things as they were

        def _probe(self, code: str, names: dict[str, Any]) -> dict[str, Any]:
            reply = {"execution_count": 0, "user_expressions": {}, "payload": []}
            noted()
            try:
                put_back = usual()
                try:
                    value = probe(code, names)
                finally:
                    put_back()
                reply |= {"status": "ok", "value": value}
            except BaseException as error:
                reply |= {"status": "error", "ename": type(error).__name__, "traceback": []}
                reply["evalue"] = words(error)
            return {**reply, "forbidden": noted()}

        # A property cannot be set on the kernel that a notebook has at hand.
        do_execute = property(lambda self: self._execute)

    return Kernel


def main() -> None:
    """Start the kernel: kernel.py ORIGINALS CONTROL [arguments of ipykernel]."""
    originals, control, *rest = sys.argv[1:]
    seen = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if folder != seen]
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
