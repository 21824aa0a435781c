"""What a committed notebook may hold: taking out what it may not, and saying what is amiss.

A notebook is handled as nbformat or json reads it: a dictionary with `cells` and `metadata`.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

MAX_BYTES = 1_500_000
MAX_CODE_LINES = 40
MIN_COMPARED_CELLS = 3
COMPARED = "nbval-check-output"

WIDGET = "application/vnd.jupyter.widget-view+json"
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "name": "python", "pygments_lexer": "ipython3"}

_TIMING = ("execution", "ExecuteTime", "papermill")
_PROGRESS = re.compile(r"\d+%\s*\||\d+it \[|(?:it/s|s/it)[,\]]")
_WARNING = re.compile(r"\b\w*Warning\b: ")
_DATA_URI = re.compile(r"data:[\w/+.-]+;base64,[\w+/=]*")
_PATH = re.compile(
    r"(?<![\w.:/<+])(?:/(?:root|home|Users|tmp|work|var|opt|usr|mnt|private|content)/\w[^\s'\"<]*"
    r"|[A-Z]:\\+Users\\[^\s'\"<]*)"
)
_WORDS = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_RANDOM = re.compile(r"(?=.*\d)[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?")
_IMG = re.compile(r"<img\b[^>]*>")
_ALT = re.compile(r"""\balt=(?:"([^"]*)"|'([^']*)')""")
_MARKDOWN_IMAGE = re.compile(r"!\[([^\]]*)\]\(")


def text(value: str | list[str]) -> str:
    """Join what a notebook file stores as one string or as a list of lines."""
    return value if isinstance(value, str) else "".join(value)


def clean(
    notebook: Mapping[str, Any], paths: Mapping[str, str], widget_note: str | None = None
) -> None:
    """Take out, in place, what does not belong in a repository; ids and tags stay.

    Widget state and views, execution timing, progress bars, the paths of this machine and the
    long lists of numbers that grading probes leave behind go.

    Args:
        notebook: an executed notebook.
        paths: what to write for each folder's absolute path; the longest match goes first.
        widget_note: where an interactive part was shown, a line to show in its place.
    """
    metadata = notebook["metadata"]
    for key in ("widgets", *_TIMING):
        metadata.pop(key, None)
    metadata["kernelspec"] = dict(KERNELSPEC)
    metadata["language_info"] = dict(LANGUAGE)
    for cell in notebook["cells"]:
        for key in _TIMING:
            cell["metadata"].pop(key, None)
        if cell["cell_type"] == "code":
            probe = text(cell["source"]).startswith("# PROBE ")
            cell["outputs"] = [
                kept
                for output in ([] if probe else cell["outputs"])
                if (kept := _clean_output(output, paths, widget_note)) is not None
            ]


def _clean_output(
    output: dict[str, Any], paths: Mapping[str, str], widget_note: str | None
) -> dict[str, Any] | None:
    if output["output_type"] == "stream":
        lines = text(output["text"]).splitlines(keepends=True)
        kept = "".join(line for line in lines if not _PROGRESS.search(line))
        # A bar that is rubbed out leaves an empty line behind.
        if not kept.strip() and len(kept) < len("".join(lines)):
            return None
        output["text"] = _shorten(kept, paths)
        return output
    data = output.get("data", {})
    if WIDGET in data:
        progress = _PROGRESS.search(text(data.get("text/plain", "")))
        if widget_note is None or progress:
            return None
        output.update(
            output_type="display_data",
            data={"text/html": f"<em>{html.escape(widget_note)}</em>", "text/plain": widget_note},
            metadata={},
        )
        output.pop("execution_count", None)
        return output
    for kind, value in data.items():
        if kind.startswith("text/"):
            data[kind] = _shorten(text(value), paths)
    return output


def _shorten(value: str, paths: Mapping[str, str]) -> str:
    for path in sorted(paths, key=len, reverse=True):
        short = paths[path]
        value = value.replace(path + "/", f"{short}/" if short else "")
        value = re.sub(re.escape(path) + r"(?![\w.-])", short or ".", value)
    return value


def problems(notebook: Mapping[str, Any], size: int) -> list[str]:
    """Say what keeps a notebook from being committed.

    Args:
        notebook: a notebook.
        size: bytes of its file.

    Returns:
        One sentence for each problem, with the cell's id; empty for a clean notebook.

    Example:
        >>> problems({"cells": [], "metadata": {"widgets": {}}}, size=2_000_000)[0]
        'the file has 2.0 MB, and 1.5 MB is the limit'
    """
    return [*_file_problems(notebook, size), *_id_problems(notebook["cells"])] + [
        f"cell {cell.get('id')}: {problem}"
        for cell in notebook["cells"]
        for problem in _cell_problems(cell)
    ]


def _file_problems(notebook: Mapping[str, Any], size: int) -> Iterator[str]:
    metadata, cells = notebook["metadata"], notebook["cells"]
    if size >= MAX_BYTES:
        yield f"the file has {size / 1e6:.1f} MB, and {MAX_BYTES / 1e6:.1f} MB is the limit"
    if "widgets" in metadata:
        yield "metadata.widgets is stored, and GitHub does not draw such a notebook"
    kernel = metadata.get("kernelspec", {})
    # Without the language, ruff takes the file for no notebook of Python and passes it unread.
    if (kernel.get("name"), kernel.get("language")) != ("python3", "python"):
        yield "its kernel is not python3, with language python"
    compared = sum(COMPARED in cell["metadata"].get("tags", []) for cell in cells)
    if compared < MIN_COMPARED_CELLS:
        yield f"{compared} cells are tagged {COMPARED}, and {MIN_COMPARED_CELLS} are asked for"
    counts = [
        cell["execution_count"] for cell in cells if cell["cell_type"] == "code" and cell["source"]
    ]
    if None not in counts and counts != list(range(1, len(counts) + 1)):
        yield "the cells were not run once each, from top to bottom, in a fresh kernel"


def _id_problems(cells: list[dict[str, Any]]) -> Iterator[str]:
    for number, cell in enumerate(cells, 1):
        name = cell.get("id")
        if name is None:
            yield f"the cell at place {number} has no id"
        elif not _WORDS.fullmatch(name) or _RANDOM.fullmatch(name) or len(name) < 3:
            yield f"cell {name}: the id does not say what the cell is (words joined by hyphens)"
    for name, uses in Counter(cell.get("id") for cell in cells).items():
        if name is not None and uses > 1:
            yield f"cell {name}: {uses} cells have this id"


def _cell_problems(cell: dict[str, Any]) -> Iterator[str]:
    source = text(cell["source"])
    for key in _TIMING:
        if key in cell["metadata"]:
            yield f"execution timing is stored (metadata.{key})"
    if cell["cell_type"] == "markdown":
        if any(not alt.strip() for alt in _MARKDOWN_IMAGE.findall(source)):
            yield "a picture in the text has no alt text"
        yield from _image_problems(source)
    if cell["cell_type"] != "code":
        return
    lines = len(source.splitlines())
    if lines > MAX_CODE_LINES:
        yield f"{lines} lines of code, and {MAX_CODE_LINES} is the limit"
    if source.strip() and cell["execution_count"] is None:
        yield "it was not run"
    if COMPARED in cell["metadata"].get("tags", []) and not cell["outputs"]:
        yield f"it is tagged {COMPARED} but has no output to compare with"
    for output in cell["outputs"]:
        yield from _output_problems(output)


def _output_problems(output: dict[str, Any]) -> Iterator[str]:
    data = output.get("data", {})
    if output["output_type"] == "error":
        yield f"an error is stored ({output.get('ename')})"
    if output.get("name") == "stderr":
        first = (text(output["text"]).strip().splitlines() or [""])[0]
        yield f"something on stderr is stored ({first[:60]!r})"
    if WIDGET in data:
        yield "a widget is stored that is dead without its kernel"
    for kind in data:
        if kind.startswith("image/"):
            yield f"a picture is stored as {kind}, which carries no alt text: use coursekit's show"
    words = "\n".join(
        text(value)
        for value in (
            output.get("text", ""),
            *(value for kind, value in data.items() if kind.startswith("text/")),
        )
    )
    words = _DATA_URI.sub("", words)
    if match := _WARNING.search(words):
        yield f"a warning is stored ({match.group().rstrip(': ')})"
    if match := _PATH.search(words):
        yield f"an absolute path is stored ({match.group()})"
    yield from _image_problems(text(data.get("text/html", "")))


def _image_problems(markup: str) -> Iterator[str]:
    for tag in _IMG.findall(_DATA_URI.sub("", markup)):
        found = _ALT.search(tag)
        if found is None or not (found[1] or found[2] or "").strip():
            yield "a picture has no alt text"
