"""Check of `conditional-log-likelihood`: importance-sampled log p(x|c) from three logarithms."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, normal
from coursekit.checks.vae.importance import bound

Joined = Callable[[Tensor, Tensor, Tensor], Tensor]


def _weights(px: Tensor, pz: Tensor, qz: Tensor) -> Tensor:
    return px + (pz - qz)


def _right(px: Tensor, pz: Tensor, qz: Tensor) -> Tensor:
    return bound(_weights(px, pz, qz))


def _cases() -> list[Case]:
    names = ("log_px", "log_pz", "log_qz")

    def case(*logs: Tensor, title: str = "", clue: str = "", tolerance: float = 1e-4) -> Case:
        return Case(dict(zip(names, logs, strict=True)), title, clue, tolerance)

    tensor = torch.tensor
    px, pz, qz = normal(231, (6, 3), (6, 3), (6, 3))
    far = tensor([-1000.0, 500.0, -300.0])
    apart = tensor([[-3000.0, 0.0, -400.0], [0.0, -400.0, -1000.0], [-2500.0, -1000.0, 0.0]])
    dominant = torch.full((50_000, 1), -300.0, dtype=torch.float64)
    dominant[1234] = 0.0
    kept = "Weights of e to the -1000 cannot be held as numbers, only their logarithms: step 4."
    return [
        case(tensor([[-1.0], [-2.0]]), tensor([[0.0], [-1.0]]), tensor([[-2.0], [-0.5]])),
        case(*normal(232, (5, 3), (5, 3), (5, 3)), title="5 draws for each of 3 pictures"),
        case(*normal(233, (1, 4), (1, 4), (1, 4)), title="a single draw for each of 4 pictures"),
        case(
            *normal(234, (4, 4), (4, 4), (4, 4), dtype=torch.float64),
            title="4 draws for each of 4 pictures, in float64",
        ),
        case(far + 2 * px, pz, qz, title="log_px around -1000, 500 and -300", clue=kept),
        case(
            px,
            pz - 800,
            qz - 800,
            title="log_pz and log_qz around -800",
            clue="With many latents both densities are tiny; their quotient is not: step 4.",
        ),
        case(
            apart,
            pz[:3],
            qz[:3],
            title="log_px from 0 to -3000 in one picture",
            clue="Within one picture the weights can differ by hundreds of nats: only the largest "
            "may be taken out.",
        ),
        case(
            dominant,
            dominant / 3,
            dominant / 2,
            title="50000 draws, of which one counts",
            clue="A single weight counts here: nothing else may be added to it, however small.",
            tolerance=1e-6,
        ),
        case(
            dominant / 25,
            0 * dominant,
            0 * dominant,
            title="50000 draws, all but one 12 nats below the largest",
            clue="Many small weights together are not small: none may be dropped.",
        ),
        case(
            px,
            pz + tensor([60.0, 0.0, -90.0]),
            qz,
            title="log_pz far above and far below log_qz",
            clue="A prior and an encoder may be far apart: no weight is to be limited.",
        ),
    ]


def _of(join: Joined) -> Function:
    """The estimate from log-weights that are joined in another way."""
    return lambda px, pz, qz: bound(join(px, pz, qz))


def _then(reduce: Callable[[Tensor], Tensor]) -> Function:
    """What another function makes of the right log-weights."""
    return lambda px, pz, qz: reduce(_weights(px, pz, qz))


def _shifted(by: Function) -> Function:
    """The mean of the weights with something else than the largest taken out."""

    def wrong(w: Tensor) -> Tensor:
        shift: Tensor = by(w)
        return shift + torch.log(torch.exp(w - shift).mean(dim=0))

    return _then(wrong)


_THREE = "Look at step 2 above: which of the three logs are added, and which is subtracted?"
_MEAN = "Look at step 3 above: in which order come mean and logarithm?"
_COUNT = "Look at step 3 above: how many weights are there, and where does their number stand?"
_LARGEST = "Look at step 4 above: what is taken out before the exponential, and for whom?"
_FAR = (
    "With ordinary logs it is right; where they are near -1000, or large, the weights themselves "
    "are 0 or infinite in floating point"
)

# How the log-weights are made, from the three logs; and what to say to that.
_JOINED: list[tuple[Joined, str]] = [
    (
        lambda px, pz, qz: px + pz,
        "The weights lack q: a draw is to be corrected for having been chosen.",
    ),
    (lambda px, pz, qz: px + pz + qz, "log q has the wrong sign: it is what is divided by."),
    (
        lambda px, pz, qz: px - qz,
        "The prior is missing from the weights: all is divided by q, and nothing says p(z|c).",
    ),
    (
        lambda px, pz, qz: px - pz + qz,
        "The prior and q are exchanged: the draws come from q, so which one is divided by?",
    ),
    (lambda px, pz, qz: px - pz - qz, "log p(z|c) has the wrong sign: it belongs to the model."),
    (
        lambda px, pz, qz: px,
        "You average p(x|z, c) as if the draws came from the prior: they come from q.",
    ),
    (lambda px, pz, qz: px + qz, "Only log p(x|z, c) and log q are there: log p(z|c) is missing."),
    (lambda px, pz, qz: pz - qz, "log p(x|z, c) is missing from the weights."),
    (lambda px, pz, qz: -px + pz - qz, "log p(x|z, c) has the wrong sign: is it a loss?"),
    (
        lambda px, pz, qz: px * (pz - qz).exp(),
        "A logarithm is multiplied by a weight: in logs a product is a sum.",
    ),
    (
        lambda px, pz, qz: px * pz / qz,
        "The logarithms are multiplied and divided: in logs a product is a sum.",
    ),
    (
        lambda px, pz, qz: px + pz / qz,
        "The logarithms are divided: in logs a quotient is a difference.",
    ),
]

CHECK = Check(
    reference=_right,
    cases=_cases,
    look="Go through steps 2 to 4 above: what is one draw's weight, what is averaged, and what is "
    "taken out and put back?",
    slips=[
        *(Slip(_of(join), what, _THREE) for join, what in _JOINED),
        Slip(
            _then(lambda w: w.mean(dim=0)),
            "That is the mean of the logarithms, the bound again: the logarithm of the mean was "
            "asked.",
            _MEAN,
        ),
        Slip(
            lambda px, pz, qz: px.mean(dim=0),
            "That is the mean of log p(x|z, c) alone: weights are averaged, and then comes the "
            "logarithm.",
            _MEAN,
        ),
        Slip(
            lambda px, pz, qz: bound(px) + bound(pz) - bound(qz),
            "The three are averaged one by one: each draw's weight has to be made first.",
            _MEAN,
        ),
        Slip(
            lambda px, pz, qz: bound(px) + (pz - qz).mean(dim=0),
            "Only p(x|z, c) is averaged before the logarithm: the whole weight is to be.",
            _MEAN,
        ),
        Slip(
            lambda px, pz, qz: _right(px, pz, qz) - bound(pz - qz),
            "The weights are made to sum to 1: that estimates something else, and is not asked.",
            "Look at step 3 above: by what is the sum of the weights divided?",
        ),
        Slip(
            lambda px, pz, qz: (px * torch.softmax(pz - qz, dim=0)).sum(dim=0),
            "The weights are made to sum to 1, and logarithms are averaged with them: the "
            "logarithm comes last.",
            _MEAN,
        ),
        Slip(
            _then(lambda w: torch.logsumexp(w, dim=0)),
            "That is the logarithm of the sum of the weights: a mean was asked, so how many draws "
            "are there?",
            _COUNT,
        ),
        Slip(
            _then(lambda w: torch.logsumexp(w, dim=0) / len(w)),
            "You divide the logarithm by the number of draws: the sum of weights is what is "
            "divided.",
            _COUNT,
        ),
        Slip(
            _then(lambda w: torch.logsumexp(w, dim=0) - len(w)),
            "You subtract the number of draws itself from a logarithm.",
            _COUNT,
        ),
        Slip(
            _then(lambda w: torch.logsumexp(w, dim=0) + math.log(len(w))),
            "The number of draws comes in with the wrong sign.",
            _COUNT,
        ),
        Slip(
            _then(lambda w: bound(w) - math.log(len(w))),
            "The number of draws is divided out twice: a mean divides already.",
            _COUNT,
        ),
        Slip(
            _then(lambda w: torch.logsumexp(w, dim=0) - math.log(w.shape[1])),
            "You divide by the number of pictures: the mean is over the draws.",
            _COUNT,
        ),
        Slip(
            _then(lambda w: bound(w.T)),
            "You averaged over the pictures: draws are along the first axis.",
            "Which axis is the draws', according to the docstring?",
        ),
        Slip(
            _then(lambda w: bound(w.reshape(-1, 1)).expand(w.shape[1])),
            "You averaged over the pictures too: each picture has an estimate of its own.",
            "Which axis is the draws', according to the docstring?",
        ),
        *batch_slips(_right, _COUNT),
        Slip(
            lambda *logs: -_right(*logs),
            "That is the negative log-likelihood: the log-likelihood itself was asked.",
            "A loss and a log-likelihood differ by a sign: which was asked?",
        ),
        Slip(_then(lambda w: w.sum(dim=0)), "You add the log-weights up: weights are averaged."),
        Slip(
            _then(lambda w: w.exp().mean(dim=0)),
            "That is the mean weight itself: its logarithm was asked.",
            _MEAN,
        ),
        Slip(_then(lambda w: w.amax(dim=0)), "That is the best draw alone: the others count too."),
        Slip(
            _then(lambda w: w.amax(dim=0) - math.log(len(w))),
            "Of all weights you use the largest alone: the others count too.",
        ),
        Slip(_then(lambda w: w[0]), "You use the first draw alone: all of them count."),
        Slip(
            _then(lambda w: bound(w) - w.amax(dim=0)),
            "The largest weight that was taken out is not put back.",
            _LARGEST,
        ),
        Slip(
            _then(lambda w: w.max() + torch.log((w - w.max()).exp().mean(dim=0))),
            "You take out the largest weight of all pictures: each picture needs its own.",
            _LARGEST,
        ),
        Slip(
            lambda px, pz, qz: torch.log((px.exp() * pz.exp() / qz.exp()).mean(dim=0)),
            f"{_FAR}: form the weight from the logarithms, before any exponential.",
            _LARGEST,
        ),
        Slip(_then(lambda w: w.exp().mean(dim=0).log()), f"{_FAR}.", _LARGEST),
        Slip(
            _then(lambda w: w.double().exp().mean(dim=0).log()),
            f"{_FAR}: more digits do not help there.",
            _LARGEST,
        ),
        *(
            Slip(
                _shifted(by),
                "Something else than the largest log-weight of a picture is taken out: what is "
                "larger than that can overflow.",
                _LARGEST,
            )
            for by in (
                lambda w: w.amin(dim=0),
                lambda w: w.mean(dim=0),
                lambda w: w.median(dim=0).values,
                lambda w: w[0],
            )
        ),
        *(
            Slip(
                lambda px, pz, qz, e=epsilon: torch.log(_weights(px, pz, qz).exp().mean(dim=0) + e),
                f"{_FAR}: a small constant hides that, and gives wrong numbers.",
                _LARGEST,
            )
            for epsilon in (1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-20, 1e-30)
        ),
    ],
)


def conditional_log_likelihood(function: Function) -> None:
    """Check `conditional_log_likelihood(log_px, log_pz, log_qz) -> (B,)`, from (S, B)."""
    __tracebackhide__ = True
    run("conditional-log-likelihood", (CHECK, function))
