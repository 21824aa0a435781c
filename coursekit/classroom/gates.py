"""Making the library that a kernel sees: a copy in which some functions' bodies are a gate.

An answer may not call the library's own block. Replacing an attribute of a module would stop only
who asks for it by that name, so the gate stands in the file: whoever imports, reloads, copies or
reads the function, in this process or another one, gets the gate. The real bodies are handed to
the kernel as text before any of the notebook's code runs (see `gate`).
"""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from coursekit.errors import CourseError

PACKAGE = Path(__file__).resolve().parent.parent
# The checks compare with references of their own, so no answer may look there.
ALWAYS = ("coursekit.checks",)
_LEFT_OUT = shutil.ignore_patterns("classroom", "*.pyc.*")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def stage(folder: Path, forbids: Iterable[str], package: Path = PACKAGE) -> dict[str, tuple[str, str]]:
    """Copy the library into a folder, with gates in it.

    Args:
        folder: gets `coursekit/` (without the classroom wing) and `coursekit_gate.py`.
        forbids: dotted names of functions, methods or whole modules; other packages' are ignored.
        package: the library's folder.

    Returns:
        For each gate its key -> (the name that forbids it, the source of the real function).

    Raises:
        CourseError: a name of the library is not defined where it says.
    """
    library = folder / package.name
    shutil.copytree(package, library, ignore=_LEFT_OUT)
    shutil.copy2(PACKAGE / "classroom" / "gate.py", folder / "coursekit_gate.py")
    rules: dict[Path, list[tuple[str, tuple[str, ...]]]] = {}
    for name in dict.fromkeys([*forbids, *(n for n in ALWAYS if n.split(".")[0] == package.name)]):
        if name.split(".")[0] == package.name:
            for file, rest in _files(package, name):
                rules.setdefault(file, []).append((name, rest))
    originals: dict[str, tuple[str, str]] = {}
    for file, wanted in rules.items():
        place = file.relative_to(package)
        source, found = rewrite(
            file.read_text(encoding="utf-8"), ".".join((package.name, *place.with_suffix("").parts)), wanted
        )
        target = library / place
        target.unlink()
        target.write_text(source, encoding="utf-8")
        originals |= found
    return originals


def write_originals(path: Path, originals: dict[str, tuple[str, str]]) -> None:
    """Write what `gate.load` reads."""
    path.write_text(json.dumps(originals), encoding="utf-8")


def _files(package: Path, name: str) -> list[tuple[Path, tuple[str, ...]]]:
    """The files that a dotted name speaks of, and what follows the module's name in it."""
    parts = name.split(".")[1:]
    folder = package
    for index, part in enumerate(parts):
        module = folder / f"{part}.py"
        if module.is_file():
            return [(module, tuple(parts[index + 1 :]))]
        if not (folder / part).is_dir():
            return [(folder / "__init__.py", tuple(parts[index:]))]
        folder = folder / part
    if parts:
        return [(file, ()) for file in sorted(folder.rglob("*.py"))]
    raise CourseError(f"A probe forbids {name}, the whole library: name the functions one by one.")


def rewrite(
    source: str, module: str, wanted: Sequence[tuple[str, tuple[str, ...]]]
) -> tuple[str, dict[str, tuple[str, str]]]:
    """Put gates into a module's source.

    Args:
        source: the module.
        module: its dotted name.
        wanted: pairs of (the name that forbids, its path inside the module); an empty path means
            every function at the module's and its classes' level, lambdas included.

    Returns:
        The new source, and the real functions as `stage` returns them.

    Raises:
        CourseError: a path leads to nothing that can be called.

    Example:
        >>> text, real = rewrite("def f(x):\\n    return x", "m", [("m.f", ("f",))])
        >>> print(text)
        def f(x):
            return __import__('coursekit_gate').call('m.f', globals(), (x,), {})
        >>> real
        {'m.f': ('m.f', 'def _original(x):\\n    return x')}
    """
    tree = ast.parse(source)
    writer = _Writer(module, {rest: name for name, rest in wanted})
    writer.visit(tree)
    for name, rest in wanted:
        if rest and rest not in writer.met:
            raise CourseError(
                f"A probe forbids {name}, but {module} defines no such function: name it where it "
                "is defined."
            )
    return ast.unparse(ast.fix_missing_locations(tree)), writer.originals


class _Writer(ast.NodeTransformer):
    """Walks through a module and replaces the bodies of the functions asked for."""

    def __init__(self, module: str, wanted: dict[tuple[str, ...], str]) -> None:
        self.module, self.wanted = module, wanted
        self.path: tuple[str, ...] = ()
        self.met: set[tuple[str, ...]] = set()
        self.originals: dict[str, tuple[str, str]] = {}

    def _rule(self, path: tuple[str, ...]) -> str | None:
        """The name that forbids what stands at a path: its own, its class's or its module's."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.wanted:
                self.met.add(path[:length])
                return self.wanted[path[:length]]
        return None

    def _keep(self, path: tuple[str, ...], rule: str, real: ast.stmt) -> str:
        """Note a real function under a key of its own."""
        key = ".".join((self.module, *path))
        while key in self.originals:
            key += "'"
        for owner in reversed(self.path):  # so that __private names mean the same
            real = ast.ClassDef(
                name=owner, bases=[], keywords=[], body=[real], decorator_list=[], **_NO_PARAMETERS
            )
        self.originals[key] = (rule, ast.unparse(ast.fix_missing_locations(real)))
        return key

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        if (*self.path, node.name) in self.wanted:
            self.met.add((*self.path, node.name))
        outside, self.path = self.path, (*self.path, node.name)
        self.generic_visit(node)
        self.path = outside
        return node

    def _function(self, node: _Function) -> _Function:
        path = (*self.path, node.name)
        rule = self._rule(path)
        if rule is None:
            return node
        if isinstance(node, ast.AsyncFunctionDef):
            raise CourseError(f"A probe forbids {rule}, which is asynchronous: that cannot be gated.")
        real = ast.FunctionDef(
            name="_original", args=_bare(node.args), body=node.body, decorator_list=[],
            returns=None, **_NO_PARAMETERS,
        )  # fmt: skip
        docstring = node.body[:1] if ast.get_docstring(node) is not None else []
        gate = ast.Return(value=_gate(self._keep(path, rule, real), node.args, _says_super(node)))
        node.body = [*docstring, gate]
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        path = (*self.path, "<lambda>")
        rule = self._rule(path)
        if rule is None:
            return node
        real = ast.FunctionDef(
            name="_original", args=_bare(node.args), body=[ast.Return(value=node.body)],
            decorator_list=[], returns=None, **_NO_PARAMETERS,
        )  # fmt: skip
        node.body = _gate(self._keep(path, rule, real), node.args, False)
        return node

    def _leave(self, node: ast.AST) -> ast.AST:
        return node  # a lambda in here closes over its variables

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _leave


# Python 3.12 gave functions and classes type parameters.
_NO_PARAMETERS: dict[str, list[ast.AST]] = (
    {"type_params": []} if "type_params" in ast.FunctionDef._fields else {}
)


def _says_super(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Name) and part.id in ("super", "__class__") for part in ast.walk(node))


def _bare(arguments: ast.arguments) -> ast.arguments:
    """The same arguments without defaults and annotations: the gate fills them in."""
    bare = {
        field: [ast.arg(arg=item.arg) for item in getattr(arguments, field)]
        for field in ("posonlyargs", "args", "kwonlyargs")
    }
    stars = {
        field: ast.arg(arg=getattr(arguments, field).arg) if getattr(arguments, field) else None
        for field in ("vararg", "kwarg")
    }
    return ast.arguments(**bare, **stars, defaults=[], kw_defaults=[None] * len(bare["kwonlyargs"]))


def _gate(key: str, arguments: ast.arguments, with_class: bool) -> ast.expr:
    """The call that stands in a gated function's body."""
    positional = "".join(f"{item.arg}, " for item in (*arguments.posonlyargs, *arguments.args))
    if arguments.vararg:
        positional += f"*{arguments.vararg.arg}, "
    keyword = "".join(f"{item.arg!r}: {item.arg}, " for item in arguments.kwonlyargs)
    if arguments.kwarg:
        keyword += f"**{arguments.kwarg.arg}"
    owner = ", __class__" if with_class else ""
    text = f"__import__('coursekit_gate').call({key!r}, globals(), ({positional}), {{{keyword}}}{owner})"
    return ast.parse(text, mode="eval").body
