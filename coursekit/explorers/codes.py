"""Explorer of notebook 08: a code map as a grid of buttons, one code changed at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import torch
from torch import Tensor
from traitlets import Int

from coursekit.errors import CourseError
from coursekit.explorers.canvas import SOFT, Canvas, number
from coursekit.explorers.layout import Explorer, put, whole_slider
from coursekit.plots.display import VERMILLION
from coursekit.plots.pictures import check_pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Decode = Callable[[Tensor], Tensor]

_WIDTH, _HEIGHT, _SIDE, _LEFT, _TOP = 456, 346, 128, 14, 32
_STEP_X, _STEP_Y = 144, 164
_CHOSEN, _CHANGED, _PLAIN = "#F2C2A2", "#CFE3F1", "#EEF0F2"  # pale: the number stays readable


class CodeGrid(widgets.VBox):
    """A code map as rows of buttons, each with its code; `value` is the cell that is chosen.

    Args:
        codes: (h, w) code indices.

    Attributes:
        value: index of the chosen cell, row by row from the upper left; at first the middle one.
        cells: the buttons, in the same order.
    """

    value = Int(0)

    def __init__(self, codes: Tensor) -> None:
        height, width = codes.shape
        self.own, self.shown = codes.clone(), codes.clone()
        box = widgets.Layout(width="46px", height="28px", padding="0", margin="1px")
        self.cells = [widgets.Button(layout=box) for _ in range(height * width)]
        for index, cell in enumerate(self.cells):
            cell.on_click(self._chooser(index))
        open_row = widgets.Layout(overflow="visible")
        rows = [
            widgets.HBox(self.cells[row * width : (row + 1) * width], layout=open_row)
            for row in range(height)
        ]
        super().__init__(rows, layout=widgets.Layout(overflow="visible", margin="4px 0"))
        self.value = height // 2 * width + width // 2
        self.observe(lambda _change: self._paint(), names="value")
        self._paint()

    def show(self, own: Tensor, shown: Tensor) -> None:
        """Write other codes on the buttons: the picture's own, and what stands there now."""
        self.own, self.shown = own.clone(), shown.clone()
        self._paint()

    def _chooser(self, index: int) -> Callable[[object], None]:
        def on_click(_button: object) -> None:
            self.value = index

        return on_click

    def _paint(self) -> None:
        width = self.own.shape[1]
        own, shown = self.own.flatten().tolist(), self.shown.flatten().tolist()
        for index, cell in enumerate(self.cells):
            row, column = divmod(index, width)
            changed = own[index] != shown[index]
            said = f"row {row + 1}, column {column + 1}: code {shown[index]}"
            colour = _CHOSEN if index == self.value else _CHANGED if changed else _PLAIN
            # a name is sent to the browser only where it is another one
            cell.description = str(shown[index])
            cell.tooltip = said + (f", own code {own[index]}" if changed else "")
            cell.style.button_color = colour
            cell.style.font_weight = "bold" if changed or index == self.value else ""


def _checked_maps(maps: Tensor, codes: int) -> Tensor:
    if maps.ndim != 3 or maps.numel() == 0 or maps.dtype.is_floating_point:
        raise CourseError(
            f"maps must be code indices of shape (N, h, w), not {maps.dtype} of "
            f"{tuple(maps.shape)}."
        )
    low, high = int(maps.min()), int(maps.max())
    if low < 0 or high >= codes:
        raise CourseError(
            f"maps holds codes from {low} to {high}; there are codes 0 to {codes - 1}."
        )
    return maps.detach().cpu().long()


def _decoded(decode: Decode, maps: Tensor, device: str) -> Tensor:
    with torch.no_grad():
        pictures = check_pictures(decode(maps.to(device)), "decode(codes)")
    if len(pictures) != len(maps):
        raise CourseError(f"decode(codes) gives {len(pictures)} pictures for {len(maps)} maps.")
    return pictures


def _change(before: Tensor, after: Tensor) -> Tensor:
    """By how much each pixel differs, (..., 1, H, W): the largest difference of its channels."""
    return (after - before).abs().amax(dim=-3, keepdim=True)


def render_code_map(
    own: Tensor,
    shown: Tensor,
    everywhere: Tensor,
    *,
    cell: tuple[int, int],
    size: tuple[int, int],
    code: int,
    original: Tensor | None = None,
) -> bytes:
    """A picture from its own codes and from changed ones, and what the change did, as PNG bytes.

    Args:
        own: (C, H, W) the picture from its own codes, in [0, 1].
        shown: the same from the codes that stand there now.
        everywhere: the picture of a map that has the chosen code in every cell.
        cell: row and column of the chosen cell.
        size: rows and columns of the map.
        code: the chosen cell's code, named in a caption.
        original: the picture itself, where there is one.

    Returns:
        PNG bytes, 912 x 692 dots.

    Raises:
        CourseError: a cell outside of the map.
    """
    rows, columns = size
    if not (0 <= cell[0] < rows and 0 <= cell[1] < columns):
        raise CourseError(f"cell {cell} lies outside of a map of {rows} x {columns} cells.")
    difference = _change(own, shown)
    canvas = Canvas(_WIDTH, _HEIGHT)
    tiles = [("from its own codes", own), ("from the codes shown", shown)]
    tiles += [("change", difference), (f"code {code} everywhere", everywhere)]
    if original is not None:
        tiles.insert(0, ("the picture", original))
    for place, (caption, picture) in enumerate(tiles):
        row, column = divmod(place, 3)
        x, y = _LEFT + column * _STEP_X, _TOP + row * _STEP_Y
        canvas.picture(picture, x, y, _SIDE, caption)
        if caption in ("from the codes shown", "change"):
            _frame(canvas, picture, x, y, cell, size)
    x, y = _LEFT + 2 * _STEP_X, _TOP + _STEP_Y
    share = float((difference > 0.02).float().mean())
    lines = (
        f"row {cell[0] + 1}, column {cell[1] + 1}",
        f"code {code}",
        "",
        f"changed pixels: {share:.0%}",
        f"mean sq. change: {number(float((shown - own).square().mean()), 4)}",
    )
    for place, line in enumerate(lines):
        canvas.text(x, y + 14 + 21 * place, line, size=12, bold=place == 1)
    canvas.text(x, y + 130, "framed: the cell", size=11, colour=SOFT)
    return canvas.png()


def _frame(
    canvas: Canvas, picture: Tensor, x: float, y: float, cell: tuple[int, int], size: Any
) -> None:
    """Frame the cell's place in a picture that stands in the middle of its square."""
    height, width = picture.shape[1:]
    scale = max(1, 2 * _SIDE // max(height, width)) / 2  # as Canvas.picture enlarges it
    left = x + (_SIDE - width * scale) / 2
    top = y + (_SIDE - height * scale) / 2
    down, across = height * scale / size[0], width * scale / size[1]
    box = (
        left + cell[1] * across,
        top + cell[0] * down,
        left + (cell[1] + 1) * across,
        top + (cell[0] + 1) * down,
    )
    canvas.rectangle(box, outline=VERMILLION, width=1.5)


def code_map(
    decode: Decode,
    maps: Tensor,
    *,
    codes: int,
    pictures: Tensor | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Explorer:
    """Choose a cell of a picture's code map, change its code, see the picture change.

    Args:
        decode: (B, h, w) code indices to (B, C, H, W) pictures in [0, 1].
        maps: (N, h, w) the code maps that can be chosen.
        codes: how many codes there are.
        pictures: (N, C, H, W) what the maps were made from, in [0, 1], to be shown beside.
        seed: of the button that draws a code.
        device: where `decode` wants its codes.

    Returns:
        A widget; leave it as the last line of a cell.

    Raises:
        CourseError: codes that do not exist, maps or pictures of a wrong shape or number.
    """
    own = _checked_maps(maps, codes)
    originals = None if pictures is None else check_pictures(pictures)
    if originals is not None and len(originals) != len(own):
        raise CourseError(f"There are {len(originals)} pictures for {len(own)} code maps.")
    now, generator = own.clone(), torch.Generator().manual_seed(seed)
    size = (own.shape[1], own.shape[2])
    have: dict[bytes, Tensor] = {}

    def picture_of(codes_here: Tensor) -> Tensor:
        key = codes_here.numpy().tobytes()
        if key not in have:
            if len(have) > 500:
                have.clear()
            have[key] = _decoded(decode, codes_here[None], device)[0]
        return have[key]

    grid = CodeGrid(own[0])
    chooser = whole_slider("picture", 0, 0, max(1, len(own) - 1)) if len(own) > 1 else None
    changer = whole_slider("code", int(own[0].flatten()[grid.value]), 0, codes - 1)

    def here() -> tuple[int, int, int]:
        row, column = divmod(grid.value, size[1])
        return (chooser.value if chooser else 0), row, column

    def another_place(_change: object) -> None:
        index = here()[0]
        grid.show(own[index], now[index])
        put(changer, int(now[here()]))

    def another_code(change: Any) -> None:
        now[here()] = change.new
        grid.show(own[here()[0]], now[here()[0]])

    # before the explorer's own observers, so that it draws what is true by then
    grid.observe(another_place, names="value")
    if chooser is not None:
        chooser.observe(another_place, names="value")
    changer.observe(another_code, names="value")

    def draw(**_values: int) -> bytes:
        index, row, column = here()
        code = int(now[index, row, column])
        return render_code_map(
            picture_of(own[index]),
            picture_of(now[index]),
            picture_of(torch.full_like(now[index], code)),
            cell=(row, column),
            size=size,
            code=code,
            original=None if originals is None else originals[index],
        )

    def describe(**_values: int) -> str:
        index, row, column = here()
        before, after = int(own[index, row, column]), int(now[index, row, column])
        changed = int((own[index] != now[index]).sum())
        moved = (picture_of(now[index]) - picture_of(own[index])).square().mean()
        return (
            f"Picture {index}, row {row + 1}, column {column + 1}: code {after} (its own: "
            f"{before}). Cells changed: {changed} of {size[0] * size[1]}; mean squared change "
            f"{number(float(moved), 4)}."
        )

    def draw_code() -> None:
        put(changer, int(torch.randint(codes, (1,), generator=generator)))

    def cell_back() -> None:
        put(changer, int(own[here()]))

    def all_back() -> None:
        now[here()[0]] = own[here()[0]]
        another_place(None)

    controls: dict[str, Any] = {} if chooser is None else {"picture": chooser}
    controls |= {"cell": grid, "code": changer}
    return Explorer(
        "A picture's codes: change one",
        controls,
        draw,
        describe,
        width=_WIDTH,
        buttons={"any code": draw_code, "cell back": cell_back, "all back": all_back},
        headings={"cell": "choose a cell", "code": "its code"},
    )


def code_map_static(
    decode: Decode,
    maps: Tensor,
    *,
    codes: int,
    pictures: Tensor | None = None,
    cell: tuple[int, int] | None = None,
    others: int = 5,
    seed: int = 0,
    device: str = "cpu",
) -> Figure:
    """The static twin of `code_map`: the first map with its numbers, and one cell changed.

    Args:
        decode: (B, h, w) code indices to (B, C, H, W) pictures in [0, 1].
        maps: (N, h, w) code maps; the first one is shown.
        codes: how many codes there are, at least 2.
        pictures: (N, C, H, W) what the maps were made from, in [0, 1].
        cell: row and column of the cell that is changed; the middle one when None.
        others: how many other codes are tried there.
        seed: of the draw of these codes.
        device: where `decode` wants its codes.

    Raises:
        CourseError: codes or a cell that do not exist, maps or pictures of a wrong shape.
    """
    from coursekit.plots.codes import map_and_edits

    own = _checked_maps(maps, codes)[0]
    rows, columns = own.shape
    row, column = cell or (rows // 2, columns // 2)
    if not (0 <= row < rows and 0 <= column < columns):
        raise CourseError(
            f"cell {(row, column)} lies outside of a map of {rows} x {columns} cells."
        )
    order = torch.randperm(codes, generator=torch.Generator().manual_seed(seed))
    tried = [int(code) for code in order if code != own[row, column]][:others]
    edits = own.repeat(1 + len(tried), 1, 1)
    for place, code in enumerate(tried):
        edits[1 + place, row, column] = code
    made = _decoded(decode, edits, device)
    original = None if pictures is None else check_pictures(pictures)[0]
    names = [f"own: {int(own[row, column])}", *(f"code {code}" for code in tried)]
    return map_and_edits(
        own, made, _change(made[:1], made), names, cell=(row, column), original=original
    )
