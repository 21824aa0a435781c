"""A loss plot that grows while a model trains."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from coursekit.history import shown
from coursekit.plots.curves import curves
from coursekit.plots.display import CSS_DPI, DOTS, Picture, figure_png


def _in_notebook() -> bool:
    """Whether a Jupyter kernel is there to show a picture that changes."""
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


class LiveCurves:
    """Two curves (train and validation loss, say) in one picture that is replaced in its place.

    One display handle is updated at most once a second, and never takes more than about a
    twentieth of the time; outside a notebook nothing happens. `close` leaves the final picture.

    Args:
        title: a line above the curves.
        enabled: False makes every method do nothing.
        interval: seconds between two pictures, at least.
        ylabel: name and unit of the vertical axis.
        names: of the two curves.

    Example:
        >>> live = LiveCurves("MLP VAE", enabled=True)
        >>> live.update([210.0, 150.0], [180.0, 145.0])
        >>> live.close()
    """

    def __init__(
        self,
        title: str = "",
        enabled: bool = True,
        *,
        interval: float = 1.0,
        ylabel: str = "loss (nats per picture)",
        names: tuple[str, str] = ("train", "validation"),
    ) -> None:
        self.title, self.ylabel, self.names = title, ylabel, names
        self.enabled = bool(enabled) and _in_notebook()
        self._interval, self._wait = interval, interval
        self._handle: Any = None
        self._last = -math.inf
        self._losses: tuple[list[float], list[float]] = ([], [])

    def update(
        self, train_losses: Sequence[float], validation_losses: Sequence[float] = ()
    ) -> None:
        """Show the losses so far, one entry an epoch, unless the last picture is too recent."""
        if not self.enabled or not (len(train_losses) or len(validation_losses)):
            return
        self._losses = ([*map(float, train_losses)], [*map(float, validation_losses)])
        if time.monotonic() - self._last >= self._wait:
            self._draw(dots=1)

    def close(self) -> None:
        """Draw all epochs once more, sharply; this last picture stays in the notebook."""
        if self._losses != ([], []):
            self._draw(dots=DOTS)

    def _draw(self, dots: int) -> None:
        from IPython.display import display

        began = time.monotonic()
        picture = self._picture(dots)
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)
        self._last = time.monotonic()
        self._wait = max(self._interval, 20 * (self._last - began))

    def _picture(self, dots: int) -> Picture:
        named = dict(zip(self.names, self._losses, strict=True))
        parts = {name: values for name, values in named.items() if values}
        figure = curves({"": parts}, title=self.title or None, ylabel=self.ylabel)
        ends = ", ".join(f"{name} {shown(values[-1])}" for name, values in parts.items())
        epochs = max(len(values) for values in parts.values())
        alt = f"{self.title or 'Loss'}: curves over {epochs} epochs, ending at {ends}."
        return Picture(figure_png(figure, dots), alt, round(figure.get_figwidth() * CSS_DPI))
