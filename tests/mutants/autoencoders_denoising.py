"""Answers to the exercise of notebook 00 on the error of a denoising autoencoder."""

import itertools

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

denoising = Exercise("denoising-bug", checks.denoising_bug, ("denoising_error",))


def right(x, noise, sigma, reconstruct):
    seen = (x + sigma * noise).clamp(0, 1)
    return (reconstruct(seen) - x).square().flatten(1).mean(dim=1)


def by_loss(x, noise, sigma, reconstruct):
    seen = torch.clip(torch.add(x, noise, alpha=sigma), 0.0, 1.0)
    return F.mse_loss(reconstruct(seen), x, reduction="none").mean((1, 2, 3))


def by_hardtanh(x, noise, sigma, reconstruct):
    seen = F.hardtanh(x + noise * sigma, 0, 1)
    return ((x - reconstruct(seen)) ** 2).sum((3, 2, 1)) / x[0].numel()


def one_by_one(x, noise, sigma, reconstruct):
    errors = []
    for picture, draw in zip(x, noise, strict=True):
        seen = torch.where(picture + sigma * draw < 0, 0.0, picture + sigma * draw)
        seen = torch.where(seen > 1, 1.0, seen).to(x)
        errors.append((reconstruct(seen[None])[0] - picture).pow(2).mean())
    return torch.stack(errors)


denoising.right("mended", right)
denoising.right("torch's clip and loss", by_loss)
denoising.right("hardtanh and a sum", by_hardtanh)
denoising.right("picture by picture", one_by_one)


def keep(x):
    return x


def clip(x):
    return x.clamp(0, 1)


def error(seen, target=lambda x, seen: x, reduce=lambda d: d.square().flatten(1).mean(1), out=keep):
    """The error of what the network makes of seen(x, noise, sigma)."""

    def answer(x, noise, sigma, reconstruct):
        noisy = seen(x, noise, sigma)
        return reduce(out(reconstruct(noisy)) - target(x, noisy))

    return answer


def published(size, range_, target):
    """The published version, with some of its three slips mended."""
    return error(
        lambda x, n, s: (keep if range_ else clip)(x + (s**2 if size else s) * n),
        target=lambda x, seen: seen if target else x,
    )


def clipped(scale=keep, **kind):
    return error(lambda x, n, s: clip(x + scale(s) * n), **kind)


def in_place(x, noise, sigma, reconstruct):
    x += sigma * noise
    return (reconstruct(x.clamp(0, 1)) - x).square().flatten(1).mean(1)


def noise_in_place(x, noise, sigma, reconstruct):
    seen = noise.mul_(sigma).add_(x).clamp_(0, 1)
    return (reconstruct(seen) - x).square().flatten(1).mean(1)


def own_noise(x, noise, sigma, reconstruct):
    return right(x, torch.randn_like(x), sigma, reconstruct)


def clamp_lost(x, noise, sigma, reconstruct):
    seen = x + sigma * noise
    seen.clamp(0, 1)
    return (reconstruct(seen) - x).square().flatten(1).mean(1)


def alias(x, noise, sigma, reconstruct):
    seen = x
    seen += sigma * noise
    seen.clamp_(0, 1)
    return (reconstruct(seen) - x).square().flatten(1).mean(1)


def without_gradient(x, noise, sigma, reconstruct):
    with torch.no_grad():
        return right(x, noise, sigma, reconstruct)


PUBLISHED = {
    (1, 1, 1): "still the published",
    (1, 1, 0): "wrong size, and the noisy picture is not clipped",
    (1, 0, 1): "wrong size, and the answer is compared",
    (0, 1, 1): "not clipped, and the answer is compared",
    (1, 0, 0): "multiplied by the variance. One slip is left",
    (0, 1, 0): "not clipped. One slip is left",
    (0, 0, 1): "not with the clean one. One slip is left",
}
for slips in itertools.product((1, 0), repeat=3):
    if any(slips):
        denoising.wrong(
            (f"published, slips left {slips}", PUBLISHED[slips], published(*slips)),
        )

denoising.wrong(
    ("zeros", "whatever the inputs", lambda x, *a: torch.zeros(len(x))),
    ("root of sigma", "by a root", clipped(lambda s: s**0.5)),
    ("sigma left out", "not multiplied by sigma", clipped(lambda s: 1.0)),
    ("subtracted", "subtracted", clipped(lambda s: -s)),
    ("no noise", "noise is not used", clipped(lambda s: 0.0)),
    ("clean picture seen", "noise is not used", error(lambda x, n, s: x)),
    ("noise alone", "noise alone", error(lambda x, n, s: clip(s * n))),
    ("own noise", "drawn at random", own_noise),
    (
        "clip before the noise",
        "not clipped. One slip is left",
        error(lambda x, n, s: clip(x) + s * n),
    ),
    ("noise clipped", "noise is clipped", error(lambda x, n, s: x + clip(s * n))),
    ("answer clipped", "was to be", error(lambda x, n, s: x + s * n, out=clip)),
    ("answer clipped too", "is clipped too", clipped(out=clip)),
    ("below only", "below only", error(lambda x, n, s: (x + s * n).clamp(min=0))),
    ("rectifier", "below only", error(lambda x, n, s: F.relu(x + s * n))),
    ("above only", "above only", error(lambda x, n, s: (x + s * n).clamp(max=1))),
    ("from -1", "from -1 to 1", error(lambda x, n, s: (x + s * n).clamp(-1, 1))),
    ("to 255", "below only", error(lambda x, n, s: (x + s * n).clamp(0, 255))),
    ("sigmoid", "not a clip", error(lambda x, n, s: torch.sigmoid(x + s * n))),
    ("absolute", "mirrors", error(lambda x, n, s: (x + s * n).abs())),
    (
        "stretched",
        "stretched",
        error(
            lambda x, n, s: (
                (v := x + s * n).sub(v.amin((1, 2, 3), True))
                / (v.amax((1, 2, 3), True) - v.amin((1, 2, 3), True))
            )
        ),
    ),
    ("clamp's result lost", "not clipped. One slip is left", clamp_lost),
    (
        "compared with the noise",
        "compared with the noise",
        lambda x, n, s, f: (f(clip(x + s * n)) - n).square().flatten(1).mean(1),
    ),
    (
        "compared with the clean answer",
        "answer to the clean picture",
        lambda x, n, s, f: (f(clip(x + s * n)) - f(x)).square().flatten(1).mean(1),
    ),
    (
        "network left out",
        "answer is left out",
        lambda x, n, s, f: (clip(x + s * n) - x).square().flatten(1).mean(1),
    ),
    ("sum", "You summed", clipped(reduce=lambda d: d.square().flatten(1).sum(1))),
    (
        "torch's default mean",
        "averaged over the batch",
        clipped(reduce=lambda d: d.square().mean()),
    ),
    ("sum of all", "Everything is summed", clipped(reduce=lambda d: d.square().sum())),
    ("absolute error", "absolute difference", clipped(reduce=lambda d: d.abs().flatten(1).mean(1))),
    (
        "root",
        "root is taken",
        clipped(reduce=lambda d: d.square().flatten(1).mean(1).sqrt()),
    ),
    ("no square", "cancel", clipped(reduce=lambda d: d.flatten(1).mean(1))),
    ("last axis only", "still to be summed", clipped(reduce=lambda d: d.square().mean(-1))),
    (
        "one channel assumed",
        "still to be summed",
        clipped(reduce=lambda d: d.square().mean((2, 3))),
    ),
    ("wrong axis", "wrong axis", clipped(reduce=lambda d: d.square().flatten(1).mean(0))),
    ("keepdim", "axis of length 1", clipped(reduce=lambda d: d.square().flatten(1).mean(1, True))),
    ("first for all", "first one's", lambda x, *a: right(x, *a)[:1].repeat(len(x))),
    ("mean for all", "averaged over the batch", lambda x, *a: right(x, *a).mean().repeat(len(x))),
    ("one draw for all", "first one's noise", lambda x, n, *a: right(x, n[:1], *a)),
    ("over 784", "784", clipped(reduce=lambda d: d.square().flatten(1).sum(1) / 784)),
    ("halved", "half of", lambda *a: right(*a) / 2),
    ("negated", "wrong sign", lambda *a: -right(*a)),
    ("x changed in place", "in place", in_place),
    ("an alias of x", "in place", alias),
    ("noise changed in place", "in place", noise_in_place),
    ("detached", "no gradient", lambda *a: right(*a).detach()),
    ("no_grad", "no gradient", without_gradient),
    (
        "flattened for the network",
        "your code stops",
        lambda x, n, s, f: right(x.flatten(1), n.flatten(1), s, f),
    ),
    ("torch's root of a float", "plain number", clipped(lambda s: torch.sqrt(s))),
    ("prints only", "return", lambda *a: print(end="")),
)

denoising.wrong(
    (
        "sum over the channels",
        "sum over the channels",
        clipped(reduce=lambda d: d.square().sum(1).mean((1, 2))),
    ),
    ("first channel", "first channel", clipped(reduce=lambda d: d[:, 0].square().mean((1, 2)))),
    (
        "draws clipped",
        "draws are clipped",
        lambda x, n, *a: right(x, n.clamp(-3, 3), *a),
    ),
    (
        "draws clipped at 3.5",
        "as large as that",
        lambda x, n, *a: right(x, n.clamp(-3.5, 3.5), *a),
    ),
)

RARE = "the probe's draws are rarely as large as that"
denoising.check_only |= {title: RARE for title in ("draws clipped", "draws clipped at 3.5")}

EXERCISES = [denoising]
