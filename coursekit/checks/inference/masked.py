"""Check of `masked-log-likelihood`: the log-probability of the pixels that are seen."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Bernoulli

from coursekit.checks.engine import Check, Function, Slip
from coursekit.checks.findings import Finding
from coursekit.checks.inference.calls import Call, run_looked
from coursekit.checks.inference.hidden import arguments, cases
from coursekit.checks.parts import batch_slips
from coursekit.checks.vae.bernoulli import cut_off, guarded


def _right(x: Tensor, logits: Tensor, seen: Tensor) -> Tensor:
    rows = []
    for picture, row, mask in zip(x, logits, seen.expand(x.shape), strict=True):
        pixels = Bernoulli(logits=row[mask], validate_args=False)
        rows.append(pixels.log_prob(picture[mask]).sum())
    return torch.stack(rows)


def _each(x: Tensor, logits: Tensor) -> Tensor:
    return x * logits - torch.nn.functional.softplus(logits)


def _where(
    x_hidden: Callable[[Tensor], Tensor] | None = None,
    logits_hidden: Callable[[Tensor], Tensor] | None = None,
) -> Function:
    """All pixels counted, after something has been put where they are hidden."""

    def wrong(x: Tensor, logits: Tensor, seen: Tensor) -> Tensor:
        x = torch.where(seen, x, x_hidden(x)) if x_hidden else x
        logits = torch.where(seen, logits, logits_hidden(logits)) if logits_hidden else logits
        return _each(x, logits).sum(dim=1)

    return wrong


def _counted(x: Tensor, seen: Tensor) -> Tensor:
    return seen.expand(x.shape).sum(dim=1)


def _seen_only(each: Function) -> Function:
    """The seen pixels' sum of something else, made from x and the logits."""

    def wrong(x: Tensor, logits: Tensor, seen: Tensor) -> Tensor:
        return torch.where(seen, each(x, logits), torch.zeros_like(x)).sum(dim=1)

    return wrong


def _probability(likelihood: Function) -> Function:
    return lambda x, logits: likelihood(x, torch.sigmoid(logits))


_WHICH = "Colour the pixels on paper: which of them enter the sum, and what does each bring?"
_NAN = "What is 0 times nan? Try it in a cell, and then mend x before it is used."
_STABLE = "Which function of torch works from the logits, and never forms the probability?"
_AXES = "Over which axis are pixels summed, and which axis is the pictures' own?"

CHECK = Check(
    reference=_right,
    cases=cases,
    arguments=arguments,
    slopes=("logits",),
    look=_WHICH,
    slips=[
        Slip(
            lambda x, logits, seen: (_each(x, logits) * seen).sum(dim=1),
            "A hidden nan poisons the sum: 0 times nan is nan, so multiplying by the mask does "
            "not put it out.",
            _NAN,
        ),
        *(
            Slip(
                lambda x, logits, seen, put_out=put_out: (_each(put_out(x), logits) * seen).sum(
                    dim=1
                ),
                "Only nan is put out of x, and then x is multiplied by the mask: inf, or a number "
                "as large as torch puts in its place, is not put out so. Let the mask say what is "
                "replaced.",
                _NAN,
            )
            for put_out in (
                torch.nan_to_num,
                lambda x: torch.where(x.isnan(), torch.zeros_like(x), x),
            )
        ),
        Slip(_where(), "The hidden pixels are counted too: the mask is not used.", _WHICH),
        Slip(
            lambda x, logits, seen: _each(x.nan_to_num(), logits).sum(dim=1),
            "Only nan is put out of x, and then all pixels are counted: the mask says which are "
            "seen.",
            _WHICH,
        ),
        Slip(
            lambda x, logits, seen: _each(x, logits).nansum(dim=1),
            "Only what is nan is left out: the mask says which pixels are seen.",
            _WHICH,
        ),
        *(
            Slip(wrong, "The mask is turned round: the HIDDEN pixels are summed.", _WHICH)
            for wrong in (
                lambda x, logits, seen: torch.where(seen, 0.0, _each(x, logits)).sum(dim=1),
                lambda x, logits, seen: (_each(x, logits) * ~seen).sum(dim=1),
                lambda x, logits, seen: torch.where(seen, 0.0, _each(x.nan_to_num(), logits)).sum(
                    dim=1
                ),
            )
        ),
        *(
            Slip(
                wrong,
                "Hidden pixels are counted as black ones: they must bring nothing at all.",
                _WHICH,
            )
            for wrong in (
                _where(torch.zeros_like),
                lambda x, logits, seen: _each(x * seen, logits).sum(dim=1),
            )
        ),
        *(
            Slip(
                wrong,
                "Hidden pixels still bring something: a logit of 0 says that white and black are "
                "equally likely, and that has a log-probability.",
                _WHICH,
            )
            for wrong in (
                _where(torch.zeros_like, torch.zeros_like),
                _where(None, torch.zeros_like),
                lambda x, logits, seen: _each(x * seen, logits * seen).sum(dim=1),
                lambda x, logits, seen: _each(x, logits * seen).sum(dim=1),
            )
        ),
        Slip(
            _where(lambda x: torch.full_like(x, 0.5)),
            "Hidden pixels are counted as grey ones: they must bring nothing at all.",
            _WHICH,
        ),
        Slip(
            _where(torch.ones_like),
            "Hidden pixels are counted as white ones: they must bring nothing at all.",
            _WHICH,
        ),
        Slip(
            lambda x, logits, seen: _right(x, logits, seen) / _counted(x, seen),
            "You take the mean over the seen pixels: a sum was asked.",
            _AXES,
        ),
        Slip(
            lambda x, logits, seen: _right(x, logits, seen) / _counted(x, seen).clamp(min=1),
            "You take the mean over the seen pixels: a sum was asked.",
            _AXES,
        ),
        Slip(
            lambda x, logits, seen: _right(x, logits, seen) / x.shape[1],
            "You divide by the number of pixels: a sum was asked.",
            _AXES,
        ),
        *(
            Slip(
                lambda x, logits, seen, least=least: (
                    _right(x, logits, seen) * x.shape[1] / _counted(x, seen).clamp(min=least)
                ),
                "The sum is scaled up to a whole picture: what is hidden says nothing.",
                _WHICH,
            )
            for least in (0, 1)
        ),
        Slip(
            lambda x, logits, seen: -_right(x, logits, seen),
            "That is the cross-entropy, the negative of what was asked: the sign is wrong.",
            "A log-probability is never positive.",
        ),
        Slip(
            lambda x, logits, seen: _right(x, logits, seen if seen.dim() == 1 else seen[:1]),
            "Every picture gets the first one's mask: each may have its own.",
            _WHICH,
        ),
        Slip(
            lambda x, logits, seen: _right(
                x, logits, seen[:, None].expand(x.shape) if seen.dim() == 1 else seen
            ),
            "A mask for all pictures is laid along the wrong axis: it belongs to the pixels.",
            "How does torch line up shapes (D,) and (B, D)?",
        ),
        Slip(
            _seen_only(lambda x, logits: _each(x, torch.sigmoid(logits))),
            "The sigmoid is applied twice: is there one in the function of torch that you call?",
            "Functions whose name says 'logits' apply the sigmoid themselves.",
        ),
        Slip(
            _seen_only(lambda x, logits: _each(x, -logits)),
            "White and black are exchanged: a large logit means a white pixel.",
            "Which sign of a logit makes a pixel likely to be white?",
        ),
        Slip(
            _seen_only(lambda x, logits: x * logits),
            "The term that does not depend on x is missing.",
            "The probabilities of white and of black must add up to 1.",
        ),
        *(
            Slip(
                _seen_only(each),
                "The term of the black pixels, weighted by 1 - x, is missing.",
                "What does a black pixel bring, if its logit is large?",
            )
            for each in (
                _probability(lambda x, p: x * torch.log(p)),
                lambda x, logits: x * torch.nn.functional.logsigmoid(logits),
            )
        ),
        Slip(
            _seen_only(_probability(lambda x, p: -((x - p) ** 2))),
            "That is a squared error: a log-probability was asked.",
        ),
        *(
            Slip(
                _seen_only(_probability(likelihood)),
                "With large logits a probability rounds to 0 or 1, and its logarithm is lost: work "
                "with the logits.",
                _STABLE,
            )
            for likelihood in (
                guarded,
                cut_off,
                *(
                    lambda x, p, e=epsilon: guarded(x, p, e)
                    for epsilon in (1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
                ),
            )
        ),
        *(
            Slip(
                _seen_only(lambda x, logits, most=most: _each(x, logits.clamp(-most, most))),
                "The logits are cut off: take them as they are, however large.",
                _STABLE,
            )
            for most in (10.0, 20.0, 30.0, 50.0, 100.0)
        ),
        Slip(
            lambda x, logits, seen: _right(x, logits, seen) / torch.tensor(2.0).log(),
            "That is in bits: nats were asked.",
            "Which base has the logarithm in a nat?",
        ),
        Slip(
            lambda x, logits, seen: _right(x, logits, seen).exp(),
            "That is the probability itself: its logarithm was asked.",
        ),
        *batch_slips(_right, _AXES),
    ],
)


def _look_at_gradient(call: Call) -> None:
    """Raise a `Finding` where the value is right and a hidden nan gets into the gradient."""
    x, logits, _ = call.arguments
    value = call.value
    if not value.requires_grad:
        return
    (slope,) = torch.autograd.grad(value.sum(), [logits], allow_unused=True)
    if slope is not None and not x.isfinite().all() and slope.isnan().any():
        raise Finding(
            f"{call.place}the value is right, but the gradient that reaches logits is nan: what "
            "was put out after the product still stands in the product's slope, and 0 times nan "
            "is nan, as is 0 times inf.",
            "Mend x where it is hidden BEFORE it meets the logits, and put the product out too.",
        )


def masked_log_likelihood(function: Function) -> None:
    """Check `masked_log_likelihood(x, logits, seen) -> (B,)`."""
    __tracebackhide__ = True
    run_looked("masked-log-likelihood", CHECK, function, [_look_at_gradient], late=True)
