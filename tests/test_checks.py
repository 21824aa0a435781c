"""The checks and the probes must fail every wrong answer, and pass every right one."""

import ast
import importlib
import json
import math
import pkgutil
import re
import warnings
from pathlib import Path

import pytest
import torch
from mutants import exercises

from coursekit import checks
from coursekit.checks.engine import Check, close, forget_failures

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = exercises()
RIGHT = [pytest.param(e, a, id=f"{e.id}: {a.title}") for e in EXERCISES for a in e.rights]
WRONG = [pytest.param(e, a, id=f"{e.id}: {a.title}") for e in EXERCISES for a in e.mutants]

# Code, and formulas in plain text. What a message quotes of the student's own is left aside.
FORMULA = re.compile(
    r"\b(exp|log|log1p|log2|expm1|sum|mean|square|pow|sqrt|softplus|sigmoid|softmax|clamp)\s*\("
    r"|logsumexp|logaddexp|log_softmax|logsigmoid|with_logits|\*\*|\^|\b0\.5\s*\*|\b1/2\b"
    r"|log\(?2 ?\*? ?pi|mu \* mu|sigma\^|dim="
)
QUOTED = re.compile(r"your code stops with .*")

pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")


@pytest.fixture(autouse=True)
def first_failure():
    forget_failures()


def message(exercise, answer):
    """What the check says to a wrong answer; "" where it finds nothing."""
    try:
        exercise.run(answer)
    except checks.CheckFailed as failure:
        return str(failure)
    return ""


@pytest.fixture(scope="module")
def said():
    """For each mutant, by exercise and title, the words at a first and at a second failure."""
    words = {}
    for exercise in EXERCISES:
        for answer in exercise.mutants:
            forget_failures()
            words[exercise.id, id(answer)] = (message(exercise, answer), message(exercise, answer))
    return words


# The answers in tests/mutants -------------------------------------------------------------------


@pytest.mark.parametrize(("exercise", "answer"), RIGHT)
def test_right_answer_passes(exercise, answer, capsys):
    exercise.run(answer)
    assert re.fullmatch(rf"{exercise.id}: right on (\d+) of \1\.\n", capsys.readouterr().out)


@pytest.mark.parametrize(("exercise", "answer"), WRONG)
def test_wrong_answer_is_told_its_mistake(exercise, answer, said):
    first, second = said[exercise.id, id(answer)]
    assert first.startswith(f"{exercise.id}: ")
    assert answer.keyword and answer.keyword in first
    assert second.startswith(first) and len(second) > len(first) + 15
    for text in (first, second):
        assert "\n" not in text and len(text) < 700
        assert not FORMULA.search(QUOTED.sub("", text)), text


def test_score(said, capsys):
    for exercise in EXERCISES:
        assert len(exercise.rights) >= 2
        assert len(exercise.mutants) >= 6
    caught = sum(bool(first) for first, _ in said.values())
    with capsys.disabled():
        print(f"\nmutants caught: {caught} of {len(said)}, in {len(EXERCISES)} exercises")
    assert caught == len(said)


EVERY_CHECK = [
    pytest.param(value, id=module.name)
    for module in pkgutil.walk_packages(checks.__path__, "coursekit.checks.")
    for value in vars(importlib.import_module(module.name)).values()
    if isinstance(value, Check)
]


@pytest.mark.parametrize("check", EVERY_CHECK)
def test_no_sentence_holds_the_formula(check):
    texts = [check.look]
    for slip in check.slips:
        assert slip.what.endswith((".", "?"))
        texts += [slip.what, slip.look]
    for case in check.cases():
        texts += [case.title, case.clue]
    for text in texts:
        assert not FORMULA.search(text), text


@pytest.mark.parametrize("check", EVERY_CHECK)
def test_every_slip_is_a_wrong_answer(check):
    """A slip that agrees with the reference everywhere would call a right answer wrong."""
    for slip in check.slips:
        # a slip is looked for only where a case was missed: this one names a miss by very little
        if slip.what.startswith("It is nearly right"):
            continue
        differs = False
        for case in check.cases():
            arguments = check.arguments(case.inputs)
            try:
                wrong = slip.wrong(*arguments)
            except (RuntimeError, ValueError, IndexError):
                continue
            right = check.reference(*arguments)
            differs |= wrong.shape != right.shape or not close(wrong, right, 2 * case.tolerance)
        assert differs, slip.what


@pytest.mark.parametrize("path", sorted((ROOT / "coursekit" / "checks").rglob("*.py")))
def test_checks_stand_on_the_ground(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("coursekit"):
            assert node.module.startswith("coursekit.checks")


# How a check behaves ----------------------------------------------------------------------------


def kl(mu, log_var):
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


def test_the_words_of_a_first_and_a_second_failure(capsys):
    def doubled(mu, log_var):
        return 2 * kl(mu, log_var)

    first = (
        "kl-standard-normal: for mu = [[2., 0.]], log_var = [[0., 0.]] you return 4.0. "
        "It is twice what it should be: is a factor missing in front?"
    )
    hint = " Compare signs and factors term by term with step 5 of the derivation above."
    with pytest.raises(checks.CheckFailed, match=f"^{re.escape(first)}$"):
        checks.kl_standard_normal(doubled)
    with pytest.raises(checks.CheckFailed, match=f"^{re.escape(first + hint)}$"):
        checks.kl_standard_normal(doubled)
    checks.kl_standard_normal(kl)
    assert capsys.readouterr().out == "kl-standard-normal: right on 5 of 5.\n"
    with pytest.raises(checks.CheckFailed, match=f"^{re.escape(first)}$"):
        checks.kl_standard_normal(doubled)


def test_an_unwritten_answer_passes_through():
    def unwritten(mu, log_var):
        raise NotImplementedError("Write the divergence.")

    with pytest.raises(NotImplementedError, match=r"^Write the divergence\.$"):
        checks.kl_standard_normal(unwritten)


def test_half_of_a_pair_unwritten():
    mixture = next(e for e in EXERCISES if e.id == "mixture-prior")

    def unwritten(*arguments):
        raise NotImplementedError

    for name in mixture.names:
        functions = {**mixture.rights[0].functions, name: unwritten}
        with pytest.raises(NotImplementedError):
            checks.mixture_prior(*functions.values())


def test_a_notebook_shows_the_sentence_alone():
    with pytest.raises(checks.CheckFailed) as caught:
        checks.kl_standard_normal(lambda mu, log_var: -kl(mu, log_var))
    error = caught.value
    assert isinstance(error, AssertionError)
    assert error._render_traceback_() == [f"CheckFailed: {error}"]
    assert error.__cause__ is None and error.__context__ is None


def test_a_value_in_place_of_a_function():
    with pytest.raises(checks.CheckFailed, match="the function itself"):
        checks.kl_standard_normal(kl(torch.zeros(1, 2), torch.zeros(1, 2)))


def test_random_numbers_of_the_caller_are_left_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    for exercise in EXERCISES:
        exercise.run(exercise.rights[0])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_works_where_gradients_are_switched_off():
    with torch.no_grad():
        checks.kl_standard_normal(kl)


def test_an_error_in_the_answer_is_quoted():
    def crash(mu, log_var):
        return mu @ log_var

    with pytest.raises(checks.CheckFailed) as caught:
        checks.kl_standard_normal(crash)
    assert "RuntimeError: mat1 and mat2 shapes cannot be multiplied" in str(caught.value)
    assert 'in your line "return mu @ log_var"' in str(caught.value)


# Answers that try to get round a check ----------------------------------------------------------


class EqualToAll(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function.__name__ in ("isclose", "equal", "allclose", "eq", "__eq__"):
            return torch.ones((), dtype=torch.bool)
        return super().__torch_function__(function, types, args, kwargs or {})


class NumberLike(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


def remembered():
    """Gives the right answer on every second call only."""
    calls = []

    def answer(mu, log_var):
        calls.append(None)
        return kl(mu, log_var) * (len(calls) % 2)

    return answer


def worked_points_only(mu, log_var):
    worked = {(2.0, 0.0, 0.0, 0.0): 2.0, (1.0, 1.0): 0.8591}
    value = worked.get((*mu.flatten().tolist(), *log_var.flatten().tolist()), 3.0)
    return value + 0 * (mu + log_var).sum(1)


@pytest.mark.parametrize(
    "answer",
    [
        lambda mu, v: torch.zeros(len(mu)).as_subclass(EqualToAll),
        lambda mu, v: kl(mu, v).as_subclass(EqualToAll),
        lambda mu, v: NumberLike(2.0),
        lambda mu, v: torch.nn.Parameter(kl(mu, v)),
        remembered(),
        worked_points_only,
        lambda mu, v: kl(mu, v).half().float(),
        lambda mu, v: kl(mu, v).abs() * torch.sign(mu.sum(1)),
        lambda mu, v: kl(mu, v) if len(mu) == 1 else kl(mu, v)[torch.randperm(len(mu))],
        lambda mu, v: kl(mu.clamp(-5, 5), v),
        lambda mu, v: kl(mu, v).clamp(max=1e4),
        lambda mu, v: kl(mu, v) + 1e-2,
        lambda mu, v: kl(mu, v).to(torch.complex64),
        lambda mu, v: (
            (mu.detach() * 0 + 0.5 * (mu**2 + v.exp() - 1 - v).detach()).sum(1) + 0 * mu.sum(1)
        ),
        lambda mu, v: kl(mu, v)[:, None].T,
    ],
)
def test_no_way_round(answer):
    with pytest.raises(checks.CheckFailed):
        checks.kl_standard_normal(answer)


# The probes in the notebooks --------------------------------------------------------------------


class Cells:
    """The code cells of all notebooks that begin with a marker, by kind and id."""

    def __init__(self):
        self.sources = {"EXERCISE": {}, "CHECK": {}, "PROBE": {}}
        self.metadata = {}
        self.imports = []
        for path in NOTEBOOKS:
            for cell in json.loads(path.read_text("utf-8"))["cells"]:
                if cell["cell_type"] == "code":
                    self.add("".join(cell["source"]), cell["metadata"])

    def add(self, source, metadata):
        found = re.match(r"# (EXERCISE|CHECK|PROBE) (\S+)", source)
        if found:
            self.sources[found[1]][found[2]] = source
            self.metadata[found[1], found[2]] = metadata
        try:
            self.imports += [
                node
                for node in ast.parse(source).body
                if isinstance(node, (ast.Import, ast.ImportFrom))
            ]
        except SyntaxError:  # a cell with a magic command
            return

    def namespace(self, *sources):
        """Import what the sources name, as the notebook does."""
        used = {
            node.id
            for source in sources
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Name)
        }
        names = {}
        for node in self.imports:
            if used & {(a.asname or a.name).split(".")[0] for a in node.names}:
                exec(compile(ast.Module([node], []), "<imports>", "exec"), names)
        return names

    def run(self, kind, id, functions, seed=0):
        """Run a cell with the given functions; return its last expression's value."""
        source = self.sources[kind][id]
        names = self.namespace(source) | functions | {"seed": seed}
        body = ast.parse(source)
        last = body.body.pop()
        exec(compile(body, id, "exec"), names)
        return eval(compile(ast.Expression(last.value), id, "eval"), names)


CELLS = Cells()


def probes_of(exercise):
    """Ids of the probes that call one of the exercise's functions."""
    return [
        id
        for id, source in CELLS.sources["PROBE"].items()
        if any(re.search(rf"(?<![\w.]){name}\(", source) for name in exercise.names)
    ]


def same(mine, reference, tolerance):
    """Compare nested lists of numbers, as a grader does."""
    if isinstance(reference, list):
        return (
            isinstance(mine, list)
            and len(mine) == len(reference)
            and all(same(a, b, tolerance) for a, b in zip(mine, reference, strict=True))
        )
    if isinstance(mine, list) or math.isnan(mine):
        return False
    return mine == reference or abs(mine - reference) <= tolerance * (1 + abs(reference))


def passes(exercise, answer, probe, seed):
    """Whether an answer gives the numbers of the notebook's own solution."""
    solution = CELLS.sources["EXERCISE"][exercise.id]
    names = CELLS.namespace(solution)
    exec(compile(solution, exercise.id, "exec"), names)
    reference = {name: names[name] for name in exercise.names}
    tolerance = CELLS.metadata["PROBE", probe]["coursekit"]["probe"]["tolerance"]
    right = CELLS.run("PROBE", probe, reference, seed)
    assert "nan" not in str(right) and "inf" not in str(right)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mine = CELLS.run("PROBE", probe, answer.functions, seed)
    except Exception:
        return False
    return same(mine, right, tolerance)


def in_notebook(exercise):
    if exercise.id not in CELLS.sources["EXERCISE"]:
        pytest.skip(f"no notebook holds the exercise {exercise.id} yet")
    assert probes_of(exercise), f"no probe calls {exercise.names}"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_solution_of_the_notebook_passes_its_check(exercise, capsys):
    in_notebook(exercise)
    solution = CELLS.sources["EXERCISE"][exercise.id]
    names = CELLS.namespace(solution)
    exec(compile(solution, exercise.id, "exec"), names)
    CELLS.run("CHECK", exercise.id, {name: names[name] for name in exercise.names})
    assert "right on" in capsys.readouterr().out


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_probe_passes_right_answers(exercise):
    in_notebook(exercise)
    for answer in exercise.rights:
        for seed in (0, 1, 2):
            for probe in probes_of(exercise):
                assert passes(exercise, answer, probe, seed), (answer.title, probe)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_probe_fails_wrong_answers(exercise):
    in_notebook(exercise)
    survivors = [
        answer.title
        for answer in exercise.mutants
        if answer.title not in exercise.check_only
        and all(passes(exercise, answer, probe, seed=3) for probe in probes_of(exercise))
    ]
    assert not survivors


@pytest.mark.parametrize("id", CELLS.sources["PROBE"])
def test_probe_says_what_the_grader_needs(id):
    facts = CELLS.metadata["PROBE", id]["coursekit"]["probe"]
    points = re.match(r"# PROBE (\S+) points=(\d+)\n", CELLS.sources["PROBE"][id])
    assert facts["id"] == points[1] == id and facts["points"] == int(points[2]) > 0
    assert facts["tolerance"] > 0 and facts["feedback"].endswith((".", "?"))
    for name in facts["forbids"]:
        module, *rest = next(split_name(name))
        for part in rest:
            module = getattr(module, part)
        assert callable(module)


def split_name(name):
    """The longest module that the dotted name begins with, and the attributes after it."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            yield importlib.import_module(".".join(parts[:cut])), *parts[cut:]
        except ModuleNotFoundError:
            continue
