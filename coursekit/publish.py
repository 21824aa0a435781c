"""Running the notebooks: as pages to read (`run`), or in place and clean (`refresh`).

`python -m coursekit publish run` executes notebooks and writes build/NAME.html;
`refresh` is for authors: it executes in place on MNIST, cleans, and writes the ledger's figures
into the text; `markers` writes the figures alone and executes nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coursekit.errors import CourseError
from coursekit.files import atomic_path, data_folder, package_repository, repository
from coursekit.ledger import fill_markers
from coursekit.notebook_files import MAX_BYTES, clean, problems
from coursekit.notebook_runs import execute, need

PAGE_NOTE = "Here is something to play with: run this cell in JupyterLab or on Colab."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the three modes of `publish`.

    Args:
        parser: the parser of `python -m coursekit publish`.
    """
    modes = parser.add_subparsers(dest="mode", required=True, metavar="MODE")
    for mode, purpose in (
        ("run", "execute notebooks and write a page for each"),
        ("refresh", "execute notebooks in place on MNIST, profile quick, and clean them"),
        ("markers", "write the ledger's figures into notebooks and README; execute nothing"),
    ):
        sub = modes.add_parser(mode, help=purpose, description=purpose)
        sub.add_argument(
            "notebooks", nargs="*", type=Path, help="notebooks (default: all of notebooks/)"
        )
        if mode == "run":
            sub.add_argument(
                "-o", "--output", type=Path, help="folder for the pages (default: build/)"
            )


def main(args: argparse.Namespace) -> int:
    """Do what the arguments of `add_arguments` ask for.

    Args:
        args: the parsed arguments.

    Returns:
        The exit status: 0; 1 where a cell failed or a notebook may not be committed as it is;
        130 after Ctrl-C.

    Raises:
        CourseError: there is nothing to run, or nothing to run it with.
    """
    root = repository() or package_repository()
    paths = _notebooks(args.notebooks, root, args.mode)
    try:
        if args.mode == "run":
            return run(paths, args.output or (root or Path.cwd()) / "build")
        return refresh(paths, root) if args.mode == "refresh" else fill(paths, root)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130


def _notebooks(named: Sequence[Path], root: Path | None, mode: str) -> list[Path]:
    paths = list(named) or sorted((root / "notebooks").glob("*.ipynb") if root else ())
    if not paths and mode != "markers":
        raise CourseError("There is no notebook to run: name one, or work in the course's folder.")
    for path in paths:
        if not path.is_file():
            raise CourseError(f"There is no notebook {path}: is its name right?")
    return paths


def read(path: Path) -> Any:
    """Read a notebook.

    Args:
        path: an .ipynb file.

    Returns:
        nbformat's notebook.

    Raises:
        CourseError: the file is not a notebook.
    """
    nbformat = need("nbformat")
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError) as error:
        raise CourseError(f"{path} is not a notebook that can be read: {error}") from error


def write(notebook: Any, path: Path) -> None:
    """Write a notebook whole or not at all.

    Args:
        notebook: nbformat's notebook.
        path: the file.

    Raises:
        CourseError: it would be too large for a repository.
    """
    body = need("nbformat").writes(notebook) + "\n"
    size = len(body.encode())
    if size >= MAX_BYTES:
        raise CourseError(
            f"{path.name} would have {size / 1e6:.1f} MB, and {MAX_BYTES / 1e6:.1f} MB is the "
            "limit, so it is left as it was: show fewer or smaller pictures."
        )
    if not path.exists() or path.read_text("utf-8") != body:
        with atomic_path(path) as temporary:
            temporary.write_text(body, "utf-8")


def _short_paths(root: Path | None) -> dict[str, str]:
    paths = {
        str(Path(sys.prefix)): ".venv",
        str(Path.home()): "~",
        tempfile.gettempdir(): "TEMP",
    }
    if root is not None:
        paths[str(root)] = ""
    paths[str(data_folder().resolve())] = "data"
    return paths


def run(paths: Sequence[Path], output: Path) -> int:
    """Execute notebooks and write a page for each, also for one that fails.

    Args:
        paths: the notebooks; they are left as they are.
        output: the folder for NAME.html.

    Returns:
        0, or 1 where a cell failed.
    """
    exporter = need("nbconvert").HTMLExporter()
    failures = []
    for path in paths:
        notebook = read(path)
        failure = execute(notebook, path.resolve().parent, path.stem)
        clean(notebook, {}, widget_note=PAGE_NOTE)
        page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": path.stem}})
        with atomic_path(output / f"{path.stem}.html") as temporary:
            temporary.write_text(page, "utf-8")
        if failure:
            failures.append(failure)
            print(failure, flush=True)
    if failures:
        print(f"{len(failures)} of {len(paths)} notebooks failed; their pages show where.")
    return 1 if failures else 0


def refresh(paths: Sequence[Path], root: Path | None) -> int:
    """Execute notebooks in place on MNIST in profile quick, clean them, fill in the figures.

    A notebook with a failing cell is left as it was. One that runs but holds what a repository
    should not is written, so that it can be looked at, and its problems are printed.

    Args:
        paths: the notebooks.
        root: the repository, whose README is filled in too.

    Returns:
        0, or 1 where a notebook failed or has problems.

    Raises:
        CourseError: MNIST is not there.
    """
    from coursekit.data import load

    load("mnist", limit=10)
    complaints = []
    for path in paths:
        notebook = read(path)
        # A marker without its figure is worth knowing before the minutes it takes to run.
        _fill_text(notebook)
        failure = execute(notebook, path.resolve().parent, path.stem, profile="quick")
        if failure:
            complaints.append(f"{failure} (the file is left as it was)")
            print(complaints[-1], flush=True)
            continue
        clean(notebook, _short_paths(root))
        complaints += _write_and_judge(notebook, path)
    _fill_readme(root)
    return 1 if complaints else 0


def fill(paths: Sequence[Path], root: Path | None) -> int:
    """Write the ledger's figures between the markers of notebooks and README.

    Args:
        paths: the notebooks.
        root: the repository, whose README is filled in too.

    Returns:
        0, or 1 where a notebook has problems.
    """
    complaints = []
    for path in paths:
        notebook = read(path)
        _fill_text(notebook)
        complaints += _write_and_judge(notebook, path)
    _fill_readme(root)
    return 1 if complaints else 0


def _fill_text(notebook: Any) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = fill_markers(cell.source)


def _write_and_judge(notebook: Any, path: Path) -> list[str]:
    try:
        write(notebook, path)
        found = [f"{path.name}: {words}" for words in problems(notebook, path.stat().st_size)]
    except CourseError as error:
        found = [str(error)]
    for words in found:
        print(words, flush=True)
    return found


def _fill_readme(root: Path | None) -> None:
    readme = root / "README.md" if root else None
    if readme is None or not readme.is_file():
        return
    before = readme.read_text("utf-8")
    after = fill_markers(before)
    if after != before:
        with atomic_path(readme) as temporary:
            temporary.write_text(after, "utf-8")
