"""Check of `number-labels`: the digits of a whole number, kept in order, all else refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

from torch import Tensor

from coursekit.checks.autoencoders.whole import run_whole, whole
from coursekit.checks.conditional.refusals import Refusal, examine
from coursekit.checks.engine import Case, Check, Function, Slip

_DIGITS = "0123456789"


def _places(number: int | str) -> list[int]:
    """Where each character of the number stands among the digits."""
    return [_DIGITS.index(character) for character in f"{number}"]


def _right(number: int | str) -> Tensor:
    return whole(_places(number))


def _named(number: Any) -> str:
    return f"number = {number!r}"


def _cases() -> list[Case]:
    def case(number: int | str, clue: str = "") -> Case:
        return Case({"number": number}, _named(number), clue)

    return [
        case(8),
        case(243),
        case(2810393592),
        case("2810393592"),
        case(0, "0 is a whole number too: how many digits has it?"),
        case("007", "In a string zeros may come first, and each is a digit to be drawn."),
        case("0", "A single 0 is a digit to be drawn."),
        case("000", "In a string zeros may come first, and each is a digit to be drawn."),
        case(1000),
        case("95", "Strings may begin with any digit, 9 as well."),
        case(999_999_999_999_999_999),
        case(
            12345678901234567891,
            "A number may be longer than a float can tell exactly.",
        ),
    ]


def _of(change: Function) -> Function:
    """The digits of a number that is changed before, or whose digits are changed after."""
    return lambda number: whole(change(number))


_ORDER = "Write down 243 and 007 digit by digit, from left to right: what comes first?"
_ZEROS = "What does int make of a string that begins with 0, and of 0 itself?"

CHECK = Check(
    reference=_right,
    cases=_cases,
    look=_ORDER,
    slips=[
        Slip(
            _of(lambda number: _places(number)[::-1]),
            "The digits come in the reverse order: taking the last one off first turns the "
            "number round.",
            _ORDER,
        ),
        Slip(
            _of(
                lambda number: _places(number)[::-1] if isinstance(number, int) else _places(number)
            ),
            "The digits of an int come in the reverse order: taking the last one off first turns "
            "the number round.",
            _ORDER,
        ),
        Slip(
            _of(
                lambda number: (
                    _places(number)[:: -1 if isinstance(number, int) else 1] if number != 0 else []
                )
            ),
            "The digits of an int come in the reverse order, and 0 has none left.",
            _ORDER,
        ),
        Slip(
            _of(lambda number: _places(int(number))),
            "Zeros in front are lost: a string keeps them, the int made of it does not.",
            _ZEROS,
        ),
        Slip(
            _of(lambda number: _places(int(number)) if int(number) else []),
            "Zeros in front are lost, and 0 itself has no digits left: are they stripped, or does "
            "a loop stop before its first round?",
            _ZEROS,
        ),
        Slip(
            _of(lambda number: _places(number) if number != 0 else []),
            "0 has no digits here: does a loop stop before its first round?",
            _ZEROS,
        ),
        Slip(
            _of(lambda number: _places(int(number))[::-1] if int(number) else []),
            "The digits come in the reverse order, zeros in front are lost, and 0 has none left.",
            _ORDER,
        ),
        Slip(
            _of(lambda number: _places(int(number))[::-1]),
            "The digits come in the reverse order, and zeros in front are lost.",
            _ORDER,
        ),
        Slip(
            _of(lambda number: _places(number)[::-1] if number != 0 else []),
            "The digits come in the reverse order, and 0 has none left.",
            _ORDER,
        ),
        Slip(
            _of(lambda number: [int(number)]),
            "That is the number itself in a list: its digits were asked, one by one.",
            _ORDER,
        ),
        Slip(
            _of(lambda number: [ord(character) for character in f"{number}"]),
            "Those are the codes of the characters: the digits' own values were asked.",
            "What does ord say of the character 0?",
        ),
        Slip(
            _of(lambda number: sorted(_places(number))),
            "The digits are sorted: their order is the number's.",
            _ORDER,
        ),
        Slip(
            _of(lambda number: sorted(set(_places(number)))),
            "Each digit comes once, and in order of size: all come, in the number's order.",
            _ORDER,
        ),
        Slip(
            _of(lambda number: list(dict.fromkeys(_places(number)))),
            "Each digit comes once only: one that comes twice in the number is drawn twice.",
            _ORDER,
        ),
        Slip(
            _of(lambda number: [digit for digit in _places(number) if digit]),
            "The zeros are left out: 0 is a digit as any other.",
            _ZEROS,
        ),
        Slip(
            _of(lambda number: _places(number)[:1]),
            "That is the first digit alone: does the return stand inside the loop?",
            _ORDER,
        ),
        Slip(
            _of(lambda number: _places(number)[-1:]),
            "That is the last digit alone: all of them were asked.",
            _ORDER,
        ),
        Slip(
            _of(lambda number: _places(int(float(number)))),
            "Large numbers lose digits: a float holds about 16 of them.",
            "Is there a float, or a division with one slash, on the way?",
        ),
    ],
)

_BOOL = (
    "In Python True and False are ints as well, 1 and 0: nobody who writes True means the digit 1."
)
_NEGATIVE = "A minus sign cannot be drawn: negative numbers are to be refused."
_FLOAT = "A float is no whole number, even if nothing follows its point: it is not an int."
_GENEROUS = (
    "Python's own functions are generous about what they take for a number: only the digits 0 to 9 "
    "may stand in a string."
)
_SCRIPTS = (
    "Other scripts have digits of their own, and int, isdigit, isdecimal and many patterns take "
    "them: only the characters 0 to 9 are labels."
)
_LETTERS = "Characters that are no digits are skipped, or taken for some: refuse the whole string."

_ALLOWED = (
    "Write down what is allowed: an int that is no bool, or a string of the digits 0 to 9 that is "
    "not empty. Look for that first, and refuse the rest."
)


def _refusals() -> list[Refusal]:
    def bad(number: Any, what: str) -> Refusal:
        return Refusal({"number": number}, what, _named(number))

    return [
        bad(True, _BOOL),
        bad(False, _BOOL),
        bad(-5, _NEGATIVE),
        bad(-1234, _NEGATIVE),
        bad(2.0, _FLOAT),
        bad(3.5, _FLOAT),
        bad("", "The empty string holds no digit, so there is nothing to draw."),
        bad("12a", _LETTERS),
        bad("a", _LETTERS),
        bad("1 2", _LETTERS),
        bad(" 1", _GENEROUS),
        bad("1\n", _GENEROUS),
        bad("+7", _GENEROUS),
        bad("1_000", _GENEROUS),
        bad("-7", _NEGATIVE),
        bad("2.0", _LETTERS),
        bad("²", "isdigit calls ² a digit, a raised two: only the characters 0 to 9 are labels."),
        bad("1²", "isdigit calls ² a digit, a raised two: only the characters 0 to 9 are labels."),
        bad("٣", _SCRIPTS),
        bad("\uff11\uff12", _SCRIPTS),
        bad("1٣2", _SCRIPTS),
        bad(None, "None is neither an int nor a string."),
        bad([2, 4], "A list is neither an int nor a string, whatever stands in it."),
    ]


def _is_right(function: Function, case: Case) -> bool:
    """Whether a case's answer is right, type and all."""
    number = case.inputs["number"]
    try:
        value = function(number)
    except Exception:
        return False
    whole_numbers = isinstance(value, list) and all(
        isinstance(digit, Integral) and not isinstance(digit, bool) for digit in value
    )
    return whole_numbers and bool(value == _places(number))


def number_labels(function: Function) -> None:
    """Check `digits_of(number) -> list[int]`."""
    __tracebackhide__ = True

    def cases() -> Sequence[Case]:
        found = list(CHECK.cases())
        # Slips are whole numbers in floats: none of them holds the longest number as it is.
        short = [case for case in found if len(f"{case.inputs['number']}") < 16]
        if not all(_is_right(function, case) for case in short):
            return short
        if all(_is_right(function, case) for case in found):
            examine(function, _refusals(), _ALLOWED)
        return found

    run_whole("number-labels", replace(CHECK, cases=cases), function, listed=True)
