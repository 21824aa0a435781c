"""Check of `beta-bug`: a published Beta log-density without its logarithms, mended."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Beta
from torch.nn.functional import softplus

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.likelihoods.pictures import per_picture, sum_slips
from coursekit.checks.parts import grey, normal


def _beta(x: Tensor, log_a: Tensor, log_b: Tensor, edge: float) -> Tensor:
    inside = x.clamp(edge, 1 - edge)
    return per_picture(Beta(log_a.exp(), log_b.exp(), validate_args=False).log_prob(inside))


def _cases() -> list[Case]:
    names = ("x", "log_a", "log_b")

    def case(*values: Tensor, edge: float, title: str = "", clue: str = "") -> Case:
        return Case({**dict(zip(names, values, strict=True)), "edge": edge}, title, clue)

    tensor, double = torch.tensor, torch.float64
    edges = "Black and white pixels are where one of the logarithms is infinite: see step 4."
    black = tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 0.25]], dtype=double)
    return [
        case(tensor([[0.25, 0.5]]), tensor([[1.0, 0.0]]), tensor([[0.0, 2.0]]), edge=1e-3),
        case(
            0.1 + 0.8 * grey(41, 4, 2, 2, 3),
            *normal(42, (4, 2, 2, 3), (4, 2, 2, 3)),
            edge=1e-3,
            title="4 random grey pictures with 2 channels of 2 x 3 pixels, edge = 0.001",
        ),
        case(
            0.1 + 0.8 * grey(43, 5, 5, dtype=double),
            *normal(44, (5, 5), (5, 5), dtype=double),
            edge=1e-6,
            title="5 random grey pictures of 5 pixels in a row, in float64, edge = 0.000001",
        ),
        case(
            black,
            *normal(45, (2, 3), (2, 3), dtype=double),
            edge=1e-6,
            title="black and white pixels, in float64, edge = 0.000001",
            clue=edges,
        ),
        case(
            tensor([[0.0, 0.02, 0.5, 0.96, 1.0]]).repeat(3, 1),
            *normal(46, (3, 5), (3, 5)),
            edge=0.05,
            title="pixels from 0 to 1, edge = 0.05",
            clue="Pixels are clamped to [edge, 1 - edge], those inside stay as they are: step 4.",
        ),
        case(
            0.3 + 0.4 * grey(47, 3, 4, dtype=double),
            5 + normal(48, (3, 4), dtype=double)[0],
            4 + normal(49, (3, 4), dtype=double)[0],
            edge=1e-6,
            title="large a and b, in float64",
            clue="The gamma function itself overflows, its logarithm does not: see step 3.",
        ),
        Case(
            {"x": tensor([[0.5], [0.01]]), "log_a": tensor([[400.0], [40.0]]).log(),
             "log_b": tensor([[400.0], [3.0]]).log(), "edge": 1e-6},
            title="a = b = 400 at x = 0.5, and a = 40, b = 3 at x = 0.01",
            clue="A number to a large power rounds to 0, its logarithm does not: see step 2.",
            tolerance=2e-3,
        ),
        case(
            tensor([[0.5], [0.25], [0.75], [0.125]], dtype=double),
            tensor([[9.0], [-6.0], [-25.0], [0.5]], dtype=double),
            tensor([[9.0], [0.5], [1.0], [-25.0]], dtype=double),
            edge=1e-6,
            title="log_a and log_b from -25 to 9, in float64",
            clue="log_a and log_b may be any real numbers: nothing limits them here.",
        ),
    ]  # fmt: skip


def _terms(
    logs: bool = True,
    normaliser: float = -1.0,
    less: float = 1.0,
    together: float = 1.0,
    clamped: bool = True,
) -> Function:
    """The log-density with other powers, another normaliser, and its edges as they are.

    Args:
        logs: whether logarithms of x and 1 - x are taken.
        normaliser: what the logarithm of the normaliser is multiplied by.
        less: what is subtracted from a and b in the powers.
        together: what the log-gamma of a + b is multiplied by.
        clamped: whether x is clamped.
    """

    def wrong(x: Tensor, log_a: Tensor, log_b: Tensor, edge: float) -> Tensor:
        a, b = log_a.exp(), log_b.exp()
        x = x.clamp(edge, 1 - edge) if clamped else x
        left, right = (x.log(), (1 - x).log()) if logs else (x, 1 - x)
        log_beta = torch.lgamma(a) + torch.lgamma(b) - together * torch.lgamma(a + b)
        return per_picture((a - less) * left + (b - less) * right + normaliser * log_beta)

    return wrong


def _moved(move: Function) -> Function:
    """The log-density with the pixels brought inside in another way."""

    def wrong(x: Tensor, log_a: Tensor, log_b: Tensor, edge: float) -> Tensor:
        distribution = Beta(log_a.exp(), log_b.exp(), validate_args=False)
        return per_picture(distribution.log_prob(move(x, edge)))

    return wrong


def _constant_under(x: Tensor, log_a: Tensor, log_b: Tensor, edge: float) -> Tensor:
    a, b = log_a.exp(), log_b.exp()
    powers = (a - 1) * (x + edge).log() + (b - 1) * (1 - x + edge).log()
    return per_picture(powers - torch.lgamma(a) - torch.lgamma(b) + torch.lgamma(a + b))


def _powers_first(x: Tensor, log_a: Tensor, log_b: Tensor, edge: float) -> Tensor:
    a, b, x = log_a.exp(), log_b.exp(), x.clamp(edge, 1 - edge)
    powers = torch.log(x ** (a - 1) * (1 - x) ** (b - 1))
    return per_picture(powers - torch.lgamma(a) - torch.lgamma(b) + torch.lgamma(a + b))


def _clamped_apart(x: Tensor, log_a: Tensor, log_b: Tensor, edge: float) -> Tensor:
    a, b = log_a.exp(), log_b.exp()
    powers = (a - 1) * x.clamp(min=edge).log() + (b - 1) * (1 - x).clamp(min=edge).log()
    return per_picture(powers - torch.lgamma(a) - torch.lgamma(b) + torch.lgamma(a + b))


def _limited(low: float | None, high: float | None) -> Function:
    """The log-density with log_a and log_b kept between two limits."""
    return lambda x, log_a, log_b, edge: _beta(
        x, log_a.clamp(low, high), log_b.clamp(low, high), edge
    )


_POWERS = "Look at step 2 above: what does the logarithm make of a power?"
_LOG_B = "Look at steps 2 and 3 above: which signs have the normaliser and its three parts?"
_EDGES = "Look at step 4 above: which pixels are moved, and where to?"
_MAKE = "Look at step 1 above: what are log_a and log_b?"

CHECK = Check(
    reference=_beta,
    cases=_cases,
    slopes=("log_a", "log_b"),
    look="Look at steps 1 to 4 above, and put a = 2, b = 1 in: the density is 2 x there.",
    slips=[
        *(
            Slip(
                _terms(logs=False, normaliser=1.0, clamped=clamped),
                "That is still the published version: the powers are without their logarithms, "
                "and the normaliser has the wrong sign.",
                _POWERS,
            )
            for clamped in (False, True)
        ),
        *(
            Slip(
                _terms(logs=False, clamped=clamped),
                "The normaliser is mended; the powers are still without their logarithms.",
                _POWERS,
            )
            for clamped in (False, True)
        ),
        *(
            Slip(
                _terms(normaliser=1.0, clamped=clamped),
                "The powers are mended; the normaliser still comes in with the wrong sign.",
                _LOG_B,
            )
            for clamped in (False, True)
        ),
        Slip(
            _terms(clamped=False),
            "Two of the slips are mended; edge is not used, so black and white pixels have an "
            "infinite log-density.",
            _EDGES,
        ),
        Slip(
            _constant_under,
            "You add edge under the logarithms: this moves every pixel, and clamping was asked.",
            _EDGES,
        ),
        Slip(
            _powers_first,
            "The powers are formed before the logarithm: they round to 0. Step 2 turns them into "
            "factors first.",
            _POWERS,
        ),
        Slip(
            _clamped_apart,
            "The two logarithms are clamped separately: clamp x once, on both sides.",
            _EDGES,
        ),
        *(
            Slip(
                _limited(low, high),
                "You limit log a or log b: here they are taken as they are.",
                "Look at the docstring: which numbers may log_a and log_b be?",
            )
            for low in (None, -2.0, -3.0, -5.0, -6.0, -10.0, -20.0)
            for high in (None, 2.0, 3.0, 5.0, 8.0)
            if (low, high) != (None, None)
        ),
        Slip(
            _moved(lambda x, edge: edge + (1 - 2 * edge) * x),
            "You squeeze all pixels together: those inside stay where they are.",
            _EDGES,
        ),
        *(
            Slip(
                _moved(lambda x, edge, fixed=fixed: x.clamp(fixed, 1 - fixed)),
                "You clamp with a number of your own: use edge.",
                _EDGES,
            )
            for fixed in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
        ),
        Slip(
            _moved(lambda x, edge: x.clamp(min=edge)),
            "The black pixels are clamped, the white ones are not.",
            _EDGES,
        ),
        Slip(
            _moved(lambda x, edge: x.clamp(max=1 - edge)),
            "The white pixels are clamped, the black ones are not.",
            _EDGES,
        ),
        Slip(
            _terms(less=0.0),
            "The powers are a and b: they are one less.",
            "Look at step 1 above: what are the two exponents?",
        ),
        Slip(_terms(normaliser=0.0), "The normaliser is missing.", _LOG_B),
        Slip(
            _terms(together=0.0),
            "The normaliser has two log-gammas: that of a + b is missing.",
            _LOG_B,
        ),
        Slip(
            _terms(together=-1.0),
            "In the normaliser the log-gamma of a + b has the wrong sign.",
            _LOG_B,
        ),
        Slip(
            lambda x, log_a, log_b, edge: _beta(x, log_b, log_a, edge),
            "a and b are exchanged: which of them belongs to x, which to 1 - x?",
            "Look at step 1 above.",
        ),
        Slip(
            lambda x, log_a, log_b, edge: _beta(x, log_a.abs().log(), log_b.abs().log(), edge),
            "log_a and log_b are taken for a and b: they are their logarithms.",
            _MAKE,
        ),
        Slip(
            lambda x, log_a, log_b, edge: _beta(
                x, softplus(log_a).log(), softplus(log_b).log(), edge
            ),
            "a and b are made by a softplus: log_a and log_b are their logarithms.",
            _MAKE,
        ),
        Slip(
            lambda x, log_a, log_b, edge: _beta(
                x, (1 + log_a.exp()).log(), (1 + log_b.exp()).log(), edge
            ),
            "a and b are one too large.",
            _MAKE,
        ),
        *sum_slips(_beta, 1, "above"),
    ],
)


def beta_bug(function: Function) -> None:
    """Check `beta_log_prob(x, log_a, log_b, edge) -> (B,)`."""
    __tracebackhide__ = True
    run("beta-bug", (CHECK, function))
