"""How it is checked that codes are drawn: how often each comes, and with which generator.

Two right answers may draw other codes from the same seed. So frequencies are compared, over many
maps, with what they should be and with what known slips would make of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from coursekit.checks import wording
from coursekit.checks.engine import Case, Check, Function
from coursekit.checks.findings import Finding
from coursekit.checks.vqvae.priors import Logits, prior

MAPS, NEAR = 10_000, 0.03  # six standard deviations of a share of a quarter, and more
FIRST = torch.tensor([0.0, 1.2, -0.8])
SECOND = torch.tensor([[1.5, 0.0, -1.0], [-0.5, 0.5, 1.0], [0.0, -2.0, 0.7]])
Likely = Callable[[Tensor, float], Tensor]  # probabilities, from logits and temperature

_TEMPERATURE = "Look at step 3 above: does a small temperature make a likely code likelier?"
_GENERATOR = "Look at step 3 above: who decides which code comes, and what is it handed to?"
ANEW = "Was a code drawn anew after others had been made from it? Each is drawn once, and stays."
_AGAIN = "Look at step 1 above: how often is each code drawn, and what do those after it see?"


def _single_logits(indices: Tensor) -> Tensor:
    """Logits of maps of a single code of three."""
    return FIRST[:, None, None].expand(len(indices), 3, 1, 1)


def _pair_logits(indices: Tensor) -> Tensor:
    """Logits of maps of 1 x 2 codes of three, the second of which depends on the first."""
    first = FIRST.expand(len(indices), 3)
    return torch.stack([first, SECOND[indices[:, 0, 0]]], dim=2)[:, :, None]


def _echo_logits(indices: Tensor) -> Tensor:
    """Logits of maps of 2 x 2 codes of four, all of which are as the first."""
    copies = torch.nn.functional.one_hot(indices[:, 0, 0], 4).float()
    maps = (300 * copies)[:, :, None, None].repeat(1, 1, 2, 2)
    maps[:, :, 0, 0] = 0
    return maps


def _even_logits(indices: Tensor) -> Tensor:
    return torch.zeros(len(indices), 5, *indices.shape[1:])


def _likely(logits: Tensor, temperature: float) -> Tensor:
    return torch.softmax(logits / temperature, dim=-1)


def _likeliest(logits: Tensor, temperature: float) -> Tensor:
    return torch.nn.functional.one_hot(logits.argmax(dim=-1), 3).float()


# What probabilities a single code has; what to say.
_SLIPS: list[tuple[Likely, str, str]] = [
    (
        _likeliest,
        "The likeliest code is always taken: codes are to be drawn by their probabilities.",
        _GENERATOR,
    ),
    (lambda a, t: _likely(a, 1.0), "The temperature is not used.", _TEMPERATURE),
    (
        lambda a, t: _likely(a, 1 / t),
        "The logits are multiplied by the temperature: a small one is to make the likely codes "
        "likelier.",
        _TEMPERATURE,
    ),
    (
        lambda a, t: _likely(_likely(a, t), 1.0),
        "The softmax is applied twice: the second time to probabilities.",
        _TEMPERATURE,
    ),
    (lambda a, t: _likely(a, t * t), "The temperature counts twice.", _TEMPERATURE),
    (lambda a, t: _likely(a, t**0.5), "A root of the temperature is used.", _TEMPERATURE),
    (lambda a, t: _likely(a, 1 + t), "One is added to the temperature.", _TEMPERATURE),
    (
        lambda a, t: torch.full_like(a, 1 / 3),
        "All codes are equally likely: the logits are not used, or the softmax runs over another "
        "axis than that of the codes.",
        _TEMPERATURE,
    ),
    (
        lambda a, t: _likely(-a, t),
        "The logits have the wrong sign: a large one makes a code likely.",
        _TEMPERATURE,
    ),
    (
        lambda a, t: (a / t).sigmoid() / (a / t).sigmoid().sum(),
        "Sigmoids are used for the probabilities: a softmax was asked.",
        _TEMPERATURE,
    ),
    (
        lambda a, t: (a - a.amin()) / (a - a.amin()).sum(),
        "The logits are shifted and divided by their sum: a softmax was asked.",
        _TEMPERATURE,
    ),
]


def _pairs(temperature: float) -> Tensor:
    """The shares of pairs of codes, (3, 3)."""
    return _likely(FIRST, temperature)[:, None] * _likely(SECOND, temperature)


def _anew(temperature: float) -> Tensor:
    """The shares of pairs where the second code saw another first one than what came back."""
    pairs = _pairs(temperature)
    return pairs.sum(dim=1)[:, None] * pairs.sum(dim=0)


def _unseen(temperature: float) -> Tensor:
    """The shares of pairs where the second code saw an empty map."""
    return _likely(FIRST, temperature)[:, None] * _likely(SECOND[0], temperature)


@dataclass(frozen=True)
class Draws:
    """A student's function, called with one of the priors."""

    function: Function

    def __call__(
        self,
        logits: Logits,
        shape: tuple[int, int, int],
        codes: int,
        generator: torch.Generator,
        temperature: float = 1.0,
        elsewhere: int = 0,
    ) -> Tensor:
        """Draw codes, (B, H, W), with torch's own generator at some seed besides."""
        asked, most = 0, 4 * shape[1] * shape[2]

        def counted(indices: Tensor) -> Tensor:
            nonlocal asked
            asked += 1
            if asked > most:
                raise Finding(
                    f"for {shape[0]:,} maps of {shape[1]} x {shape[2]} codes you ask logits_of "
                    f"more than {most} times: do you ask it for each map by itself? It takes all "
                    "B maps, and all B codes of a place are drawn at once.",
                    "Look at step 1 above: for what is the prior asked again, and for what not?",
                )
            return logits(indices)

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(elsewhere)
            found: Tensor = self.function(
                prior(counted, shape, codes), shape, temperature, generator
            )
        return found


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _look_at_generator(draws: Draws) -> None:
    """Raise a `Finding` where something else than the generator decides."""
    shape = (40, 2, 3)
    own = _seeded(1)
    first, more = (draws(_even_logits, shape, 5, own) for _ in range(2))
    again = draws(_even_logits, shape, 5, _seeded(1), elsewhere=1)
    other = draws(_even_logits, shape, 5, _seeded(2))
    place = "for 40 maps of 2 x 3 codes, all equally likely, "
    if not torch.equal(first, again):
        raise Finding(
            f"{place}two calls with generators of the same seed give different codes. The "
            "generator has to make every draw: hand it on.",
            _GENERATOR,
        )
    if bool((first == first[0, 0, 0]).all()):
        raise Finding(
            f"{place}all codes are {int(first[0, 0, 0])}. The likeliest code is always taken: "
            "codes are to be drawn by their probabilities.",
            _GENERATOR,
        )
    if torch.equal(first, other):
        raise Finding(
            f"{place}generators of different seeds give the same codes. Use the one that is "
            "given, and do not set its seed.",
            _GENERATOR,
        )
    if torch.equal(first, more):
        raise Finding(
            f"{place}a second call with the same generator gives the same codes again: is its seed "
            "set, or a copy of it used? It is to go on where it was.",
            _GENERATOR,
        )
    if bool((first == first[:1]).all()):
        raise Finding(
            f"{place}all maps are alike. Each picture needs a draw of its own.", _GENERATOR
        )
    if bool((first == first[:, :1, :1]).all()):
        raise Finding(
            f"{place}all codes of a map are alike. Each code needs a draw of its own: does the "
            "generator start anew for each?",
            _GENERATOR,
        )


def _look_at_single(draws: Draws, temperature: float) -> None:
    """Raise a `Finding` where a code that is alone comes too often or too seldom."""
    shape = (MAPS, 1, 1)
    try:
        codes = draws(_single_logits, shape, 3, _seeded(5), temperature)
    except Exception:  # the engine calls it again, and says where it stopped, or a later look
        return
    if type(codes) is not Tensor or codes.dtype != torch.int64 or tuple(codes.shape) != shape:
        return
    if codes.min() < 0 or codes.max() > 2 or bool((codes == codes[0]).all()):
        return
    mine, right = torch.bincount(codes.flatten(), minlength=3) / MAPS, _likely(FIRST, temperature)
    if (mine - right).abs().max() < NEAR:
        return
    worst = int((mine - right).abs().argmax())
    place = (
        f"for {MAPS:,} maps of a single code at a temperature of {temperature:g} the code {worst} "
        f"comes in {_percent(mine, worst)} of the maps, and should in {_percent(right, worst)}. "
    )
    apart = [float((mine - likely(FIRST, temperature)).abs().max()) for likely, _, _ in _SLIPS]
    if min(apart) < NEAR:
        _, what, look = _SLIPS[apart.index(min(apart))]
        raise Finding(place + what, look)
    raise Finding(f"{place}How do logits become probabilities?", _TEMPERATURE)


def _look_at_pairs(draws: Draws, temperature: float) -> None:
    """Raise a `Finding` where pairs of codes come too often or too seldom."""
    codes = draws(_pair_logits, (MAPS, 1, 2), 3, _seeded(3), temperature)
    pairs = torch.bincount(3 * codes[:, 0, 0] + codes[:, 0, 1], minlength=9)
    mine, right = pairs.view(3, 3) / MAPS, _pairs(temperature)
    if (mine - right).abs().max() < NEAR:
        return
    worst = int((mine - right).abs().argmax())
    place = (
        f"for {MAPS:,} maps of 1 x 2 codes at a temperature of {temperature:g} the codes "
        f"{divmod(worst, 3)} come in {_percent(mine, worst)} of the maps, and should in "
        f"{_percent(right, worst)}. "
    )
    if (mine - _unseen(temperature)).abs().max() < NEAR:
        raise Finding(f"{place}The second code does not see the first.", _AGAIN)
    if (mine - _anew(temperature)).abs().max() < NEAR:
        raise Finding(f"{place}{ANEW}", _AGAIN)
    raise Finding(f"{place}What does the second code see of the first?", _AGAIN)


def _percent(shares: Tensor, place: int) -> str:
    return f"{wording.number(round(100 * shares.flatten()[place].item(), 1))} %"


def _look_at_echoes(draws: Draws) -> None:
    """Raise a `Finding` where codes that are bound to be copies are not."""
    codes = draws(_echo_logits, (1000, 2, 2), 4, _seeded(4))
    alike = (codes == codes[:, :1, :1]).flatten(1).all(dim=1)
    if not alike.all():
        raise Finding(
            "for a prior that makes each map's codes copies of its first one, "
            f"{wording.number(round(100 * (~alike).float().mean().item(), 1))} % of the maps have "
            f"different codes. {ANEW}",
            _AGAIN,
        )


TITLES = (
    "40 maps of equally likely codes",
    f"{MAPS:,} maps of 1 x 2 codes",
    "1,000 maps of copies",
)


def single(function: Function) -> None:
    """Look at draws of a single code, where no order of places can be wrong.

    Args:
        function: the student's; what stops or is no map of codes is left to the engine.

    Raises:
        Finding: where a code does not come as often as it should.
    """
    for temperature in (1.0, 0.5, 2.0):
        _look_at_single(Draws(function), temperature)


def drawing(function: Function) -> tuple[Check, Function]:
    """Make the part of a check that looks at draws; it comes after the one without a choice.

    Args:
        function: the student's.

    Returns:
        A check and a function, for `engine.run`.
    """

    def cases() -> list[Case]:
        draws = Draws(function)
        _look_at_generator(draws)
        _look_at_pairs(draws, 1.0)
        _look_at_echoes(draws)
        return [Case({}, title) for title in TITLES]

    return Check(_one, cases, slips=(), look=_GENERATOR), _one


def _one() -> Tensor:
    return torch.ones(1)
