"""The pages of a grading run: feedback for a student, answers for the person who marks them.

Everything a student wrote, the name included, is hostile: it is escaped, and a content security
policy forbids the page to load or run anything but its own style sheet.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from html import escape

from coursekit.classroom.cells import Exercise, Question, Release, source_of
from coursekit.classroom.marking import VERDICTS, Grade, Mark

STYLE = """
:root { --ink: #1d2733; --soft: #5a6775; --line: #d9e0e7; --paper: #fff; --ground: #f3f6f9;
  --good: #0f6e9c; --good-ground: #e3f1f8; --bad: #a84300; --bad-ground: #fdefe3; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 52rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: 1.02rem; margin: 0; flex: 1; overflow-wrap: anywhere; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: .92rem; }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 1rem 1.2rem; margin: 0 0 .9rem; border-left-width: 5px; }
.card.good { border-left-color: var(--good); }
.card.bad { border-left-color: var(--bad); }
.head { display: flex; gap: .8rem; align-items: baseline; }
.score { font-size: 2.2rem; font-weight: 700; line-height: 1.1; }
.points { font-variant-numeric: tabular-nums; white-space: nowrap; }
.badge { border-radius: 99px; padding: .1rem .65rem; font-size: .85rem; font-weight: 600;
  white-space: nowrap; }
.badge.good { background: var(--good-ground); color: var(--good); }
.badge.bad { background: var(--bad-ground); color: var(--bad); }
meter { width: 100%; height: 1.1rem; margin: .6rem 0 .2rem; }
meter::-webkit-meter-bar { background: var(--ground); border: 1px solid var(--line); }
meter::-webkit-meter-optimum-value { background: var(--good); }
meter::-moz-meter-bar { background: var(--good); }
pre { background: var(--ground); border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0;
  padding: .7rem .8rem; font: .84rem/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, monospace;
  overflow-x: auto; max-height: 26rem; }
pre.words { white-space: pre-wrap; overflow-wrap: anywhere; }
blockquote { margin: .6rem 0 .4rem; padding: .1rem 0 .1rem .9rem;
  border-left: 3px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); font-size: .92rem; margin-top: .5rem; }
.probe { margin-top: .55rem; padding-top: .55rem; border-top: 1px dashed var(--line); }
@media print { body { background: #fff; } .card { break-inside: avoid; } }
""".strip()
_STYLE_SUM = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_SUM}'; base-uri 'none'; form-action 'none'"


def _page(title: str, body: Sequence[str]) -> str:
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def title_of(release: Release) -> str:
    """Return the notebook's title: its first heading, else its name."""
    for cell in release.cells:
        if cell["cell_type"] == "markdown":
            for line in source_of(cell).splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
    return release.name


def _of(points: float, maximum: float) -> str:
    return f"{points:g} of {maximum:g} point{'' if maximum == 1 else 's'}"


def feedback(release: Release, name: str, grade: Grade, marks: Mapping[str, float | None]) -> str:
    """Write a student's page.

    Args:
        release: the release.
        name: the student.
        grade: the grade.
        marks: question id -> the points that a person gave; None where there are none yet.

    Returns:
        HTML.
    """
    title = title_of(release)
    share = grade.total / grade.maximum if grade.maximum else 0.0
    body = [
        f'<p class="soft">{escape(title)}</p>',
        f"<h1>{escape(name)}</h1>",
        '<section class="card good">' if share == 1 else '<section class="card">',
        '<div class="head">',
        f'<span class="score">{grade.total:g} / {grade.maximum:g}</span>',
        f"<span>{escape(_verdict_line(release, grade))}</span>",
        "</div>",
        f'<meter min="0" max="1" value="{share:.4f}">{share:.0%}</meter>',
        *([f"<p>{escape(grade.unreadable)}</p>"] if grade.unreadable else []),
        "</section>",
    ]
    if release.exercises and not grade.unreadable:
        body.append("<h2>Exercises</h2>")
        for exercise in release.exercises:
            body += _exercise(exercise, grade)
    if release.questions and not grade.unreadable:
        body.append("<h2>Questions</h2>")
        for question in release.questions:
            body += _question(question, grade.answers.get(question.id, ""), marks.get(question.id))
    if grade.extras:
        body += [
            "<h2>Your own cells</h2>",
            '<section class="card bad">',
            "<p>These did not run through when your notebook was graded. That costs no points by "
            "itself, but an answer that needs one of them fails too. Cells tagged "
            "<code>train</code> are left out of a grading run, so a cell that needs a trained "
            "model stops here.</p>",
            *(f'<pre class="words">{escape(words)}</pre>' for words in grade.extras[:10]),
            "</section>",
        ]
    body.append(
        '<p class="soft">How this was graded: your functions ran on fresh random inputs, and the '
        "results were compared with those of the model solution. Hints in the notebook's own "
        "checks are worth no points.</p>"
    )
    return _page(f"{name}: {title}", body)


def _verdict_line(release: Release, grade: Grade) -> str:
    if grade.unreadable:
        return "Your file could not be graded."
    solved = sum(
        all(mark.verdict == "right" for mark in _marks_of(exercise, grade))
        for exercise in release.exercises
    )
    return f"points; {solved} of {len(release.exercises)} exercises solved"


def _marks_of(exercise: Exercise, grade: Grade) -> list[Mark]:
    return [mark for mark in grade.marks if mark.probe.exercise == exercise.id]


def _exercise(exercise: Exercise, grade: Grade) -> list[str]:
    marks = _marks_of(exercise, grade)
    points = sum(mark.points for mark in marks)
    right = all(mark.verdict == "right" for mark in marks)
    out = [
        f'<section class="card {"good" if right else "bad"}">',
        '<div class="head">',
        f"<h3>{escape(exercise.id)}</h3>",
        f'<span class="points">{_of(points, exercise.points)}</span>',
        *([_badge(marks[0])] if marks and _uniform(marks) else []),
        "</div>",
    ]
    if _uniform(marks):
        out += _why(marks[0]) if marks else []
    else:
        for mark in marks:
            earned = _of(mark.points, mark.probe.points)
            out += [
                '<div class="probe">',
                f"<p>{_badge(mark)} {escape(mark.probe.id)}, {earned}</p>",
                *_why(mark),
                "</div>",
            ]
    said = grade.checks.get(exercise.id, "")
    if said and not right and not _is_known(said, marks):
        out += ['<p class="soft">The check in the notebook says:</p>']
        out += [f"<blockquote>{escape(said)}</blockquote>"]
    code = grade.code.get(exercise.id)
    if code and not all(mark.verdict == "blank" for mark in marks):
        out += ["<details>", "<summary>Your code</summary>", f"<pre>{escape(code)}</pre>"]
        out += ["</details>"]
    return [*out, "</section>"]


def _is_known(said: str, marks: Sequence[Mark]) -> bool:
    """Say whether a check adds nothing to what the probes said."""
    if all(mark.verdict == "blank" for mark in marks):
        return True
    return said.startswith("NameError") or any(mark.details == said for mark in marks)


def _uniform(marks: Sequence[Mark]) -> bool:
    first = [(mark.verdict, mark.message, mark.details) for mark in marks[:1]]
    return [(mark.verdict, mark.message, mark.details) for mark in marks] == first * len(marks)


def _badge(mark: Mark) -> str:
    colour, sign = ("good", "\u2713") if mark.verdict == "right" else ("bad", "\u2717")
    return f'<span class="badge {colour}">{sign} {escape(VERDICTS[mark.verdict])}</span>'


def _why(mark: Mark) -> list[str]:
    out = [f"<p>{escape(mark.message)}</p>"] if mark.message else []
    return out + ([f'<pre class="words">{escape(mark.details)}</pre>'] if mark.details else [])


def _course_text(words: str) -> str:
    """Escape a text of the course; set its code and its bold and slanted words, no formulas."""
    parts = re.split(r"^```\w*\n(.*?)^```$\n?", escape(words), flags=re.M | re.S)
    for place, part in enumerate(parts):
        if place % 2:
            parts[place] = f"<pre>{part}</pre>"
        else:
            bold = re.sub(r"\*\*([^*\n]+)\*\*", r"<strong>\1</strong>", part)
            slanted = r"(?<![\w*$\\])\*([^*$\n]+)\*(?![\w*])"
            parts[place] = re.sub(slanted, r"<em>\1</em>", bold)
    return "".join(parts)


def _question(question: Question, answer: str, points: float | None) -> list[str]:
    if points is not None:
        said, colour = _of(points, question.points), "good" if points else "bad"
    elif answer:
        said, colour = f"to be read by a person, {question.points:g} points", ""
    else:
        said, colour = f"not answered, 0 of {question.points:g} points", "bad"
    return [
        f'<section class="card {colour}">',
        '<div class="head">',
        f"<h3>{escape(question.id)}</h3>",
        f'<span class="points">{escape(said)}</span>',
        "</div>",
        f"<blockquote>{_course_text(question.words)}</blockquote>",
        *(["<p>Your answer:</p>", f'<pre class="words">{escape(answer)}</pre>'] if answer else []),
        "</section>",
    ]


def answers(question: Question, given: Mapping[str, Mapping[str, str]]) -> str:
    """Write the page on which a person reads all the answers to a question.

    Args:
        question: the question.
        given: student -> question id -> answer.

    Returns:
        HTML: the question, the model answer with its rubric, and every answer.
    """
    written = {name: words for name, mine in given.items() if (words := mine.get(question.id))}
    silent = [name for name in given if name not in written]
    body = [
        f"<h1>{escape(question.id)}</h1>",
        f'<p class="soft">{question.points:g} points, {len(written)} '
        f"answer{'' if len(written) == 1 else 's'}. Type the marks into column "
        f"<code>{escape(question.id)}</code> of grades.csv and run the same command again: they "
        "then stand on the students' pages too.</p>",
        f"<blockquote>{_course_text(question.words)}</blockquote>",
        '<section class="card good">',
        f"<blockquote>{_course_text(question.model)}</blockquote>",
        "</section>",
    ]
    for name, words in written.items():
        body += [
            '<section class="card">',
            f"<h3>{escape(name)}</h3>",
            f'<pre class="words">{escape(words)}</pre>',
            "</section>",
        ]
    if silent:
        body.append(f'<p class="soft">No answer: {escape(", ".join(silent))}</p>')
    return _page(question.id, body)
