"""The embedded data sets, drawn from known factors: handwritten-looking digits, coloured scenes."""

from __future__ import annotations

from coursekit.synthetic.digits import digits
from coursekit.synthetic.scenes import SHAPES, scenes

__all__ = ["CLASS_NAMES", "VERSION", "digits", "scenes"]

# Raised whenever a drawing changes, so that an older cache is drawn anew.
VERSION = 2
CLASS_NAMES = {"digits": tuple("0123456789"), "scenes": SHAPES}
