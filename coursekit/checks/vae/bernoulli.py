"""Check of `bernoulli-from-logits`: the log-probability of pictures, stable for any logit."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Bernoulli
from torch.nn.functional import softplus

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, binary, grey, normal


def _per_picture(values: Tensor) -> Tensor:
    return values.reshape(len(values), -1).sum(dim=1)


def _bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    return _per_picture(Bernoulli(logits=logits, validate_args=False).log_prob(x))


def _cases() -> list[Case]:
    def case(x: Tensor, logits: Tensor, title: str = "", clue: str = "") -> Case:
        return Case({"x": x, "logits": logits}, title, clue)

    large = torch.tensor([200.0, -200.0, 200.0, -200.0, 20.0, -20.0, 3e3, -60.0])
    return [
        case(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.25]])),
        case(
            binary(21, 3, 1, 4, 5),
            3 * normal(22, (3, 1, 4, 5))[0],
            title="3 random binary pictures of 4 x 5 pixels",
        ),
        case(
            grey(23, 4, 2, 3, 3),
            normal(24, (4, 2, 3, 3))[0],
            title="4 grey pictures with 2 channels of 3 x 3 pixels",
            clue="Grey pixels are used as they are, see step 6.",
        ),
        case(
            binary(25, 6, 6, dtype=torch.float64),
            normal(26, (6, 6), dtype=torch.float64)[0],
            title="6 binary pictures of 6 pixels in a row, in float64",
        ),
        case(
            torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]).repeat(2, 1).view(2, 1, 2, 4),
            torch.stack([large, -large]).view(2, 1, 2, 4),
            title="logits of 200, -200 and beyond",
            clue="A probability that rounds to 0 or 1 cannot be mended afterwards: see step 3.",
        ),
    ]


def from_probability(per_pixel: Function) -> Function:
    """A slip written with x and p = sigmoid(logits), pixel by pixel."""
    return lambda x, logits: _per_picture(per_pixel(x, torch.sigmoid(logits)))


def guarded(x: Tensor, p: Tensor, epsilon: float = 0.0) -> Tensor:
    """Log-probability of each pixel with a small constant under the logarithms."""
    return x * torch.log(p + epsilon) + (1 - x) * torch.log(1 - p + epsilon)


def cut_off(x: Tensor, p: Tensor) -> Tensor:
    """Log-probability of each pixel, its logarithms cut off as torch's own function does."""
    return x * p.log().clamp(min=-100) + (1 - x) * (1 - p).log().clamp(min=-100)


def _clamped(x: Tensor, p: Tensor, epsilon: float) -> Tensor:
    p = p.clamp(epsilon, 1 - epsilon)
    return x * torch.log(p) + (1 - x) * torch.log1p(-p)


_UNSTABLE = (
    "With ordinary logits the value is right; with large ones the probability rounds to 0 or 1 "
    "and its logarithm is lost"
)
_STABLE = "Look at steps 3 and 4 of the derivation above: they never form the probability itself."

CHECK = Check(
    reference=_bernoulli,
    cases=_cases,
    slopes=("logits",),
    look="Look at step 4 of the derivation above: which of its two terms is not in your code as "
    "it stands there?",
    slips=[
        Slip(
            lambda x, logits: -_bernoulli(x, logits),
            "That is the cross-entropy, the negative of what was asked: the sign is wrong.",
            "A log-probability is never positive.",
        ),
        Slip(
            lambda x, logits: _bernoulli(x, logits) / x[0].numel(),
            "It is the mean over the pixels: a sum was asked.",
            "Look at step 5 of the derivation above.",
        ),
        *batch_slips(
            _bernoulli, "Look at step 5 of the derivation above: all axes are summed but which?"
        ),
        Slip(
            lambda x, logits: _bernoulli(x, logits).exp(),
            "That is the probability itself: its logarithm was asked.",
        ),
        Slip(
            lambda x, logits: _bernoulli(x, torch.sigmoid(logits)),
            "The sigmoid is applied twice: is there one in the function of torch that you call?",
            "Functions whose name says 'logits' apply the sigmoid themselves.",
        ),
        Slip(
            lambda x, logits: _per_picture(guarded(x, logits, 0.0)),
            "You took the logits for probabilities: the sigmoid is missing.",
            "Look at step 3 of the derivation above.",
        ),
        Slip(
            lambda x, logits: _per_picture(guarded(x, logits.clamp(1e-6, 1 - 1e-6), 0.0)),
            "You took the logits for probabilities: the sigmoid is missing.",
            "Look at step 3 of the derivation above.",
        ),
        Slip(
            lambda x, logits: _bernoulli(x, -logits),
            "You exchanged p and 1 - p: a large logit means a white pixel.",
            "Look at step 3 of the derivation above: which sign has the logit in each softplus?",
        ),
        Slip(
            lambda x, logits: _bernoulli(x.round(), logits),
            "It is right for binary pictures only: you round x, and grey is used as it is.",
            "Look at step 6 of the derivation above.",
        ),
        Slip(
            lambda x, logits: _bernoulli((x > 0.5).to(logits), logits),
            "It is right for binary pictures only: you threshold x, and grey is used as it is.",
            "Look at step 6 of the derivation above.",
        ),
        Slip(
            lambda x, logits: _bernoulli((x > 0).to(logits), logits),
            "It is right for binary pictures only: you treat every grey pixel as a white one.",
            "Look at step 6 of the derivation above.",
        ),
        Slip(
            lambda x, logits: _per_picture(
                torch.log(x * torch.sigmoid(logits) + (1 - x) * (1 - torch.sigmoid(logits)))
            ),
            "It is right for binary pictures only: for a grey pixel, average the two logarithms, "
            "not the two probabilities.",
            "Look at step 6 of the derivation above.",
        ),
        Slip(
            from_probability(lambda x, p: x * torch.log(p)),
            "The term of the black pixels, weighted by 1 - x, is missing.",
            "Look at step 2 of the derivation above: it has two terms.",
        ),
        Slip(
            lambda x, logits: _per_picture(x * logits - logits.relu()),
            "The softplus is not the same as a rectifier: near 0 they differ.",
        ),
        Slip(
            lambda x, logits: _bernoulli(x, logits) - _bernoulli(0 * x, logits),
            "The term that does not depend on x is missing.",
            "Look at step 4 of the derivation above: one product and one softplus remain.",
        ),
        Slip(
            lambda x, logits: _bernoulli(0 * x, logits),
            "The term with x is missing.",
            "Look at step 4 of the derivation above: one product and one softplus remain.",
        ),
        Slip(
            lambda x, logits: 2 * _bernoulli(0 * x, logits) - _bernoulli(x, logits),
            "The product of x and logit has the wrong sign.",
        ),
        Slip(
            lambda x, logits: _bernoulli(x, logits) - 2 * _bernoulli(0 * x, logits),
            "The softplus has the wrong sign.",
        ),
        Slip(
            lambda x, logits: _per_picture(x * logits - softplus(-logits)),
            "Inside the softplus the logit has the wrong sign.",
            "Look at step 4 of the derivation above: put a black pixel with a large logit in.",
        ),
        Slip(
            from_probability(lambda x, p: -((x - p) ** 2)),
            "That is a squared error: a log-probability was asked.",
        ),
        Slip(
            from_probability(guarded),
            f"{_UNSTABLE}: work with the logits.",
            _STABLE,
        ),
        *(
            Slip(
                from_probability(lambda x, p, e=epsilon: guarded(x, p, e)),
                f"{_UNSTABLE}: a small constant or a clamp hides that, and gives wrong numbers.",
                _STABLE,
            )
            for epsilon in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-20)
        ),
        *(
            Slip(
                from_probability(lambda x, p, e=epsilon: _clamped(x, p, e)),
                f"{_UNSTABLE}: a small constant or a clamp hides that, and gives wrong numbers.",
                _STABLE,
            )
            for epsilon in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
        ),
        Slip(
            from_probability(cut_off),
            f"{_UNSTABLE}: the function of torch that you call clamps it at -100.",
            _STABLE,
        ),
        *(
            Slip(
                lambda x, logits, m=limit: _bernoulli(x, logits.clamp(-m, m)),
                "You clamp the logits: any real number is allowed.",
                _STABLE,
            )
            for limit in (10.0, 15.0, 20.0, 30.0, 50.0, 80.0, 88.0, 100.0)
        ),
    ],
)


def bernoulli_from_logits(function: Function) -> None:
    """Check `bernoulli_from_logits(x, logits) -> (B,)`."""
    __tracebackhide__ = True
    run("bernoulli-from-logits", (CHECK, function))
