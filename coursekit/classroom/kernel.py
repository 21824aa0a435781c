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
from types import ModuleType
from typing import Any

PROBE = "# coursekit: this is a probe"
COURSE = "# coursekit: this is the course's own"
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
    return json.dumps(plain(eval(compile(ast.Expression(last.value), "<probe>", "eval"), names)))


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


def kernel_class(gate: Any) -> type:
    """Make IPython's kernel with probes.

    Args:
        gate: the module `coursekit_gate`.
    """
    from ipykernel.ipkernel import IPythonKernel

    # Bound here, before any code of a notebook runs.
    probe, usual, words, noted = run_probe, usual_torch, _words, gate.noted
    ordinary = IPythonKernel.do_execute
    modules: dict[str, ModuleType] = {}

    class Kernel(IPythonKernel):
        async def do_execute(self, code: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
            shell: Any = self.shell
            if not code.startswith(PROBE):
                reply = await ordinary(self, code, *args, **kwargs)
                if code.startswith(COURSE):
                    found = dict(shell.user_ns).items()
                    modules.update({k: v for k, v in found if isinstance(v, ModuleType)})
                return reply
            reply = {"execution_count": 0, "user_expressions": {}, "payload": []}
            noted()
            try:
                put_back = usual()
                try:
                    # A student may have called something F or math: not in a probe.
                    value = probe(code, {**shell.user_ns, **modules})
                finally:
                    put_back()
                reply |= {"status": "ok", "value": value}
            except BaseException as error:
                reply |= {"status": "error", "ename": type(error).__name__, "traceback": []}
                reply["evalue"] = words(error)
            return {**reply, "forbidden": noted()}

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
