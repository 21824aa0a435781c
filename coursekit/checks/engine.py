"""How a check works: it runs a student's function on a few cases and says what is wrong.

A check holds cases (inputs), a reference (the right values, worked out another way) and slips
(wrong forms that people write). The student's values are compared with the reference; where they
differ, with every slip; the slip that agrees with them on all cases is the likely mistake.
Then the slopes are compared, since a right value without a gradient trains nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from coursekit.checks import wording
from coursekit.checks.findings import CheckFailed, Finding, not_written

Inputs = Mapping[str, Any]
Function = Callable[..., Any]

_failures: Counter[str] = Counter()


@dataclass(frozen=True)
class Case:
    """One call of the student's function.

    Args:
        inputs: tensors and numbers by name, in the order of the arguments.
        title: how messages call this case; the inputs themselves are printed if it is empty.
        clue: what is special about it, told where no slip explains the failure.
        tolerance: how near a right value must be, see `close`.
    """

    inputs: Inputs
    title: str = ""
    clue: str = ""
    tolerance: float = 1e-4

    def name(self) -> str:
        """Name the case in a message: "mu = [[2., 0.]], log_var = [[0., 0.]]"."""
        return self.title or wording.assignments(self.inputs)


@dataclass(frozen=True)
class Slip:
    """A wrong form that is known, and what to say to somebody who wrote it.

    Args:
        wrong: computes the wrong values from the same arguments as the student's function.
        what: the likely mistake, a sentence or two.
        look: the stronger hint; the check's own if empty.
    """

    wrong: Function
    what: str
    look: str = ""


def _in_order(inputs: Inputs) -> tuple[Any, ...]:
    return tuple(inputs.values())


@dataclass(frozen=True)
class Check:
    """Everything that is known about one function that a student writes.

    Args:
        reference: the right values, from the same arguments; called with float64 inputs.
        cases: makes the cases, new ones at each call.
        slips: known wrong forms, the more specific first.
        look: the stronger hint where no slip has one.
        slopes: names of the inputs that a gradient must reach.
        arguments: makes the arguments from a case's inputs; by default the inputs in order.
        subject: who returns the value, in a message.
        shape: the result's shape in words.
    """

    reference: Function
    cases: Callable[[], Sequence[Case]]
    slips: Sequence[Slip]
    look: str
    slopes: tuple[str, ...] = ()
    arguments: Callable[[Inputs], tuple[Any, ...]] = field(default=_in_order)
    subject: str = "you return"
    shape: str = "(B,)"


@dataclass
class Trial:
    """A case with the right answer and with what the student's function made of it."""

    case: Case
    right: Tensor
    value: Any = None
    finding: Finding | None = None
    right_slopes: dict[str, Tensor] = field(default_factory=dict)
    slopes: dict[str, Tensor | None] = field(default_factory=dict)

    @property
    def comparable(self) -> bool:
        """Whether the value is a tensor of the right shape, so that numbers can be compared."""
        return wording.shape_problem(self.value, self.right, self.case.inputs, "") is None

    @property
    def agrees(self) -> bool:
        """Whether the value is the right one."""
        return self.comparable and close(self.value, self.right, self.case.tolerance)


def run(exercise: str, *parts: tuple[Check, Function]) -> None:
    """Check an exercise's functions: print "ID: right on 5 of 5." or raise `CheckFailed`.

    Args:
        exercise: the exercise's id, with which every message begins.
        parts: for each function that the student wrote, its check and the function.

    Raises:
        CheckFailed: for a wrong answer; its message names the likely mistake.
        NotImplementedError: where the student's function has not been written.
    """
    __tracebackhide__ = True
    cases = 0
    message = ""
    for check, function in parts:
        try:
            with torch.enable_grad():
                cases += _examine(check, function)
        except Finding as finding:
            _failures[exercise] += 1
            message = f"{exercise}: {finding.what}"
            if _failures[exercise] > 1:
                message += f" {finding.look or check.look}"
            break
    if message:
        raise CheckFailed(message)
    del _failures[exercise]
    print(f"{exercise}: right on {cases} of {cases}.")


def forget_failures() -> None:
    """Forget earlier failures, so that the next one is a first one again."""
    _failures.clear()


def close(value: Tensor, right: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether |value - right| <= tolerance * (1 + |right|) everywhere; nan agrees with nan."""
    value, right = value.detach().double().cpu(), right.detach().double().cpu()
    return bool(torch.isclose(value, right, rtol=tolerance, atol=tolerance, equal_nan=True).all())


def _examine(check: Check, function: Function) -> int:
    """Run all cases and raise the first `Finding`; return the number of cases."""
    __tracebackhide__ = True
    if not callable(function):
        raise Finding("give the check the function itself, by its name, without brackets.")
    trials: list[Trial] = []
    for case in check.cases():
        trials.append(_try(check, case, function))
    for trial in trials:
        if trial.finding is not None:
            raise trial.finding
        if not trial.comparable:
            _explain_shape(check, trials)
        if not trial.agrees:
            _explain(check, function, trials, trial)
    for trial in trials:
        _compare_slopes(check, trial)
    return len(trials)


def _try(check: Check, case: Case, function: Function) -> Trial:
    """Call the function on fresh copies of the inputs, and note whatever it does."""
    __tracebackhide__ = True
    right, right_slopes = _reference(check, case)
    trial = Trial(case, right, right_slopes=right_slopes)
    leaves, copies = _copies(check, case.inputs)
    place = f"for {case.name()} "
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(1)
            trial.value = function(*check.arguments(copies))
            again = function(*check.arguments(_copies(check, case.inputs)[1]))
        changed = [name for name in leaves if not torch.equal(copies[name], leaves[name])]
        if changed:
            trial.finding = Finding(f"{place}your function {wording.CHANGED.format(changed[0])}")
        elif trial.comparable:
            if wording.shape_problem(again, right, case.inputs, "") or not close(
                again, trial.value
            ):
                trial.finding = Finding(
                    f"{place}two calls with the same inputs give different answers. Is something "
                    "drawn at random, or remembered, inside? Use only what is given."
                )
            elif check.slopes and trial.value.requires_grad:
                trial.slopes = _slopes(check, trial.value, leaves)
    except Exception as error:
        if isinstance(error, NotImplementedError) and not_written(error):
            raise
        trial.finding = Finding(
            place + wording.stopped(error) + (f" {case.clue}" if case.clue else ""),
            wording.look_stopped(error),
        )
    return trial


def _copies(
    check: Check, inputs: Inputs, double: bool = False
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Leaves (those that need a gradient ask for it), and copies of them to be handed out."""
    leaves, copies = {}, dict(inputs)
    for name, tensor in inputs.items():
        if isinstance(tensor, Tensor):
            leaf = tensor.detach().clone()
            leaf = leaf.double() if double and leaf.is_floating_point() else leaf
            leaves[name] = leaf.requires_grad_(name in check.slopes)
            copies[name] = leaf.clone()
    return leaves, copies


def _slopes(check: Check, value: Tensor, leaves: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    """Slopes of a weighted sum of the values, so that no two pictures can be exchanged."""
    weights = torch.linspace(1, 2, value.numel(), dtype=value.dtype).view(value.shape)
    found = torch.autograd.grad(
        (weights * value).sum(), [leaves[name] for name in check.slopes], allow_unused=True
    )
    return dict(zip(check.slopes, found, strict=True))


def _reference(check: Check, case: Case) -> tuple[Tensor, dict[str, Tensor]]:
    """Right values and slopes, computed in float64."""
    leaves, copies = _copies(check, case.inputs, double=True)
    value = check.reference(*check.arguments(copies))
    found = _slopes(check, value, leaves) if check.slopes else {}
    return value.detach(), {name: slope for name, slope in found.items() if slope is not None}


def _explain_shape(check: Check, trials: list[Trial]) -> None:
    """Raise the `Finding` about a result's type or shape, from several pictures if possible."""
    kept = [trial for trial in trials if trial.finding is None and type(trial.value) is Tensor]
    tensors = [trial for trial in kept if trial.value.is_floating_point()]
    slip = _known_slip(check, tensors)
    trial = next((trial for trial in tensors if not trial.comparable), None)
    if slip is not None and trial is not None:
        raise Finding(
            f"for {trial.case.name()} {check.subject} a tensor of shape "
            f"{tuple(trial.value.shape)}, not {tuple(trial.right.shape)}. {slip.what}",
            slip.look,
        )
    wrong = [trial for trial in trials if trial.finding is None and not trial.comparable]
    trial = next((trial for trial in wrong if len(trial.right) > 1), wrong[0])
    problem = wording.shape_problem(trial.value, trial.right, trial.case.inputs, check.shape)
    raise Finding(
        f"for {trial.case.name()} {check.subject} {problem}",
        "Print shape and dtype after each operation, and compare them with the docstring.",
    )


def _explain(check: Check, function: Function, trials: list[Trial], failed: Trial) -> None:
    """Raise the `Finding` that explains best why `failed` has a wrong value."""
    index = wording.first_wrong_row(failed.value, failed.right)
    start = f"for {failed.case.name()} {check.subject} {wording.row(failed.value, index)}"
    comparable = [trial for trial in trials if trial.finding is None and trial.comparable]
    slip = _known_slip(check, comparable)
    if slip is not None:
        raise Finding(f"{start}. {slip.what}", slip.look)
    pairs = [(trial.value.detach().double().cpu(), trial.right) for trial in comparable]
    good = sum(trial.agrees for trial in trials)
    # What a single failure has in common with itself says little.
    reason = wording.pattern(pairs, alone=good == len(trials) - 1)
    if not reason and failed.value.isfinite().all():
        others = [trial for trial in comparable if trial is not failed]
        unused = _unused(check, function, [failed, *others[:2]])
        reason = wording.UNUSED.format(unused) if unused else ""
    if reason:
        start += "."
    else:
        start += f"; the right value is {wording.entry(failed.right, index)}."
        reason = wording.clue(failed.value.detach(), failed.case.clue, not failed.case.title)
    score = f" It is right on {good} of {len(trials)} cases so far." if good else ""
    raise Finding(f"{start} {reason}{score}")


def _known_slip(check: Check, trials: list[Trial]) -> Slip | None:
    """Find the first slip that gives the student's values in all of the trials."""
    if not any(trial.value.isfinite().any() for trial in trials):
        return None
    for slip in check.slips:
        if all(_agrees_with(slip, check, trial) for trial in trials):
            return slip
    return None


def _agrees_with(slip: Slip, check: Check, trial: Trial) -> bool:
    """Whether the student's value is what the slip gives, in the precision of the inputs."""
    _, copies = _copies(check, trial.case.inputs)
    try:
        with torch.no_grad():
            wrong = slip.wrong(*check.arguments(copies))
    except (RuntimeError, IndexError, ValueError):
        return False
    return wrong.shape == trial.value.shape and close(trial.value, wrong, 5e-4)


def _unused(check: Check, function: Function, trials: list[Trial]) -> str:
    """Name the first input whose change leaves the student's values as they were."""
    for name, tensor in trials[0].case.inputs.items():
        if isinstance(tensor, Tensor) and tensor.is_floating_point():
            try:
                if all(_unmoved(check, function, trial, name) for trial in trials):
                    return name
            except Exception:  # the student's function may do anything with unusual inputs
                continue
    return ""


def _unmoved(check: Check, function: Function, trial: Trial, name: str) -> bool:
    """Whether the student's value stays the same when one input is shifted at random."""
    tensor = trial.case.inputs[name]
    generator = torch.Generator().manual_seed(2)
    shift = 0.2 * torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype) + 0.1
    _, copies = _copies(check, {**trial.case.inputs, name: tensor + shift})
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        value = function(*check.arguments(copies))
    return isinstance(value, Tensor) and torch.equal(value, trial.value)


def _compare_slopes(check: Check, trial: Trial) -> None:
    """Raise a `Finding` where a gradient is missing or wrong."""
    missing, wrong = [], []
    for name, right in trial.right_slopes.items():
        slope = trial.slopes.get(name)
        if slope is None or (not slope.any() and right.abs().max() > 1e-3):
            missing.append(name)
        elif not close(slope, right, 1e-3):
            wrong.append(name)
    place = f"for {trial.case.name()} the value is right, but "
    if missing:
        raise Finding(place + wording.NO_SLOPE.format(wording.listed(missing)), wording.LOOK_SLOPE)
    if wrong:
        finite = all(bool(trial.slopes[name].isfinite().all()) for name in wrong)  # type: ignore[union-attr]
        sentence = wording.WRONG_SLOPE if finite else wording.NAN_SLOPE
        raise Finding(place + sentence.format(wording.listed(wrong)), wording.LOOK_SLOPE)
