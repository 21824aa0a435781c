"""The one kind of error that the course raises for bad input."""

from __future__ import annotations


class CourseError(ValueError):
    """Bad input: its message says in one sentence what is wrong, where, and how to mend it."""
