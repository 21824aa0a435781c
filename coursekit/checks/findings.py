"""What a check raises: to the student, and within the checks on the way there."""

from __future__ import annotations

import dis


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


def not_written(error: NotImplementedError) -> bool:
    """Whether an answer says by itself that it is not written yet.

    torch raises the same exception where an operation does not exist for a type (a minus before
    booleans, say); that is a mistake like any other. A `raise` statement tells the two apart.
    """
    return by_statement(error)


def by_statement(error: Exception) -> bool:
    """Whether a `raise` statement made an error, and not an operation that failed."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return True
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]
