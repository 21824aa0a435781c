"""Answers to the exercise of notebook 08 on a published loss of a quantiser."""

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

loss = Exercise("vq-loss", checks.vq_loss, ("vq_loss",))


def mean(squares):
    return squares.flatten(1).mean(dim=1)


def detach(t):
    return t.detach()


def keep(t):
    return t


def made(
    first=(detach, keep),
    second=(keep, detach),
    share=lambda cost: (1.0, cost),
    error=lambda a, b: (a - b) ** 2,
    reduce=mean,
    join=lambda a, b: a + b,
):
    """The loss with a part exchanged: what is held still, the weights, the error, the mean."""

    def vq_loss(z, z_q, commitment_cost):
        one, other = share(commitment_cost)
        a = one * reduce(error(first[0](z), first[1](z_q)))
        b = other * reduce(error(second[0](z), second[1](z_q)))
        return join(a, b)

    return vq_loss


right = made()


def by_mse_loss(z, z_q, commitment_cost):
    codebook = F.mse_loss(z_q, z.detach(), reduction="none")
    commitment = F.mse_loss(z, z_q.detach(), reduction="none")
    return (codebook + commitment_cost * commitment).flatten(1).mean(1)


def by_loops(z, z_q, commitment_cost):
    return torch.stack(
        [
            F.mse_loss(b, a.detach()) + commitment_cost * F.mse_loss(a, b.detach())
            for a, b in zip(z, z_q, strict=True)
        ]
    )


def by_einsum(z, z_q, commitment_cost):
    a = (z.detach() - z_q).flatten(1)
    b = (z - z_q.detach()).flatten(1)
    return torch.einsum("bi,bi->b", a, a) / a.shape[1] + commitment_cost * (b * b).mean(-1)


def by_axes(z, z_q, commitment_cost):
    axes = tuple(range(1, z.dim()))
    e = z.detach().sub(z_q).pow(2).mean(dim=axes)
    q = z.sub(z_q.detach()).pow(2).mean(dim=axes)
    return torch.add(e, q, alpha=commitment_cost)


loss.right("as mended", right)
loss.right("mse_loss", by_mse_loss)
loss.right("one picture at a time", by_loops)
loss.right("einsum", by_einsum)
loss.right("means over axes", by_axes)


def published(z, z_q, commitment_cost):
    return commitment_cost * F.mse_loss(z_q, z) + F.mse_loss(z, z_q)


def halves(cost):
    return cost, cost


def swapped(cost):
    return cost, 1.0


def no_grad(z, z_q, commitment_cost):
    with torch.no_grad():
        return right(z, z_q, commitment_cost)


def in_place(z, z_q, commitment_cost):
    value = right(z.clone(), z_q, commitment_cost)
    z.detach().sub_(z_q.detach())
    return value


def codes_in_place(z, z_q, commitment_cost):
    value = right(z, z_q.clone(), commitment_cost)
    z_q.data -= z.data
    return value


def summed_over(axis):
    return lambda squares: squares.sum(dim=axis).flatten(1).mean(dim=1)


def after(change):
    return lambda z, z_q, cost: change(right(z, z_q, cost), z, z_q, cost)


loss.wrong(
    ("as published", "as in the published", published),
    (
        "as published, expanded",
        "as in the published",
        lambda z, q, c: published(z, q, c).expand(len(z)),
    ),
    (
        "published, a picture each",
        "still the published gradient",
        made((keep, keep), (keep, keep), swapped),
    ),
    ("no stop-gradient", "still the published gradient", made((keep, keep), (keep, keep))),
    (
        "mean of the batch, the rest mended",
        "as in the published",
        lambda z, q, c: F.mse_loss(q, z.detach()) + c * F.mse_loss(z, q.detach()),
    ),
    ("cost on the wrong term", "on the wrong term, as in", made(share=swapped)),
    ("stop-gradients exchanged", "on the wrong term, as in", made((keep, detach), (detach, keep))),
    ("second not stopped", "term with the cost still moves the codes", made(second=(keep, keep))),
    ("first not stopped", "still moves the encoder", made(first=(keep, keep))),
    (
        "second not stopped, wrong term",
        "A stop-gradient is missing, and the cost",
        made((detach, keep), (keep, keep), swapped),
    ),
    (
        "first not stopped, wrong term",
        "A stop-gradient is missing, and the cost",
        made((keep, keep), (keep, detach), swapped),
    ),
    ("z held in both", "hold z still", made((detach, keep), (detach, keep))),
    ("z_q held in both", "hold z_q still", made((keep, detach), (keep, detach))),
    (
        "z_q held, first all",
        "No gradient reaches the codes",
        made((detach, detach), (keep, detach)),
    ),
    ("second all held", "encoder gets no gradient", made((detach, keep), (detach, detach))),
    ("all held", "No gradient reaches anything", made((detach, detach), (detach, detach))),
    ("detached at the end", "No gradient reaches anything", after(lambda v, *a: v.detach())),
    ("no_grad", "No gradient reaches anything", no_grad),
    ("exchanged, second held", "encoder all of it", made((keep, detach), (detach, detach))),
    ("exchanged, first held", "small share", made((detach, detach), (detach, keep))),
    ("codebook loss alone", "term with the cost is missing", made(join=lambda a, b: a)),
    ("commitment alone", "one without the cost", made(join=lambda a, b: b)),
    ("no cost", "not used", made(share=lambda c: (1.0, 1.0))),
    ("cost on both", "before both terms", made(share=halves)),
    ("1 - cost", "sum to 1", made(share=lambda c: (1 - c, c))),
    ("subtracted", "subtracted", made(join=lambda a, b: a - b)),
    ("negative", "wrong sign", after(lambda v, *a: -v)),
    ("cost squared", "squared: it stands", made(share=lambda c: (1.0, c**2))),
    (
        "cost within the square",
        "squared: it stands",
        lambda z, q, c: mean((z.detach() - q) ** 2) + mean((c * (z - q.detach())) ** 2),
    ),
    ("cost added", "is added", lambda z, q, c: mean((z.detach() - q) ** 2) + c),
    (
        "divided by the cost",
        "divide by the commitment cost",
        made(share=lambda c: (1.0, 1 / c if c else 0)),
    ),
    ("always a quarter", "always a quarter", made(share=lambda c: (1.0, 0.25))),
    ("sum", "summed: their mean", made(reduce=lambda s: s.flatten(1).sum(dim=1))),
    (
        "sum over the vector",
        "squares of a vector are summed",
        made(reduce=lambda s: s.sum(1).flatten(1).mean(1) if s.dim() > 2 else s.sum(1)),
    ),
    (
        "sum over the last axis",
        "right value",
        made(reduce=lambda s: s.sum(-1).flatten(1).mean(1) if s.dim() > 2 else s.mean(1)),
    ),
    ("mean over the vector", "shape", made(reduce=lambda s: s.mean(dim=1))),
    ("not reduced", "shape", made(reduce=lambda s: s)),
    ("mean over the batch axis", "shape", made(reduce=lambda s: s.mean(dim=0))),
    (
        "mean over the batch, sum of the rest",
        "other way round",
        made(reduce=lambda s: s.mean(0).sum().expand(len(s))),
    ),
    ("root", "root is taken", made(reduce=lambda s: mean(s).sqrt())),
    ("distance", "a distance", made(reduce=lambda s: s.flatten(1).sum(1).sqrt())),
    ("absolute", "not squared", made(error=lambda a, b: (a - b).abs())),
    ("plain differences", "not squared", made(error=lambda a, b: a - b)),
    ("sum of both", "are added", made(error=lambda a, b: (a + b) ** 2)),
    ("squares subtracted", "squares are subtracted", made(error=lambda a, b: a**2 - b**2)),
    ("first one's codes", "first one's codes", made(error=lambda a, b: (a - b[:1]) ** 2)),
    (
        "smoothed",
        "smoothed absolute",
        made(error=lambda a, b: F.smooth_l1_loss(a, b, reduction="none")),
    ),
    ("half squares", "half of what it should", made(error=lambda a, b: (a - b) ** 2 / 2)),
    ("divided by the batch", "number of pictures", after(lambda v, *a: v / len(v))),
    ("divided by D", "right value", after(lambda v, z, *a: v / z.shape[1])),
    ("mean for each", "over the batch", after(lambda v, *a: v.mean().expand(len(v)))),
    ("sum for each", "over the batch", after(lambda v, *a: v.sum().expand(len(v)))),
    ("first for all", "first one's", after(lambda v, *a: v[:1].expand(len(v)))),
    ("wrong order", "wrong order", after(lambda v, *a: v.flip(0))),
    ("flat only", "stops", made(reduce=lambda s: s.mean(dim=(1, 2, 3)))),
    ("a number", "Python number", after(lambda v, *a: v.mean().item())),
    ("z in place", "in place", in_place),
    ("z_q in place", "in place", codes_in_place),
    ("nothing", "nothing (None)", after(lambda v, *a: None)),
    ("pair", "type tuple", made(join=lambda a, b: (a, b))),
    (
        "gradient scaled",
        "gradient",
        after(lambda v, z, *a: v + (z**3 - (z**3).detach()).flatten(1).mean(1) * 0.5),
    ),
)

EXERCISES = [loss]
