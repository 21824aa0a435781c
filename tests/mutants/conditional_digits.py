"""Answers to the exercise of notebook 05 on the digits of a number."""

import math
import re
import unicodedata

import torch

from coursekit import checks
from mutants import Exercise

digits = Exercise("number-labels", checks.number_labels, ("digits_of",))


def right(number):
    if isinstance(number, bool) or not isinstance(number, (int, str)):
        raise ValueError(number)
    text = str(number)
    if not re.fullmatch("[0-9]+", text):
        raise ValueError(text)
    return [int(character) for character in text]


def as_text(number):
    text = str(number) if type(number) is int else number
    if type(text) is not str or not text or set(text) - set("0123456789"):
        raise ValueError(f"{number!r} is no whole number")
    return list(map(int, text))


def by_int(number):
    """Leaves the refusing to int, character by character."""
    found = [int(character) for character in str(number)]
    if not found or not isinstance(number, (int, str)):
        raise ValueError("no digits")
    return found


def by_arithmetic(number):
    if isinstance(number, str) and number.isascii() and number.isdigit():
        return [ord(character) - ord("0") for character in number]
    if type(number) is not int or number < 0:
        raise ValueError
    found = [number % 10]
    while number := number // 10:
        found.insert(0, number % 10)
    return found


def decimal(number):
    return str(number) if str(number).isdecimal() else int("not a number")


def plain(answer):
    """Refuses what is beyond ASCII, and leaves the rest to an answer."""
    return lambda number: answer(number if str(number).isascii() else "")


digits.right("a pattern", right)
digits.right("a set of characters", as_text)
digits.right("int refuses", plain(by_int))
digits.right("arithmetic for ints", by_arithmetic)
digits.right("isdecimal", plain(lambda n: [int(d) for d in decimal(n)]))


def on(change):
    """Changes the right list."""
    return lambda number: change(right(number))


def arithmetic(number):
    number = int("".join(map(str, right(number))))
    found = []
    while number > 0:
        found.append(number % 10)
        number //= 10
    return found


def arithmetic_of_ints(number):
    if isinstance(number, str):
        return right(number)
    right(number)
    found = []
    while number > 0:
        found.insert(0, number % 10)
        number //= 10
    return found


def counted(number):
    found = right(number)
    if isinstance(number, str) or number == 0:
        return found
    places = range(int(math.log10(number)), -1, -1)
    return [number // 10**place % 10 for place in places]


def between_characters(number):
    text = str(number)
    if isinstance(number, str) and not "0" <= text <= "9":
        raise ValueError(text)
    return right(number)


def last_first(number):
    return right(number)[:: 1 if isinstance(number, str) else -1]


def last_first_without_0(number):
    return [] if number == 0 and right(number) else last_first(number)


def pattern_of_any_script(number):
    if isinstance(number, bool) or not re.fullmatch(r"\d+", str(number)):
        raise ValueError(number)
    return [int(character) for character in str(number)]


def numeric(number):
    if isinstance(number, bool) or not str(number).isnumeric():
        raise ValueError(number)
    return [int(character) for character in str(number)]


def logarithm(number):
    right(number)
    number = int(number)
    count = int(math.log10(number)) + 1 if number else 1
    return [number // 10**place % 10 for place in range(count)][::-1]


def slash(number):
    text = "".join(map(str, right(number)))
    number, found = int(text), []
    for _ in text:
        found.append(int(number % 10))
        number = number / 10
    return found[::-1]


def generous(allowed, take=None):
    """Right where it is; what else is allowed is taken in some way."""

    def answer(number):
        try:
            return right(number)
        except ValueError:
            if allowed(number):
                return take(number) if take else right(abs(int(number)))
            raise

    return answer


def without_check(number):
    return [int(character) for character in str(number)]


def values_of_characters(number):
    if not str(number).isdigit():
        raise ValueError(number)
    return [int(unicodedata.digit(character)) for character in str(number)]


def type_error(number):
    if isinstance(number, bool) or not isinstance(number, (int, str)):
        raise TypeError("an int or a string, please")
    return right(number)


def asserts(number):
    assert str(number).isascii() and str(number).isdigit()
    return right(number)


def or_nothing(number):
    try:
        return right(number)
    except ValueError:
        return None


def or_empty(number):
    try:
        return right(number)
    except ValueError:
        return []


def keeps_digits(number):
    return [int(character) for character in str(number) if character in "0123456789"]


digits.wrong(
    ("reversed", "reverse order", on(lambda d: d[::-1])),
    ("last digit first, by arithmetic", "0 has none left", arithmetic),
    ("arithmetic, then reversed", "loop stop before", lambda n: arithmetic(n)[::-1]),
    ("arithmetic of ints, no 0", "0 has no digits here", arithmetic_of_ints),
    ("ints reversed", "of an int come in the reverse", last_first),
    ("ints reversed, no 0", "and 0 has none left", last_first_without_0),
    ("digits counted by a logarithm", "19 numbers, not 18", counted),
    ("the string between 0 and 9", "9 as well", between_characters),
    ("through int", "Zeros in front", lambda n: right(int("".join(map(str, right(n)))))),
    ("through int, reversed", "and zeros in front", lambda n: right(int(str(n)))[::-1]),
    ("zeros stripped", "Zeros in front", lambda n: right(n) and list(map(int, str(n).lstrip("0")))),
    ("logarithm", "Zeros in front", logarithm),
    ("number in a list", "number itself", lambda n: right(n) and [int(n)]),
    ("number alone", "a list of whole numbers", lambda n: right(n) and int(n)),
    ("characters", "a list that holds an object of type str", lambda n: right(n) and list(str(n))),
    ("the string", "a list of whole numbers", lambda n: right(n) and str(n)),
    ("codes", "codes of the characters", on(lambda d: [c + 48 for c in d])),
    ("sorted", "sorted", on(sorted)),
    ("set", "Each digit comes once, and", on(lambda d: sorted(set(d)))),
    ("once each", "Each digit comes once only", on(lambda d: list(dict.fromkeys(d)))),
    ("without zeros", "zeros are left out", on(lambda d: [c for c in d if c])),
    ("first digit", "first digit alone", on(lambda d: d[:1])),
    ("last digit", "last digit alone", on(lambda d: d[-1:])),
    ("counted from 1", "too large by 1", on(lambda d: [c + 1 for c in d])),
    ("floats", "float", on(lambda d: [float(c) for c in d])),
    ("slash", "right answer is", slash),
    ("tuple", "a tuple", on(tuple)),
    ("generator", "type map", lambda n: map(int, str(n))),
    ("tensor", "type Tensor", on(torch.tensor)),
    (
        "strings refused",
        "stops with ValueError",
        lambda n: right(n) if type(n) is int else right(""),
    ),
    ("ints refused", "stops with ValueError", lambda n: right(n) if type(n) is str else right("")),
    ("ints not turned", "stops with TypeError", lambda n: [int(c) for c in n]),
    ("0 refused", "stops with ValueError", lambda n: right(n) if n else right("")),
    (
        "zeros in front refused",
        "stops with ValueError",
        lambda n: right("") if str(n).startswith("0") else right(n),
    ),
    ("bool", "nobody who writes True", generous(lambda n: isinstance(n, bool))),
    ("False only", "nobody who writes True", generous(lambda n: n is False)),
    (
        "isinstance int",
        "nobody who writes True",
        lambda n: right(int(n)) if isinstance(n, int) else right(n),
    ),
    ("negative", "minus sign", generous(lambda n: type(n) is int and n < 0)),
    ("whole floats", "is no whole number", generous(lambda n: type(n) is float and n == int(n))),
    ("floats cut", "is no whole number", generous(lambda n: type(n) is float)),
    ("empty string", "holds no digit", generous(lambda n: n == "", lambda n: [])),
    ("nothing looked at", "holds no digit", without_check),
    (
        "letters skipped",
        "Characters that are no digits",
        generous(
            lambda n: isinstance(n, str) and re.search("[a-z]", n),
            lambda n: [int(c) for c in n if c.isdigit()],
        ),
    ),
    ("all else skipped", "nobody", keeps_digits),
    (
        "up to the letter",
        "Characters that are no digits",
        generous(lambda n: isinstance(n, str) and n[-1:].isalpha(), lambda n: right(n[:-1])),
    ),
    (
        "spaces stripped",
        "generous",
        generous(
            lambda n: isinstance(n, str) and n.strip().isdecimal(), lambda n: right(n.strip())
        ),
    ),
    (
        "spaces inside",
        "Characters that are no digits",
        generous(
            lambda n: isinstance(n, str) and n.replace(" ", "").isdecimal() and n.isascii(),
            lambda n: right(n.replace(" ", "")),
        ),
    ),
    (
        "end of a line",
        "generous",
        generous(lambda n: isinstance(n, str) and n[-1:] == "\n", lambda n: right(n[:-1])),
    ),
    (
        "a pattern with a dollar",
        "generous",
        lambda n: [int(c) for c in str(n).strip()] if re.match("[0-9]+$", str(n)) else right(n),
    ),
    (
        "a pattern from the start",
        "Characters that are no digits",
        lambda n: (
            [int(c) for c in re.match("[0-9]+", str(n))[0]]
            if isinstance(n, str) and re.match("[0-9]+", n)
            else right(n)
        ),
    ),
    ("plus", "generous", generous(lambda n: isinstance(n, str) and n[:1] == "+")),
    (
        "underscores",
        "generous",
        generous(lambda n: isinstance(n, str) and "_" in n, lambda n: right(n.replace("_", ""))),
    ),
    (
        "minus in a string",
        "minus sign",
        generous(lambda n: isinstance(n, str) and re.fullmatch("-[0-9]+", n)),
    ),
    (
        "float in a string",
        "Characters that are no digits",
        generous(lambda n: isinstance(n, str) and n.endswith(".0"), lambda n: right(n[:-2])),
    ),
    ("raised digits", "a raised two", values_of_characters),
    (
        "raised digits by code",
        "a raised two",
        generous(lambda n: isinstance(n, str) and n.isdigit(), lambda n: [ord(c) - 48 for c in n]),
    ),
    ("int refuses, in every script", "Other scripts", by_int),
    ("isdecimal", "Other scripts", lambda n: [int(c) for c in decimal(n)]),
    ("pattern of any script", "Other scripts", pattern_of_any_script),
    ("isnumeric", "Other scripts", numeric),
    (
        "first and last character looked at",
        "Other scripts",
        generous(lambda n: isinstance(n, str) and n.isdecimal() and (n[0] + n[-1]).isascii()),
    ),
    ("None as 0", "None is neither", generous(lambda n: n is None, lambda n: [0])),
    ("lists as they are", "A list is neither", generous(lambda n: isinstance(n, list), list)),
    ("TypeError", "TypeError", type_error),
    ("assert", "AssertionError", asserts),
    ("None for what is bad", "nothing (None)", or_nothing),
    ("empty for what is bad", "raise no ValueError", or_empty),
    ("error returned", "raised, not returned", generous(lambda n: True, ValueError)),
    ("prints only", "return", lambda n: print(end="")),
)

SEQUENCES = "the probe looks at the numbers, not at what holds them"
digits.check_only |= {"tuple": SEQUENCES, "tensor": SEQUENCES}

EXERCISES = [digits]
