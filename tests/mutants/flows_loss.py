"""Answers to the exercise of notebook 06 on a published loss of a flow."""

import math

import torch

from coursekit import checks
from mutants import Exercise

loss = Exercise("flow-loss-bug", checks.flow_loss_bug, ("flow_loss",))

LN_256 = math.log(256)


def noisy(v, noise):
    return (v + noise) / 256


def join(base, logdet, cells):
    return -(base + logdet) + cells


def all_cells(v):
    return v[0].numel() * LN_256


def made(x=noisy, join=join, cells=all_cells):
    def flow_loss(v, noise, forward, base_log_prob):
        z, logdet = forward(x(v, noise))
        return join(base_log_prob(z), logdet, cells(v))

    return flow_loss


right = made()


def by_bits(v, noise, forward, base_log_prob):
    _, channels, height, width = v.shape
    z, logdet = forward(v.to(noise.dtype).add(noise).mul(2**-8))
    return 8 * math.log(2) * channels * height * width - logdet - base_log_prob(z)


def by_cell(v, noise, forward, base_log_prob):
    """The logarithm of a level's mass: the density times the volume of its cell."""
    z, logdet = forward(v / 256 + noise / 256)
    log_volume = torch.full_like(noise, 1 / 256).log().flatten(1).sum(dim=1)
    return -(base_log_prob(z) + logdet + log_volume)


def one_at_a_time(v, noise, forward, base_log_prob):
    x = torch.stack([(picture.float() + u) / 256 for picture, u in zip(v, noise, strict=True)])
    z, logdet = forward(x)
    return torch.stack(
        [z[i].numel() * LN_256 - one for i, one in enumerate(base_log_prob(z) + logdet)]
    )


loss.right("as mended", right)
loss.right("8 bits a value", by_bits)
loss.right("volume of a cell", by_cell)
loss.right("one picture at a time", one_at_a_time)


def published(v, noise, forward, base_log_prob):
    z, logdet = forward(v.float() / 255)
    return -(base_log_prob(z) - logdet)


def after(change):
    return lambda v, *a: change(right(v, *a), v[0].numel())


def still(noise=True, sign=True, cell=True, at_x=lambda v, u: v / 255):
    """The published version with some of its slips mended."""
    return made(
        noisy if noise else at_x,
        join if sign else lambda b, d, c: -(b - d) + c,
        all_cells if cell else lambda v: 0.0,
    )


def own_noise(v, noise, forward, base_log_prob):
    return right(v, torch.rand(noise.shape, dtype=noise.dtype), forward, base_log_prob)


def own_seed(v, noise, forward, base_log_prob):
    g = torch.Generator().manual_seed(0)
    return right(v, torch.rand(noise.shape, generator=g).to(noise), forward, base_log_prob)


def noise_in_place(v, noise, forward, base_log_prob):
    noise += v
    noise /= 256
    z, logdet = forward(noise)
    return -(base_log_prob(z) + logdet) + all_cells(v)


def levels_in_place(v, noise, forward, base_log_prob):
    value = right(v.clone(), noise, forward, base_log_prob)
    v //= 2
    return value


def flattened(v, noise, forward, base_log_prob):
    z, logdet = forward(((v + noise) / 256).flatten(1))
    return -(base_log_prob(z) + logdet) + all_cells(v)


def noise_on_z(v, noise, forward, base_log_prob):
    z, logdet = forward(v / 256)
    z = z + noise.flatten(1) / 256
    return -(base_log_prob(z) + logdet) + all_cells(v)


def pair_taken_for_z(v, noise, forward, base_log_prob):
    return -base_log_prob(forward(noisy(v, noise))) + all_cells(v)


def base_at_x(v, noise, forward, base_log_prob):
    x = noisy(v, noise)
    return -(base_log_prob(x.flatten(1)) + forward(x)[1]) + all_cells(v)


def no_gradient(v, noise, forward, base_log_prob):
    with torch.no_grad():
        return right(v, noise, forward, base_log_prob)


def z_detached(v, noise, forward, base_log_prob):
    z, logdet = forward(noisy(v, noise))
    return -(base_log_prob(z.detach()) + logdet) + all_cells(v)


def float_noise(v, noise, forward, base_log_prob):
    return right(v, noise, forward, base_log_prob).float()


def logdet_in_place(v, noise, forward, base_log_prob):
    z, logdet = forward(noisy(v, noise))
    logdet -= all_cells(v)
    return -(base_log_prob(z) + logdet)


def picture_by_picture(v, noise, forward, base_log_prob):
    return torch.cat(
        [
            right(picture[None], u[None], forward, base_log_prob)
            for picture, u in zip(v, noise, strict=True)
        ]
    )


loss.right("the flow called for each picture", picture_by_picture)


def wraps(v, noise, forward, base_log_prob):
    return made(lambda v, u: ((v + 1) - (1 - u)) / 256)(v, noise, forward, base_log_prob)


loss.wrong(
    ("zeros", "whatever the inputs", after(lambda nats, n: 0 * nats)),
    ("published", "the noise, the logdet's sign, the cells", published),
    ("only the noise mended", "the logdet's sign, the cells", still(sign=False, cell=False)),
    ("only the sign mended", "the noise, the cells", still(noise=False, cell=False)),
    ("only the cell mended", "the noise, the logdet's sign", still(noise=False, sign=False)),
    ("noise left", "noise is left out", still(noise=False)),
    ("sign left", "logdet has the wrong sign", still(sign=False)),
    ("cell left", "picture's cell is missing", still(cell=False)),
    ("no noise, over 256", "noise is left out", made(lambda v, u: v / 256)),
    (
        "no noise over 256, sign",
        "the noise, the logdet's sign",
        still(noise=False, sign=False, at_x=lambda v, u: v / 256),
    ),
    (
        "no noise over 256, cell",
        "the noise, the cells",
        still(noise=False, cell=False, at_x=lambda v, u: v / 256),
    ),
    ("over 255", "divide by 255", made(lambda v, u: (v + u) / 255)),
    (
        "over 255, sign",
        "the 255, the logdet's sign",
        still(noise=False, sign=False, at_x=lambda v, u: (v + u) / 255),
    ),
    (
        "over 255, cell",
        "the 255, the cells",
        still(noise=False, cell=False, at_x=lambda v, u: (v + u) / 255),
    ),
    ("255 and 256", "gaps between", made(lambda v, u: v / 255 + u / 256)),
    ("wide noise", "as wide as the whole", made(lambda v, u: v / 256 + u)),
    ("wide noise, 255", "as wide as the whole", made(lambda v, u: v / 255 + u)),
    ("not divided", "from 0 to 256", made(lambda v, u: v + u)),
    ("noise subtracted", "noise is subtracted", made(lambda v, u: (v - u) / 256)),
    ("noise centred", "noise is centred", made(lambda v, u: (v + u - 0.5) / 256)),
    ("middle of the cell", "middle of each cell", made(lambda v, u: (v.to(u) + 0.5) / 256)),
    ("noise alone", "levels are not used", made(lambda v, u: u)),
    ("one noise", "first one's noise", made(lambda v, u: (v + u[:1]) / 256)),
    ("noise turned round", "turned round in its cell", made(lambda v, u: (v.to(u) + 1 - u) / 256)),
    ("from -1 to 1", "from -1 to 1", made(lambda v, u: (v + u) / 128 - 1)),
    ("noise rounded", "noise is rounded", made(lambda v, u: (v + u.round()) / 256)),
    ("noise as bytes", "noise is left out", made(lambda v, u: (v + u.to(torch.uint8)) / 256)),
    ("over 257", "another number", made(lambda v, u: (v + u) / 257)),
    ("sum of bytes", "right value is", wraps),
    ("clipped", "right value is", made(lambda v, u: ((v + u) / 256).clamp(0.05, 0.95))),
    ("wrong power", "right value is", made(lambda v, u: ((v + u) / 256) ** 2)),
    ("own noise", "drawn at random", own_noise),
    ("own seed", "does not change when noise", own_seed),
    ("noise on z", "noise is left out", noise_on_z),
    ("base at x", "right value is", base_at_x),
    ("cell's sign", "cell's nats have the wrong", made(join=lambda b, d, c: -(b + d) - c)),
    ("log-likelihood", "its negative, a loss", made(join=lambda b, d, c: b + d - c)),
    ("log-density added", "log-density is added", made(join=lambda b, d, c: b + d + c)),
    ("no logdet", "logdet is missing", made(join=lambda b, d, c: c - b)),
    ("no base", "base's log-density is missing", made(join=lambda b, d, c: c - d)),
    ("base's sign", "base's log-density has", made(join=lambda b, d, c: c + b - d)),
    ("logdet twice", "logdet counts twice", made(join=lambda b, d, c: c - b - 2 * d)),
    ("cell twice", "cell counts twice", made(join=lambda b, d, c: 2 * c - b - d)),
    ("determinant", "determinant is added", made(join=lambda b, d, c: c - b - d.exp())),
    ("logdet's mean", "logdet is averaged", made(join=lambda b, d, c: c - b - d.mean())),
    ("logdet's sum", "logdet is summed", made(join=lambda b, d, c: c - b - d.sum())),
    ("base's mean", "log-density is averaged", made(join=lambda b, d, c: c - b.mean() - d)),
    ("base's density", "base's density", made(join=lambda b, d, c: c - b.exp() - d)),
    ("one cell", "cell counts once", made(cells=lambda v: LN_256)),
    ("cells in bits", "counted in bits", made(cells=lambda v: 8 * v[0].numel())),
    ("8 once", "in bits, and once", made(cells=lambda v: 8)),
    ("255 cells", "not of 255", made(cells=lambda v: v[0].numel() * math.log(255))),
    ("no logarithm", "without a logarithm", made(cells=lambda v: 256 * v[0].numel())),
    ("cells of the batch", "cells of all pictures", made(cells=lambda v: v.numel() * LN_256)),
    ("cells of a channel", "cells of one channel", made(cells=lambda v: v[0, 0].numel() * LN_256)),
    ("pictures for cells", "count the pictures", made(cells=lambda v: len(v) * LN_256)),
    ("channels for cells", "count the channels", made(cells=lambda v: v.shape[1] * LN_256)),
    ("columns for cells", "count the columns", made(cells=lambda v: v.shape[-1] * LN_256)),
    (
        "square pictures",
        "shape of the inputs",
        made(cells=lambda v: v.shape[1] * v.shape[2] ** 2 * LN_256),
    ),
    ("784 cells", "as 784", made(cells=lambda v: 784 * LN_256)),
    ("nats a value", "divided by the number of values", after(lambda nats, n: nats / n)),
    ("bits", "in bits", after(lambda nats, n: nats / math.log(2))),
    ("bits a value", "bits per dimension", after(lambda nats, n: nats / n / math.log(2))),
    ("at least 0", "cut off", after(lambda nats, n: nats.clamp(min=0))),
    ("at least -5", "Nothing is cut off", after(lambda nats, n: nats.clamp(min=-5))),
    ("at most 1000", "Nothing is cut off", after(lambda nats, n: nats.clamp(max=1e3))),
    ("no infinity", "infinite is to be seen", after(lambda nats, n: nats.nan_to_num())),
    ("x inside", "x is kept away", made(lambda v, u: noisy(v, u).clamp(1e-4, 1 - 1e-4))),
    ("noise inside", "noise is kept away", made(lambda v, u: noisy(v, u.clamp(0.01, 0.99)))),
    ("logdet in place", "in place", logdet_in_place),
    ("mean of the batch", "over the batch", after(lambda nats, n: nats.mean())),
    ("mean for each", "over the batch", after(lambda nats, n: nats.mean().expand(len(nats)))),
    ("sum for each", "over the batch", after(lambda nats, n: nats.sum().expand(len(nats)))),
    ("first for all", "first one's", after(lambda nats, n: nats[:1].expand(len(nats)))),
    ("wrong order", "wrong order", after(lambda nats, n: nats.flip(0))),
    ("a number", "a Python number", after(lambda nats, n: nats.mean().item())),
    ("flattened", "forward takes pictures", flattened),
    ("pair for z", "your code stops", pair_taken_for_z),
    ("noise in place", "in place", noise_in_place),
    ("levels in place", "in place", levels_in_place),
    ("no gradient", "no gradient", no_gradient),
    ("detached", "no gradient", after(lambda nats, n: nats.detach())),
    ("z detached", "gradient", z_detached),
    ("nothing", "nothing (None)", after(lambda nats, n: None)),
)

loss.check_only["no infinity"] = "a probe's answers are finite numbers"

EXERCISES = [loss]
