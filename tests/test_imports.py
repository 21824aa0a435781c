"""Imports run downwards only, modules stay short, and `import coursekit` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import coursekit

PACKAGE = Path(coursekit.__file__).parent
MODULES = {
    ".".join(("coursekit", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# From the ground up; a module imports from its own floor or from a lower one.
FLOORS: list[set[str]] = [
    {"errors", "files", "profiles", "synthetic"},
    {
        "data",
        "likelihoods",
        "networks",
        "plots",
        "history",
        "optimisation",
        "ledger",
        "probes",
        "latent_space",
        "adversarial",
        "sample_quality",
        "toys",
    },
    {"priors"},
    {"models"},
    {"inference", "runs", "training", "two_players"},
    {"evaluation", "checkpoints"},
    {"recipes"},
    {"__main__"},
]
FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names}
HEAVY = ("matplotlib", "sklearn", "ipywidgets", "torchvision", "IPython", "scipy")


def imports(name: str, everywhere: bool = True) -> set[str]:
    """The course's modules that a module imports; `everywhere`: inside functions too."""
    tree = ast.parse(MODULES[name].read_text("utf-8"))
    found: set[str] = set()
    nodes = ast.walk(tree) if everywhere else _at_import(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            assert all(alias.name != "*" for alias in node.names), f"{name}: star import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {module if module in MODULES else str(node.module) for module in inner}
    return {module for module in found if module in MODULES} - {"coursekit", name}


def _at_import(tree: ast.AST) -> list[ast.AST]:
    """What runs when the module is imported: nothing inside functions or TYPE_CHECKING."""
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        found += [node, *_at_import(node)]
    return found


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_downwards(name: str) -> None:
    own = name.split(".")[1] if "." in name else ""
    for other in imports(name):
        target = other.split(".")[1]
        if own in FLOOR and target in FLOOR:
            assert FLOOR[target] <= FLOOR[own], f"{name} imports {other} from above"
        if (own in FLOOR and own != "__main__") or own in ("explorers", "checks"):
            assert target not in ("classroom", "publish"), f"{name} imports {other}"


def test_explorers_and_classroom_know_no_model() -> None:
    for name in MODULES:
        if name.split(".")[1:2] in (["explorers"], ["classroom"]):
            models = {other for other in imports(name) if other.startswith("coursekit.models")}
            assert not models, f"{name} imports {models}"


def test_no_circles() -> None:
    graph = {name: imports(name, everywhere=False) for name in MODULES}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            # a package's own __init__ may gather its modules; they do not import it back
            for other in graph[name]:
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("name", MODULES)
def test_modules_stay_short(name: str) -> None:
    lines = len(MODULES[name].read_text("utf-8").splitlines())
    assert lines <= 400, f"{name} has {lines} lines"
    if lines > 350:
        warnings.warn(f"{name} has {lines} lines; 350 is the aim", stacklevel=1)


@pytest.mark.parametrize("name", MODULES)
def test_no_drawer_for_everything(name: str) -> None:
    assert name.split(".")[-1] not in ("utils", "util", "helpers", "misc", "common")


def run(code: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return answer.stdout.strip()


def test_light_modules_bring_nothing_heavy_and_take_little_time() -> None:
    """Everything that trains and measures, in processor time: other programs do not count."""
    modules = ", ".join(
        f"coursekit.{name}"
        for name in ("data", "training", "evaluation", "checkpoints", "ledger", "profiles")
    )
    code = (
        "import time, torch, sys, importlib\n"
        "before = set(sys.modules)\n"
        "began = time.process_time()\n"
        f"import {modules}\n"
        "spent = time.process_time() - began\n"
        f"heavy = [name for name in {HEAVY} if name in set(sys.modules) - before]\n"
        "print(spent, *heavy)"
    )
    spent, *heavy = run(code).split()
    assert heavy == [], f"imported on the way: {heavy}"
    assert float(spent) < 1.0


def test_import_coursekit_alone_brings_not_even_torch() -> None:
    assert run("import coursekit, sys; print('torch' in sys.modules)") == "False"
    assert run("import coursekit.__main__, sys; print('torch' in sys.modules)") == "False"
