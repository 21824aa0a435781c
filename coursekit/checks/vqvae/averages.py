"""Counts and sums of `ema-codebook`: one step of the moving averages of a codebook."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from coursekit.checks.engine import Case, Check, Function, Slip
from coursekit.checks.parts import grey, normal

Batch = Callable[[Tensor, Tensor, int], Tensor]  # of z, indices and the number of codes
Mix = Callable[[Tensor, Tensor, float], Tensor]  # of the average, the batch's own and the decay


def members(z: Tensor, indices: Tensor, codes: int) -> Tensor:
    """How many vectors each code has."""
    return one_hot(indices, codes).to(z).sum(dim=0)


def totals(z: Tensor, indices: Tensor, codes: int) -> Tensor:
    """The sum of each code's vectors."""
    return one_hot(indices, codes).to(z).T @ z


def _mixed(average: Tensor, batch: Tensor, decay: float) -> Tensor:
    return torch.lerp(batch, average, decay)


def _next_counts(batch: Batch = members, mix: Mix = _mixed) -> Function:
    """The counts, or what becomes of them with another part."""

    def counts_of(
        counts: Tensor, sums: Tensor, z: Tensor, indices: Tensor, decay: float, epsilon: float
    ) -> Tensor:
        return mix(counts, batch(z, indices, len(counts)), decay)

    return counts_of


def _next_sums(batch: Batch = totals, mix: Mix = _mixed) -> Function:
    """The sums, or what becomes of them with another part."""

    def sums_of(
        counts: Tensor, sums: Tensor, z: Tensor, indices: Tensor, decay: float, epsilon: float
    ) -> Tensor:
        return mix(sums, batch(z, indices, len(counts)), decay)

    return sums_of


new_counts, new_sums = _next_counts(), _next_sums()


def smoothed(counts: Tensor, epsilon: float) -> Tensor:
    """Counts with epsilon added to each and the same total."""
    total = counts.sum()
    return total * (counts + epsilon) / (total + len(counts) * epsilon)


def book(divide: Callable[[Tensor, Tensor, float], Tensor]) -> Function:
    """A codebook, from the new sums, the new counts and epsilon."""
    return lambda *a: divide(new_sums(*a), new_counts(*a), a[5])


new_codebook = book(lambda sums, counts, epsilon: sums / smoothed(counts, epsilon)[:, None])


def cases() -> list[Case]:
    """Make averages and batches, in some of which a code has no vector."""
    names = ("counts", "sums", "z", "indices", "decay", "epsilon")

    def case(*values: object, title: str = "", clue: str = "") -> Case:
        return Case(dict(zip(names, values, strict=True)), title, clue)

    def drawn(
        seed: int, n: int, k: int, d: int, dtype: torch.dtype = torch.float32
    ) -> list[Tensor]:
        """Averages of k codes, n vectors, and the code of each, the last code's share none."""
        sums, z = normal(seed, (k, d), (n, d), dtype=dtype)
        counts = 0.5 + 3 * grey(seed + 1, k, dtype=dtype)
        indices = (grey(seed + 2, n) * max(1, k - 1)).long()
        return [counts, 2 * sums, z, indices]

    tensor = torch.tensor
    unused = "A code without vectors in the batch takes the step too: its averages get smaller."
    one = drawn(871, 12, 3, 4)
    counts, sums, z, indices = drawn(874, 10, 5, 2)
    return [
        case(
            tensor([2.0, 1.0]),
            tensor([[2.0], [4.0]]),
            tensor([[3.0], [5.0]]),
            tensor([0, 0]),
            0.5,
            0.1,
            clue=unused,
        ),
        case(*one, 0.9, 0.01, title="12 vectors, 3 codes, D = 4, a decay of 0.9"),
        case(
            *drawn(877, 4, 4, 4, torch.float64),
            0.75,
            0.2,
            title="4 vectors, 4 codes, D = 4, in float64, a decay of 0.75",
        ),
        case(
            *drawn(880, 40, 6, 3), 0.99, 1e-5, title="40 vectors, 6 codes, D = 3, a decay of 0.99"
        ),
        case(
            counts,
            sums,
            z,
            torch.full_like(indices, 2),
            0.6,
            0.5,
            title="10 vectors that all have code 2 out of 5, an epsilon of 0.5",
            clue=unused,
        ),
        case(*one[:2], *drawn(883, 1, 3, 4)[2:], 0.3, 0.05, title="a single vector, 3 codes"),
        case(
            torch.zeros(5),
            torch.zeros(5, 2),
            z,
            indices,
            0.9,
            1e-3,
            title="counts and sums that are 0 at the start",
            clue="A code that has had no vector at all has a count of 0: epsilon keeps its row of "
            "the codebook from being 0 divided by 0.",
        ),
        case(*one, 0.0, 0.1, title="12 vectors, 3 codes, a decay of 0"),
    ]


_STEP = "Look at step 1 above: what does the decay stand before, and what one minus it?"
_BATCH = "Look at step 2 above: how many vectors of the batch have code k, and what is their sum?"
SMOOTH = "Look at step 3 above: put in the counts 2 and 0.5 and an epsilon of 0.1, by hand."


def _hit(z: Tensor, indices: Tensor, codes: int) -> Tensor:
    return (members(z, indices, codes) > 0).to(z)


def _last_vector(z: Tensor, indices: Tensor, codes: int) -> Tensor:
    """Each code's last vector of the batch, as `sums[indices] = z` leaves it."""
    found = torch.zeros(codes, z.shape[1], dtype=z.dtype)
    for vector, index in zip(z, indices.tolist(), strict=True):
        found[index] = vector
    return found


def mean_vector(z: Tensor, indices: Tensor, codes: int) -> Tensor:
    """Give the mean of each code's vectors, 0 where it has none."""
    return totals(z, indices, codes) / members(z, indices, codes).clamp(min=1)[:, None]


def _where_hit(make: Function, old: int) -> Function:
    """The right average for codes that have vectors, the old one for the others."""

    def kept(*a: Tensor) -> Tensor:
        hit = _hit(a[2], a[3], len(a[0])) > 0
        new: Tensor = make(*a)
        return torch.where(hit.view(-1, *[1] * (new.dim() - 1)), new, a[old])

    return kept


# What becomes of an average; what to say.
_MIXES: list[tuple[Mix, str]] = [
    (
        lambda old, new, decay: (1 - decay) * old + decay * new,
        "The decay stands before the batch, one minus it before the past: it is the other way "
        "round.",
    ),
    (lambda old, new, decay: decay * old + new, "The batch counts in full: it has a weight, too."),
    (lambda old, new, decay: old + (1 - decay) * new, "The past counts in full: it decays."),
    (lambda old, new, decay: old + new, "The two are added without weights."),
    (lambda old, new, decay: new, "That is the batch's alone: the past is not used."),
    (lambda old, new, decay: old, "Nothing has moved: the batch is not used."),
    (lambda old, new, decay: (1 - decay) * new, "The past is missing."),
    (lambda old, new, decay: decay * old, "The batch is missing: only the past decays."),
    (
        lambda old, new, decay: decay * old - (1 - decay) * new,
        "The batch is subtracted: it comes in with a plus.",
    ),
    (
        lambda old, new, decay: 0.99 * old + 0.01 * new,
        "The decay is always 0.99: take the one that is given.",
    ),
    (
        lambda old, new, decay: decay**2 * old + (1 - decay**2) * new,
        "Two steps' worth of decay: one was asked.",
    ),
]


def orders(*others: tuple[Function, str]) -> list[Slip]:
    """Make the slips where one of the three stands in the place of another."""
    return [
        Slip(
            other,
            f"That is the {name}: counts, sums and codebook was the order.",
            "In which order does the docstring name the three?",
        )
        for other, name in others
    ]


COUNTS = Check(
    reference=new_counts,
    cases=cases,
    subject="your counts are",
    shape="(K,)",
    look=f"{_STEP} {_BATCH}",
    slips=[
        *(Slip(_next_counts(mix=mix), what, _STEP) for mix, what in _MIXES),
        Slip(
            _next_counts(_hit),
            "Each code that occurs counts once: count its vectors. Writing to the same place twice "
            "leaves what was written last.",
            _BATCH,
        ),
        Slip(
            lambda *a: torch.where(_hit(a[2], a[3], len(a[0])) > 0, a[4] * a[0] + (1 - a[4]), a[0]),
            "Each code that occurs counts once, and the others do not decay.",
            _BATCH,
        ),
        Slip(
            _next_counts(lambda z, i, k: members(z, i, k) / len(z)),
            "The batch's shares come in: numbers of vectors were asked.",
            _BATCH,
        ),
        Slip(
            _where_hit(new_counts, 0),
            "A code without vectors keeps its count: it decays like the others.",
            _STEP,
        ),
        Slip(
            lambda *a: smoothed(new_counts(*a), a[5]),
            "Those are the smoothed counts: they serve the codebook only, and are not kept.",
            SMOOTH,
        ),
        Slip(
            lambda *a: new_counts(*a) + a[5],
            "Epsilon is added to the counts themselves: they are to be kept as they are.",
            SMOOTH,
        ),
        Slip(
            lambda *a: new_counts(*a) / new_counts(*a).sum(),
            "Those are shares: counts were asked.",
            _BATCH,
        ),
        Slip(
            _next_counts(lambda z, i, k: torch.full((k,), float(len(z))).to(z)),
            "Every code counts the whole batch: each has only the vectors that chose it.",
            _BATCH,
        ),
        Slip(
            _next_counts(lambda z, i, k: torch.full((k,), len(z) / k).to(z)),
            "The vectors are shared out evenly: count those that chose each code.",
            _BATCH,
        ),
        Slip(
            _next_counts(lambda z, i, k: totals(z, i, k).sum(dim=1)),
            "The vectors' numbers are summed: count the vectors.",
            _BATCH,
        ),
        Slip(
            lambda *a: new_counts(*a).flip(0),
            "The codes come in the reverse order.",
            _BATCH,
        ),
    ],
)

SUMS = Check(
    reference=new_sums,
    cases=cases,
    subject="your sums are",
    shape="(K, D)",
    look=f"{_STEP} {_BATCH}",
    slips=[
        *orders((new_codebook, "codebook")),
        *(Slip(_next_sums(mix=mix), what, _STEP) for mix, what in _MIXES),
        Slip(
            _next_sums(mean_vector),
            "The MEAN of each code's vectors comes in: their sum was asked. Dividing comes last.",
            _BATCH,
        ),
        Slip(
            _next_sums(_last_vector),
            "Only each code's last vector comes in: writing to the same place twice leaves what "
            "was written last.",
            _BATCH,
        ),
        Slip(
            _next_sums(lambda z, i, k: z.sum(dim=0).expand(k, -1)),
            "Every code gets the sum of the whole batch: each has only the vectors that chose it.",
            _BATCH,
        ),
        Slip(
            _next_sums(lambda z, i, k: totals(z, i, k) / len(z)),
            "The batch's sums are divided by the number of vectors: nothing is divided here.",
            _BATCH,
        ),
        Slip(
            _where_hit(new_sums, 1),
            "A code without vectors keeps its sum: it decays like the others.",
            _STEP,
        ),
        Slip(
            lambda *a: new_sums(*a) / new_counts(*a)[:, None],
            "The sums are divided already: they are to be kept as sums.",
            SMOOTH,
        ),
        Slip(
            lambda *a: new_sums(*a).flip(0),
            "The codes come in the reverse order.",
            _BATCH,
        ),
    ],
)
