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
from collections.abc import Iterable, Mapping
from pathlib import Path

from coursekit.classroom import namespaces
from coursekit.errors import CourseError

PACKAGE = Path(__file__).resolve().parent.parent
# The checks compare with references of their own, so no answer may look there.
ALWAYS = ("coursekit.checks",)
Inside = tuple[str, ...]  # the names that lead to a function inside a module
Originals = dict[str, tuple[list[str], str]]  # key -> (the names that forbid it, source)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def stage(folder: Path, forbids: Iterable[str], package: Path = PACKAGE) -> Originals:
    """Copy the library into a folder, with gates in it.

    Args:
        folder: gets `coursekit/` (without the classroom wing) and `coursekit_gate.py`.
        forbids: dotted names of functions, methods, classes or modules; names of other packages
            are left alone.
        package: the library's folder.

    Returns:
        For each gate its key -> (the names that forbid it, the source of the real function).

    Raises:
        CourseError: a name of the library leads to nothing.
    """
    library = folder / package.name
    shutil.copytree(package, library, ignore=shutil.ignore_patterns("classroom", "*.pyc.*"))
    shutil.copy2(PACKAGE / "classroom" / "gate.py", folder / "coursekit_gate.py")
    always = [name for name in ALWAYS if _is_in(package, name)]
    rules: dict[Path, dict[Inside, list[str]]] = {}
    for name in dict.fromkeys([*forbids, *always]):
        for file, inside in find(package, name) if _is_in(package, name) else ():
            rules.setdefault(file, {}).setdefault(inside, []).append(name)
    originals: Originals = {}
    for file, wanted in rules.items():
        place = file.relative_to(package)
        module = ".".join((package.name, *place.with_suffix("").parts))
        source, found = rewrite(file.read_text(encoding="utf-8"), module, wanted)
        target = library / place
        target.unlink()
        target.write_text(source, encoding="utf-8")
        originals |= found
    return originals


def furnish(place: namespaces.Place, forbids: Iterable[str]) -> tuple[Path, Path]:
    """Lay out what a kernel sees.

    Args:
        place: its folders; they do not exist yet.
        forbids: every name that some probe forbids.

    Returns:
        Two files inside: the real functions' sources, to be removed once the kernel has read them,
        and the list of what is forbidden at the moment, empty.
    """
    seen = place.visible
    seen.mkdir()
    place.sockets.mkdir(mode=0o755)
    place.library.mkdir()
    originals, control = seen / "originals.json", seen / "forbidden"
    forbids = list(dict.fromkeys(forbids))
    known = {
        "originals": stage(place.library, forbids),
        "others": [name for name in forbids if not _is_in(PACKAGE, name)],
    }
    originals.write_text(json.dumps(known), encoding="utf-8")
    control.write_bytes(b"")
    shutil.copyfile(PACKAGE / "classroom" / "kernel.py", seen / "kernel.py")
    (seen / "passwd").write_text("student:x:0:0::/tmp/home:/bin/sh\n", encoding="ascii")
    for name in namespaces.DATA_FOLDERS:
        (place.data / name).mkdir(parents=True)
    for fonts in namespaces.font_lists():
        shutil.copyfile(fonts, seen / fonts.name)
    for path in (seen, *seen.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return originals, control


def _is_in(package: Path, name: str) -> bool:
    return name.split(".")[0] == package.name


def find(package: Path, name: str) -> list[tuple[Path, Inside]]:
    """Find what a dotted name means in the library's files.

    Args:
        package: the library's folder.
        name: of a function, method, class, module or package in it; what a module imports from
            another one and what a class inherits is followed.

    Returns:
        Pairs of a file and the names inside it; no names stand for the whole file.

    Raises:
        CourseError: it leads to nothing.

    Example:
        >>> [(file.name, inside) for file, inside in find(PACKAGE, "coursekit.seed_everything")]
        [('__init__.py', ('seed_everything',))]
    """
    folder, parts = package, name.split(".")[1:]
    for index, part in enumerate(parts):
        module = folder / f"{part}.py"
        if not module.is_file() and (folder / part).is_dir():
            folder = folder / part
            continue
        file, inside = (module, parts[index + 1 :]) if module.is_file() else (
            folder / "__init__.py", parts[index:]
        )  # fmt: skip
        place = _defined(package, file, tuple(inside), set()) if file.is_file() else None
        if place is None:
            raise CourseError(f"A probe forbids {name}, but the library has no such function.")
        return [place]
    if not parts:
        raise CourseError(f"A probe forbids {name}, the whole library: name its functions.")
    return [(file, ()) for file in sorted(folder.rglob("*.py"))]


def _defined(
    package: Path, file: Path, inside: Inside, seen: set[tuple[Path, Inside]]
) -> tuple[Path, Inside] | None:
    """Where something really stands: here, where it is imported from, or in a base class."""
    if not inside:
        return file, ()
    if (file, inside) in seen:
        return None
    seen.add((file, inside))
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, _Function) and inside == (node.name,):
            return file, inside
        if isinstance(node, ast.ClassDef) and node.name == inside[0]:
            own = {item.name for item in node.body if isinstance(item, _Function)}
            if len(inside) == 1 or inside[1] in own:
                return file, inside
            for base in node.bases:
                if isinstance(base, ast.Name):
                    place = _defined(package, file, (base.id, *inside[1:]), seen)
                    if place is not None:
                        return place
        if (
            isinstance(node, ast.ImportFrom)
            and not node.level
            and _is_in(package, node.module or "")
        ):
            for alias in node.names:
                if (alias.asname or alias.name) == inside[0]:
                    full = ".".join((node.module or "", alias.name, *inside[1:]))
                    return find(package, full)[0]
    return None


def rewrite(source: str, module: str, wanted: Mapping[Inside, list[str]]) -> tuple[str, Originals]:
    r"""Put gates into a module's source.

    Args:
        source: the module.
        module: its dotted name.
        wanted: where -> the names that forbid what stands there. A class stands for its methods,
            and () for every function, method and lambda at the module's and its classes' level.

    Returns:
        The new source, and the real functions as `stage` returns them.

    Example:
        >>> text, real = rewrite("def f(x):\n    return x", "m", {("f",): ["m.f"]})
        >>> print(text)
        def f(x):
            return __import__('coursekit_gate').call('m.f', globals(), (x,), {})
        >>> real
        {'m.f': (['m.f'], 'def _original(x):\n    return x')}
    """
    tree = ast.parse(source)
    writer = _Writer(module, wanted)
    writer.visit(tree)
    return ast.unparse(ast.fix_missing_locations(tree)), writer.originals


class _Writer(ast.NodeTransformer):
    """Walks through a module and replaces the bodies of the functions asked for."""

    def __init__(self, module: str, wanted: Mapping[Inside, list[str]]) -> None:
        self.module, self.wanted = module, wanted
        self.path: Inside = ()
        self.originals: Originals = {}

    def _rules(self, path: Inside) -> list[str]:
        """The names that forbid what stands at a path: its own, its class's or its module's."""
        return [
            name for length in range(len(path) + 1) for name in self.wanted.get(path[:length], ())
        ]

    def _keep(self, path: Inside, rules: list[str], bare: str, body: list[ast.stmt]) -> str:
        """Note a real function under a key of its own."""
        key = ".".join((self.module, *path))
        if key in self.originals:
            key += f" {len(self.originals)}"
        text = f"def _original({bare}): pass"
        for owner in reversed(self.path):  # so that __private names mean the same
            text = f"class {owner}:\n" + "\n".join(f" {line}" for line in text.split("\n"))
        tree = ast.parse(text)
        function: ast.AST = tree
        while not isinstance(function, ast.FunctionDef):
            function = function.body[0]  # type: ignore[attr-defined]
        function.body = body
        self.originals[key] = (rules, ast.unparse(ast.fix_missing_locations(tree)))
        return key

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        outside, self.path = self.path, (*self.path, node.name)
        self.generic_visit(node)
        self.path = outside
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        path = (*self.path, node.name)
        rules = self._rules(path)
        if rules:
            docstring = node.body[:1] if ast.get_docstring(node) is not None else []
            key = self._keep(path, rules, _bare(node.args), node.body)
            node.body = [*docstring, ast.Return(value=_gate(key, node.args, _says_super(node)))]
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        for name in self._rules((*self.path, node.name)):
            raise CourseError(f"A probe forbids {name}, which is asynchronous: no gate for that.")
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        path = (*self.path, "<lambda>")
        rules = self._rules(path)
        if rules:
            key = self._keep(path, rules, _bare(node.args), [ast.Return(value=node.body)])
            node.body = _gate(key, node.args, False)
        return node

    def _leave(self, node: ast.AST) -> ast.AST:
        return node  # a lambda in here closes over its variables

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _leave


def _says_super(node: ast.AST) -> bool:
    names = (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    return any(name in ("super", "__class__") for name in names)


def _bare(arguments: ast.arguments) -> str:
    """The same arguments without defaults and annotations: the gate passes all of them."""
    words = [item.arg for item in arguments.posonlyargs]
    words += ["/"] if arguments.posonlyargs else []
    words += [item.arg for item in arguments.args]
    if arguments.vararg:
        words.append(f"*{arguments.vararg.arg}")
    elif arguments.kwonlyargs:
        words.append("*")
    words += [item.arg for item in arguments.kwonlyargs]
    words += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    return ", ".join(words)


def _gate(key: str, arguments: ast.arguments, with_class: bool) -> ast.expr:
    """The call that stands in a gated function's body."""
    positional = "".join(f"{item.arg}, " for item in (*arguments.posonlyargs, *arguments.args))
    if arguments.vararg:
        positional += f"*{arguments.vararg.arg}, "
    keyword = "".join(f"{item.arg!r}: {item.arg}, " for item in arguments.kwonlyargs)
    if arguments.kwarg:
        keyword += f"**{arguments.kwarg.arg}"
    owner = ", __class__" if with_class else ""
    gate = f"__import__('coursekit_gate').call({key!r}, globals(), "
    return ast.parse(f"{gate}({positional}), {{{keyword}}}{owner})", mode="eval").body
