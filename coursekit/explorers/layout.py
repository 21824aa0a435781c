"""What all explorers share: a picture beside labelled controls, and a line for errors."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

_VISIBLE = "visible"  # boxes scroll by default; explorers are laid out so that nothing needs to


def slider(
    label: str,
    value: float,
    low: float,
    high: float,
    step: float,
    *,
    readout: str = ".2f",
    label_width: str = "92px",
) -> widgets.FloatSlider:
    """A labelled slider that reports while it is moved, by mouse or arrow keys."""
    return widgets.FloatSlider(
        value=value,
        min=low,
        max=high,
        step=step,
        description=label,
        readout_format=readout,
        continuous_update=True,
        style={"description_width": label_width},
        layout=widgets.Layout(width="390px", margin="1px 0"),
    )


def put(control: widgets.FloatSlider | widgets.IntSlider, value: float) -> None:
    """Set a slider from a button, without the browser sending it back.

    A slider that reports while it is moved also reports what it was set to, rounded to a step;
    late, that would undo what was set in the meantime.
    """
    with control.hold_sync():  # one message, so that it is not reported
        control.continuous_update = False
        control.value = min(control.max, max(control.min, value))
    control.continuous_update = True


def whole_slider(
    label: str, value: int, low: int, high: int, *, label_width: str = "92px"
) -> widgets.IntSlider:
    """A labelled slider over whole numbers."""
    return widgets.IntSlider(
        value=value,
        min=low,
        max=high,
        description=label,
        continuous_update=True,
        style={"description_width": label_width},
        layout=widgets.Layout(width="390px", margin="1px 0"),
    )


def heading(text: str) -> widgets.HTML:
    """A short line above a group of controls."""
    return widgets.HTML(
        f'<div style="font-weight: 600; line-height: 1.4">{html.escape(text)}</div>',
        layout=widgets.Layout(margin="6px 0 0 0"),
    )


class Explorer(widgets.VBox):
    """A picture that follows its controls, with a sentence that says what it shows.

    An exception while drawing is shown in one line below the picture, and raised again.

    Args:
        title: what is explored.
        controls: name to widget; each one's `value` is handed to `draw` and `describe` by name.
        draw: values of the controls to PNG bytes.
        describe: values of the controls to one sentence, for those who cannot see the picture.
        width: width of the picture in CSS pixels.
        buttons: label to what it does; the picture is drawn anew afterwards.
        headings: name of a control to a line written above it.
    """

    def __init__(
        self,
        title: str,
        controls: Mapping[str, Any],
        draw: Callable[..., bytes],
        describe: Callable[..., str],
        *,
        width: int,
        buttons: Mapping[str, Callable[[], None]] | None = None,
        headings: Mapping[str, str] | None = None,
    ) -> None:
        self.controls = dict(controls)
        self._draw_picture, self._describe = draw, describe
        self._paused = False
        self.picture = widgets.Image(
            format="png", layout=widgets.Layout(width=f"{width}px", max_width="100%", height="auto")
        )
        self.caption = widgets.HTML()
        self.message = widgets.HTML()
        self.buttons = {
            label: widgets.Button(
                description=label,
                tooltip=label,
                layout=widgets.Layout(width="auto", min_width="92px", margin="6px 8px 0 0"),
            )
            for label in buttons or {}
        }
        for label, act in (buttons or {}).items():
            self.buttons[label].on_click(self._pressed(act))
        column: list[Any] = []
        for name, control in self.controls.items():
            if headings and name in headings:
                column.append(heading(headings[name]))
            column.append(control)
            control.observe(self._changed, names="value")
        if self.buttons:
            row = widgets.Layout(overflow=_VISIBLE, margin="2px 0 0 0")
            column.append(widgets.HBox(list(self.buttons.values()), layout=row))
        side = widgets.VBox(
            column, layout=widgets.Layout(overflow=_VISIBLE, width="400px", padding="14px 0 0 0")
        )
        body = widgets.HBox(
            [self.picture, side],
            layout=widgets.Layout(
                overflow=_VISIBLE, flex_flow="row wrap", align_items="flex-start", grid_gap="20px"
            ),
        )
        super().__init__(
            [heading(title), body, self.caption, self.message],
            layout=widgets.Layout(overflow=_VISIBLE, padding="2px 4px"),
        )
        self.refresh()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Set several controls inside, and draw once at the end."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False
        self.refresh()

    def refresh(self) -> None:
        """Draw the picture for the values the controls have now."""
        values = {name: control.value for name, control in self.controls.items()}
        try:
            self.picture.value = self._draw_picture(**values)
            self.caption.value = html.escape(self._describe(**values))
            self.message.value = ""
        except Exception as error:
            said = (str(error).strip().splitlines() or ["no message"])[0]
            text = html.escape(f"{type(error).__name__}: {said}")
            self.message.value = f'<span role="alert" style="color: #B42318">{text}</span>'
            raise

    def _changed(self, _change: object) -> None:
        if not self._paused:
            self.refresh()

    def _pressed(self, act: Callable[[], None]) -> Callable[[object], None]:
        def on_click(_button: object) -> None:
            with self.paused():
                act()

        return on_click
