"""What a check raises: to the student, and within the checks on the way there."""

from __future__ import annotations


class CheckFailed(AssertionError):
    """What a check says about a wrong answer; a notebook shows this sentence alone."""

    def _render_traceback_(self) -> list[str]:
        """Give IPython the sentence in place of the machinery's traceback."""
        return [f"{type(self).__name__}: {self}"]


class Finding(Exception):
    """One thing that is wrong with an answer, on its way to the student.

    Args:
        what: sentences that follow "ID: ".
        look: where to look, told from the second failure on; the check's own hint if empty.
    """

    def __init__(self, what: str, look: str = "") -> None:
        super().__init__(what)
        self.what, self.look = what, look
