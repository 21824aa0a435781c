"""The table and the pages: formulas, markup and whatever else a student may write."""

import base64
import csv
import hashlib
import io
import re
from html.parser import HTMLParser

import pytest
from classroom_tiny import release

from coursekit.classroom import pages
from coursekit.classroom.cells import Question
from coursekit.classroom.marking import Grade, Mark, without_run
from coursekit.classroom.report import columns, points_of, quoted, summary, table

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\" ' & </pre></style>"


def grade(*verdicts, **more):
    probes = release().probes
    marks = [
        Mark(probe, probe.points if verdict == "right" else 0, verdict, EVIL, EVIL)
        for probe, verdict in zip(probes, verdicts or ["wrong"] * 3, strict=True)
    ]
    return Grade(tuple(marks), 1.25, **more)


def hostile():
    texts = {"square": EVIL, "sums": EVIL}
    answers = {"think-why": EVIL, "think-one": EVIL}
    return grade(
        "wrong", "right", "error", notes=(EVIL,), answers=answers, code=texts,
        checks={"square": EVIL + "!"},
        extras=(EVIL,),
    )  # fmt: skip


class Reader(HTMLParser):
    """Notes each tag with its attributes, and that what opens is closed."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def hostile_pages():
    yield pages.feedback(release(), EVIL, hostile(), {"think-why": 1.0, "think-one": None})
    yield pages.feedback(release(), EVIL, without_run(release(), EVIL), {})
    question = Question(EVIL, 2, EVIL, EVIL)
    yield pages.answers(question, {EVIL: {EVIL: EVIL}, f"{EVIL}2": {}})


@pytest.mark.parametrize("page", list(hostile_pages()))
def test_no_markup_of_a_student_survives(page):
    read = Reader(page)
    names = {tag for tag, _ in read.tags}
    assert not names & {"script", "img", "iframe", "a", "link", "form", "object", "base"}
    for _, attributes in read.tags:
        assert not any(name.startswith("on") or name in ("style", "src") for name in attributes)
    assert read.open == [] and EVIL in "".join(read.words)


@pytest.mark.parametrize("page", list(hostile_pages()))
def test_the_policy_allows_the_pages_own_style_and_nothing_else(page):
    policy = next(
        attributes["content"]
        for tag, attributes in Reader(page).tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    style = re.search(r"<style>(.*?)</style>", page, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    # It counts only for what comes after it.
    assert page.index("Content-Security-Policy") < page.index("<style>") < page.index("<body>")


def words(name, one, marks=None):
    page = pages.feedback(release(), name, one, marks or {})
    return " ".join("".join(Reader(page).words).split())


def test_a_page_says_what_happened():
    page = words("Anna", grade("right", "wrong", "right", checks={"sums": "3 is wrong"}))
    for expected in (
        "Anna", "A tiny notebook", "3.5 / 4.5", "1 of 2 exercises solved", "square 2 of 2 points",
        "sums 1.5 of 2.5 points", "Not right yet", "The check in the notebook says: 3 is wrong",
    ):  # fmt: skip
        assert expected in page


def test_a_right_answer_is_not_lectured():
    page = words("Anna", grade("right", "right", "right", checks={"square": "no"}))
    assert "the notebook says" not in page and "2 of 2 exercises solved" in page


def test_a_check_that_adds_nothing_is_not_shown():
    one = grade("error", "wrong", "wrong", checks={"square": EVIL, "sums": "NameError: total"})
    assert "the notebook says" not in words("Anna", one)
    one = grade("blank", "wrong", "wrong", checks={"square": "no", "sums": "3 is wrong"})
    assert words("Anna", one).count("the notebook says") == 1


def test_the_courses_own_text_is_set_and_still_escaped():
    text = "**Think.** *Why* is $a*b*c$ < 2?\n```python\nx = 1 ** 2 ** 3\n```\nAnd <b>?"
    page = pages.answers(Question("q", 1, text, "*Model answer.* x"), {})
    assert "<strong>Think.</strong> <em>Why</em> is $a*b*c$ &lt; 2?" in page
    assert "<pre>x = 1 ** 2 ** 3\n</pre>" in page and "And &lt;b&gt;?" in page


def test_questions_are_shown_with_their_state():
    one = grade(answers={"think-why": "Because.", "think-one": ""})
    page = words("Anna", one)
    assert "to be read by a person, 2 points" in page and "Your answer: Because." in page
    assert "not answered, 0 of 1 points" in page
    assert "1.5 of 2 points" in words("Anna", one, {"think-why": 1.5})


def test_what_could_not_be_read_has_a_page_too():
    page = words("Anna", without_run(release(), "The file is empty."))
    assert "could not be graded" in page and "The file is empty." in page
    assert "Exercises" not in page


def test_pages_do_not_depend_on_when_they_are_written():
    assert pages.feedback(release(), "a", hostile(), {}) == pages.feedback(
        release(), "a", hostile(), {}
    )


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\n=1",
        "\u00a0=1",
        "\ufeff=1",
        "\uff1d1",
        "\tanna",
        "\ranna",
    ],
)
def test_formulas_are_quoted(cell):
    assert quoted(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "anna", "1.5", "a=1", "'=1", "(-1)", "no answer"])
def test_other_cells_stay(cell):
    assert quoted(cell) == cell


def test_the_table_is_safe_and_whole():
    name = '=HYPERLINK("http://x"),\n\''
    body = table(release(), {name: hostile(), "bert": grade("right", "right", "right")}, {})
    first, second = csv.DictReader(io.StringIO(body))
    assert list(first) == columns(release())
    assert first["student"] == f"'{name}" and first["notes"].startswith("<script")
    assert (first["sums"], first["total"], first["maximum"], first["seconds"]) == (
        "1", "1", "4.5", "1.2",
    )  # fmt: skip
    assert (second["square"], second["total"]) == ("2", "4.5")


@pytest.mark.parametrize(
    ("typed", "points"),
    [("1", 1), ("0", 0), ("1.5", 1.5), ("1,5", 1.5), (" 2 ", 2), ("2.1", None), ("-1", None),
     ("nan", None), ("inf", None), ("", None), ("good", None), ("1.5.2", None)],
)  # fmt: skip
def test_typed_marks(typed, points):
    assert points_of(typed, Question("think", 2, "", "")) == points


def test_the_summary_names_whom_to_look_at(tmp_path):
    said = summary(tmp_path, {"anna": grade("right", "right", "right"), "bert": hostile()})
    assert "2 students, median 2.75 of 4.5 points" in said and "see the table: bert" in said
