"""Check of `factor-prediction`: how much of a factor each latent dimension says in a line."""

from __future__ import annotations

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import normal


def _sums(z: Tensor, factor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Means over the points: product of the deviations, and the squares of each."""
    latents, wanted = z - z.mean(dim=0), (factor - factor.mean())[:, None]
    return (
        (latents * wanted).mean(dim=0),
        latents.square().mean(dim=0),
        wanted.square().mean(dim=0),
    )


def _right(z: Tensor, factor: Tensor) -> Tensor:
    joint, latents, wanted = _sums(z, factor)
    return torch.where(latents > 0, joint.square() / (latents * wanted), 0.0).nan_to_num(0.0)


def _cases() -> list[Case]:
    def case(*values: Tensor, title: str = "", clue: str = "") -> Case:
        return Case(dict(zip(("z", "factor"), values, strict=True)), title, clue)

    tensor = torch.tensor
    z, factor = normal(173, (8, 4), (8,))
    z[:, 1], z[:, 3] = 0.0, 2.0
    line, wanted = normal(174, (10, 3), (10,))
    line[:, 0], line[:, 1] = 1 - 2 * wanted, 3 * wanted + 0.5
    sizes, other = normal(175, (16, 4), (16,))
    sizes[:, 3] += 2 * other
    constant = "A latent that never changes says nothing: 0 was asked there."
    steady, around = normal(176, (11, 3), (11,))
    steady[:, 0], steady[:, 2] = 0.1, 0.7
    far, there = normal(177, (12, 3), (12,))
    far[:, 0] += there
    digits = (
        "The latents are far from 0 here: a mean of squares minus a squared mean is a small "
        "difference of large numbers, and the digits are lost. Subtract the means first."
    )
    rounded = (
        "The mean of equal numbers may be rounded, so a constant latent need not deviate by "
        "exactly 0: only with the factor's mean subtracted too does that do no harm."
    )
    units = "A correlation does not depend on the units: nothing may be added to a divisor."
    return [
        case(tensor([[0.0, 1.0], [1.0, 1.5], [2.0, 0.5]]), tensor([0.0, 1.0, 4.0])),
        case(*normal(171, (12, 5), (12,)), title="12 random points with K = 5"),
        case(
            *(t + 5 for t in normal(172, (6, 6), (6,), dtype=torch.float64)),
            title="6 random points with K = 6 around 5, in float64",
        ),
        case(z, factor, title="a latent that is always 0 and one that is always 2", clue=constant),
        case(line, 0.3 * wanted, title="latents on a falling and on a rising line"),
        case(
            sizes * tensor([1e-4, 1.0, 1e3, 1e-7]),
            other,
            title="latents of sizes 0.0001, 1, 1000 and 0.0000001",
            clue=units,
        ),
        case(
            steady,
            around + 5,
            title="a latent that is always 0.1, one that is always 0.7, a factor of mean 5",
            clue=f"{constant} {rounded}",
        ),
        case(far + 1000, there, title="12 random points around 1000", clue=digits),
    ]


def _with(make: Function) -> Function:
    """Something else made of the three means, 0 where a latent is constant."""

    def wrong(z: Tensor, factor: Tensor) -> Tensor:
        joint, latents, wanted = _sums(z, factor)
        made = make(joint, latents, wanted, len(z))
        return torch.where(latents > 0, made, 0.0).nan_to_num(0.0)

    return wrong


def _plain(joint: Tensor, latents: Tensor, wanted: Tensor, count: int = 0) -> Tensor:
    return joint / (latents * wanted).sqrt()


def _varies(z: Tensor) -> Tensor:
    return z.amax(dim=0) > z.amin(dim=0)


def _ranks(values: Tensor) -> Tensor:
    return values.argsort(dim=0).argsort(dim=0).double()


def _not_centred(latents: bool, wanted: bool) -> Function:
    """The squared cosine where one or both keep their mean."""

    def wrong(z: Tensor, factor: Tensor) -> Tensor:
        z = z - z.mean(dim=0) * latents
        factor = factor - factor.mean() * wanted
        joint = (z * factor[:, None]).sum(dim=0).square()
        return (joint / (z.square().sum(dim=0) * factor.square().sum())).nan_to_num(0.0)

    return wrong


def _one_pass(z: Tensor, factor: Tensor) -> Tensor:
    """Covariance and variances as means of products minus products of means."""
    joint = (z * factor[:, None]).mean(dim=0) - z.mean(dim=0) * factor.mean()
    latents = z.square().mean(dim=0) - z.mean(dim=0).square()
    return joint.square() / (latents * (factor.square().mean() - factor.mean().square()))


def _latents_alone(z: Tensor, factor: Tensor) -> Tensor:
    """The factor keeps its mean in the product; a latent is constant if it deviates by 0."""
    apart = z - z.mean(dim=0)
    size = apart.square().mean(dim=0).sqrt()
    size = torch.where(size > 0, size, 1)
    joint = (apart * factor[:, None]).mean(dim=0)
    return (joint / size / factor.std(unbiased=False)).square()


_LOST = (
    "Near 0 it is right, around 1000 the digits are lost: moments about 0 are large numbers with "
    "a small difference."
)
_FIRST = "What changes if you subtract the means first, and multiply then?"
_PARTS = (
    "A correlation is a covariance divided by two standard deviations: which of the three is not "
    "in your code, and is the quotient squared?"
)
_COUNT = "Are covariance and standard deviations divided by the same number, N or N - 1?"
_FLAT = "What is divided by what for a latent that never changes?"

CHECK = Check(
    reference=_right,
    cases=_cases,
    shape="(K,)",
    look=_PARTS,
    slips=[
        Slip(_with(_plain), "These are correlations: their squares were asked.", _PARTS),
        Slip(
            _with(lambda *a: _plain(*a).abs()),
            "These are absolute values of the correlations: their squares were asked.",
            _PARTS,
        ),
        Slip(
            lambda z, f: _sums(z, f)[0].square() / (_sums(z, f)[1] * _sums(z, f)[2]),
            "A constant latent gives nan: 0 was asked there.",
            _FLAT,
        ),
        Slip(
            lambda z, f: _plain(*_sums(z, f)),
            "These are correlations, with nan for a constant latent: squares were asked, and 0 "
            "there.",
            _FLAT,
        ),
        Slip(
            _with(lambda j, v, w, n: j),
            "These are covariances: they are not divided by the standard deviations.",
            _PARTS,
        ),
        Slip(
            _with(lambda j, v, w, n: j * n / (n - 1)),
            "These are covariances: they are not divided by the standard deviations.",
            _PARTS,
        ),
        Slip(
            _with(lambda j, v, w, n: j.square()),
            "These are squared covariances: they are not divided by the variances.",
            _PARTS,
        ),
        Slip(
            _with(lambda j, v, w, n: (j * n / (n - 1)).square()),
            "These are squared covariances: they are not divided by the variances.",
            _PARTS,
        ),
        Slip(
            _with(lambda j, v, w, n: (j / (v * w)).square()),
            "The covariance is divided by the variances before it is squared: standard "
            "deviations were meant.",
            _PARTS,
        ),
        *(
            Slip(
                _with(lambda j, v, w, n, f=factor: (j / (v * w) * f(n)).square()),
                "The covariance is divided by the variances before it is squared: standard "
                "deviations were meant.",
                _PARTS,
            )
            for factor in (lambda n: (n - 1) / n, lambda n: ((n - 1) / n) ** 2)
        ),
        *(
            Slip(
                _with(lambda j, v, w, n, m=make: m(j, v, w)),
                "That is the slope of a line through the points: it depends on the units, a "
                "correlation does not.",
                _PARTS,
            )
            for make in (
                lambda j, v, w: j / v,
                lambda j, v, w: j / w,
                lambda j, v, w: (j / v).square(),
                lambda j, v, w: (j / w).square(),
            )
        ),
        Slip(
            _with(lambda j, v, w, n: _plain(j, v, w).square() * ((n - 1) / n) ** 2),
            "It is too small, the more so the fewer points: the covariance is divided "
            "by N, the variances by N - 1.",
            _COUNT,
        ),
        Slip(
            _with(lambda j, v, w, n: _plain(j, v, w).square() * (n / (n - 1)) ** 2),
            "It is too large, the more so the fewer points: the covariance is divided "
            "by N - 1, the variances by N.",
            _COUNT,
        ),
        Slip(
            _with(lambda j, v, w, n: _plain(j, v, w).square() * n**2),
            "The sum of products is not divided by the number of points, the variances are.",
            _COUNT,
        ),
        Slip(
            _with(lambda j, v, w, n: 1 - _plain(j, v, w).square()),
            "That is the share that is NOT explained.",
            _PARTS,
        ),
        *(
            Slip(
                _not_centred(latents, wanted),
                "The means are not subtracted from both: a correlation is made of deviations "
                "from the mean.",
                "What should come out when 5 is added to every z?",
            )
            for latents, wanted in ((False, False), (True, False), (False, True))
        ),
        Slip(
            _with(lambda j, v, w, n: _plain(j, v, w).square() / _right_total(j, v, w)),
            "The numbers add up to 1 over the latents: each has its own.",
            _PARTS,
        ),
        Slip(
            lambda z, f: _right(_ranks(z), _ranks(f)) * _varies(z),
            "That is the correlation of the ranks: that of the values was asked.",
            _PARTS,
        ),
        Slip(
            lambda z, f: torch.where(_varies(z), _right(z, f), 1.0),
            "A constant latent gives 1: 0 was asked there.",
            _FLAT,
        ),
        *(
            Slip(
                _with(lambda j, v, w, n, e=least: torch.where(v > e, j.square() / (v * w), 0.0)),
                "A latent of small size is taken for a constant one.",
                "Which latents need special care, and which only look as if they did?",
            )
            for least in (1e-7, 1e-4)
        ),
        *(
            Slip(
                _with(lambda j, v, w, n, e=epsilon: j.square() / (v * w + e)),
                "A small constant is added to the divisor: for a latent of small size it is not "
                "small.",
                "Which latents need special care, and which only look as if they did?",
            )
            for epsilon in (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
        ),
        *(
            Slip(
                _with(lambda j, v, w, n, e=epsilon: j.square() / (v * w + e / n**2)),
                "A small constant is added to the divisor: for a latent of small size it is not "
                "small.",
                "Which latents need special care, and which only look as if they did?",
            )
            for epsilon in (1e-5, 1e-6, 1e-8, 1e-9, 1e-10, 1e-12)
        ),
        Slip(
            lambda z, f: _one_pass(z, f).nan_to_num(0.0),
            _LOST,
            _FIRST,
        ),
        Slip(
            lambda z, f: _one_pass(z, f).nan_to_num(0.0).clamp(0, 1),
            _LOST,
            _FIRST,
        ),
        Slip(
            _latents_alone,
            "A latent that is always 0.1 does not give 0: its mean is rounded, and the factor's "
            "own mean, which is not subtracted, makes much of that.",
            "What do the deviations of a factor from its mean add up to, and what does the factor?",
        ),
        Slip(
            lambda z, f: _right(z, f).mean().expand(z.shape[1]),
            "You averaged over the latent dimensions: each has a number of its own.",
            _PARTS,
        ),
    ],
)


def _right_total(joint: Tensor, latents: Tensor, wanted: Tensor) -> Tensor:
    return _plain(joint, latents, wanted).square().nan_to_num(0.0).sum()


def factor_prediction(function: Function) -> None:
    """Check `squared_correlations(z, factor) -> (K,)`."""
    __tracebackhide__ = True
    run("factor-prediction", (CHECK, function))
