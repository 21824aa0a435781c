"""Answers to the exercise of notebook 07 on the gradient penalty."""

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

penalty = Exercise("gradient-penalty", checks.gradient_penalty, ("gradient_penalty",))


def wide(mix, like):
    return mix.view(-1, *[1] * (like.dim() - 1))


def between(real, fake, mix):
    return wide(mix, real) * real + (1 - wide(mix, real)) * fake


def lengths(slope):
    return slope.flatten(1).norm(dim=1)


def squared(n):
    return (n - 1) ** 2


def made(
    place=between, length=lengths, cost=squared, total=torch.sum, answer=lambda a: a, keep=True
):
    """The right penalty, with a part replaced."""

    def gradient_penalty(critic, real, fake, mix):
        x = place(real, fake, mix).detach().requires_grad_()
        (slope,) = torch.autograd.grad(total(answer(critic(x))), x, create_graph=keep)
        return cost(length(slope))

    return gradient_penalty


right = made()


def by_outputs(critic, real, fake, mix):
    x = torch.lerp(fake, real, wide(mix, real)).requires_grad_()
    answers = critic(x)
    slopes = torch.autograd.grad(
        outputs=answers,
        inputs=x,
        grad_outputs=torch.ones_like(answers),
        create_graph=True,
        retain_graph=True,
    )[0]
    slopes = slopes.reshape(len(slopes), -1)
    return (torch.sqrt(torch.einsum("bd,bd->b", slopes, slopes) + 1e-12) - 1).pow(2)


def one_by_one(critic, real, fake, mix):
    values = []
    for r, f, m in zip(real, fake, mix, strict=True):
        x = (m * r + (1 - m) * f)[None].requires_grad_()
        (slope,) = torch.autograd.grad(critic(x)[0], x, create_graph=True)
        values.append((slope.pow(2).sum().sqrt() - 1) ** 2)
    return torch.stack(values)


def by_func(critic, real, fake, mix):
    x = torch.einsum("b,b...->b...", mix, real) + torch.einsum("b,b...->b...", 1 - mix, fake)
    slopes = torch.func.grad(lambda points: critic(points).sum())(x)
    return torch.linalg.vector_norm(slopes.flatten(1), dim=1).sub(1).square()


def by_vmap(critic, real, fake, mix):
    def one(point):
        return critic(point[None])[0]

    slopes = torch.func.vmap(torch.func.grad(one))(between(real, fake, mix))
    return F.mse_loss(lengths(slopes), torch.ones(len(real), dtype=slopes.dtype), reduction="none")


penalty.right("autograd.grad", right)
penalty.right("grad_outputs", by_outputs)
penalty.right("one by one", one_by_one)
penalty.right("torch.func", by_func)
penalty.right("vmap", by_vmap)


def by_backward(critic, real, fake, mix):
    x = between(real, fake, mix).detach().requires_grad_()
    critic(x).sum().backward(create_graph=True)
    return squared(lengths(x.grad))


def real_switched_on(critic, real, fake, mix):
    real.requires_grad_()
    x = between(real, fake, mix)
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return squared(lengths(slope))


def fake_switched_on(critic, real, fake, mix):
    fake.requires_grad_(True)
    return right(critic, real, fake, mix)


def mix_switched_on(critic, real, fake, mix):
    mix.requires_grad_(True)
    x = between(real, fake, mix)
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return squared(lengths(slope))


def to_real(critic, real, fake, mix):
    real = real.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(critic(between(real, fake, mix)).sum(), real, create_graph=True)
    return squared(lengths(slope))


def to_fake(critic, real, fake, mix):
    fake = fake.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(critic(between(real, fake, mix)).sum(), fake, create_graph=True)
    return squared(lengths(slope))


def to_mix(critic, real, fake, mix):
    mix = mix.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(critic(between(real, fake, mix)).sum(), mix, create_graph=True)
    return squared(slope)


def to_weights(critic, real, fake, mix):
    x = between(real, fake, mix)
    answers = critic(x)
    return squared(answers)


def secant(critic, real, fake, mix):
    apart = (real - fake).flatten(1).norm(dim=1)
    return squared((critic(real) - critic(fake)).abs() / apart)


def mixed_slopes(critic, real, fake, mix):
    slopes = []
    for pictures in (real, fake):
        x = pictures.detach().requires_grad_()
        slopes.append(torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0])
    return squared(lengths(between(*slopes, mix)))


def mixed_answers(critic, real, fake, mix):
    both = mix * critic(real) + (1 - mix) * critic(fake)
    return squared(both)


def real_in_place(critic, real, fake, mix):
    x = real.mul_(wide(mix, real)).add_((1 - wide(mix, real)) * fake)
    return made(place=lambda *a: x)(critic, real, fake, mix)


def mix_in_place(critic, real, fake, mix):
    value = right(critic, real, fake, mix)
    mix.zero_()
    return value


def own_mix(critic, real, fake, mix):
    return right(critic, real, fake, torch.rand_like(mix))


def slope_detached(critic, real, fake, mix):
    x = between(real, fake, mix).requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return squared(lengths(slope.detach()))


def length_detached(critic, real, fake, mix):
    return made(cost=lambda n: n.square() - 2 * n.detach() + 1)(critic, real, fake, mix)


def no_history(critic, real, fake, mix):
    x = between(real, fake, mix)
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return squared(lengths(slope))


def four_axes(critic, real, fake, mix):
    return made(place=lambda r, f, m: m.view(-1, 1, 1, 1) * r + (1 - m.view(-1, 1, 1, 1)) * f)(
        critic, real, fake, mix
    )


def after(change):
    return lambda *a: change(right(*a))


def over_channels(slope):
    return slope.norm(dim=1)


def half_precision(critic, real, fake, mix):
    return right(critic, real.half().to(real), fake.half().to(fake), mix)


def square(n):
    return n.square()


penalty.wrong(
    ("zeros", "whatever the inputs", after(torch.zeros_like)),
    ("shares exchanged", "shares are exchanged", made(lambda r, f, m: between(f, r, m))),
    ("at the real ones", "at the real pictures", made(lambda r, f, m: r)),
    ("at the fakes", "at the generated pictures", made(lambda r, f, m: f)),
    ("half way", "half way always", made(lambda r, f, m: (r + f) / 2)),
    ("first mix", "first one's mix", made(lambda r, f, m: between(r, f, m[:1].expand_as(m)))),
    (
        "mean of the mixes",
        "mixes are averaged",
        made(lambda r, f, m: between(r, f, m.mean().expand_as(m))),
    ),
    ("mixes turned round", "reverse order", made(lambda r, f, m: between(r, f, m.flip(0)))),
    ("mix along the last axis", "your code stops", made(lambda r, f, m: m * r + (1 - m) * f)),
    (
        "mix along the last axis, by force",
        "right value is",
        made(lambda r, f, m: m[torch.arange(r.shape[-1]) % len(m)] * (r - f) + f),
    ),
    ("four axes always", "your code stops", four_axes),
    ("no shares", "without their shares", made(lambda r, f, m: r + f)),
    ("fake's share missing", "generated picture's share", made(lambda r, f, m: wide(m, r) * r + f)),
    ("real's share missing", "real picture's share", made(lambda r, f, m: r + wide(m, r) * f)),
    (
        "beyond the real",
        "beyond the real",
        made(lambda r, f, m: r + wide(m, r) * (r - f)),
    ),
    (
        "beyond the fake",
        "beyond the generated",
        made(lambda r, f, m: f + wide(m, r) * (f - r)),
    ),
    (
        "one or the other",
        "its real or its generated",
        made(lambda r, f, m: torch.where(wide(m, r) > 0.5, r, f)),
    ),
    ("difference", "at the difference", made(lambda r, f, m: r - f)),
    ("pairs mixed up", "pairs are mixed up", made(lambda r, f, m: between(r.flip(0), f, m))),
    ("at 0", "taken at 0", made(lambda r, f, m: 0 * r)),
    ("own mix", "drawn at random", own_mix),
    ("length squared", "root is missing", made(length=lambda s: s.flatten(1).pow(2).sum(1))),
    ("sum of sizes", "sizes are summed", made(length=lambda s: s.flatten(1).abs().sum(1))),
    ("largest", "largest value is taken", made(length=lambda s: s.flatten(1).abs().amax(1))),
    ("sum", "values are summed", made(length=lambda s: s.flatten(1).sum(1))),
    ("mean", "values are averaged", made(length=lambda s: s.flatten(1).mean(1))),
    (
        "mean of squares",
        "no root is taken",
        made(length=lambda s: s.flatten(1).square().mean(1)),
    ),
    (
        "root mean square",
        "squares are averaged: a length",
        made(length=lambda s: s.flatten(1).square().mean(1).sqrt()),
    ),
    (
        "over the batch",
        "over the whole batch",
        made(length=lambda s: s.norm().expand(len(s))),
    ),
    (
        "mean length",
        "averaged over the batch",
        made(length=lambda s: lengths(s).mean().expand(len(s))),
    ),
    ("first value", "first value", made(length=lambda s: s.flatten(1)[:, 0].abs())),
    (
        "first channel",
        "first channel",
        made(length=lambda s: lengths(s[:, 0]) if s.dim() > 2 else lengths(s)),
    ),
    (
        "over the channels",
        "channels alone",
        made(length=over_channels, cost=lambda n: squared(n).view(len(n), -1).mean(1)),
    ),
    ("over the channels only", "a tensor of shape", made(length=over_channels)),
    ("along the batch", "your code stops", made(length=lambda s: s.norm(dim=0).view(len(s)))),
    ("not squared", "square is missing", made(cost=lambda n: n - 1)),
    ("size", "is not squared", made(cost=lambda n: (n - 1).abs())),
    ("length squared as it is", "squared as it is", made(cost=square)),
    ("length itself", "the length itself", made(cost=lambda n: n)),
    ("1 after the square", "after the square", made(cost=lambda n: n**2 - 1)),
    ("squared twice", "root is missing", made(cost=lambda n: (n**2 - 1) ** 2)),
    ("too steep only", "Too flat costs nothing", made(cost=lambda n: F.relu(n - 1) ** 2)),
    ("too flat only", "Too steep costs nothing", made(cost=lambda n: F.relu(1 - n) ** 2)),
    ("times 10", "multiplied by 10", after(lambda p: 10 * p)),
    ("halved", "halved", after(lambda p: p / 2)),
    ("plus 1", "1 is added", made(cost=lambda n: (n + 1) ** 2)),
    ("negative", "wrong sign", after(torch.neg)),
    (
        "lengths' mean",
        "averaged over the batch",
        made(cost=lambda n: squared(n.mean()).expand_as(n)),
    ),
    ("gradient of the mean", "mean of all answers", made(total=torch.mean)),
    ("to the real picture", "with respect to the real", to_real),
    ("to the generated picture", "with respect to the generated", to_fake),
    ("to mix", "with respect to mix", to_mix),
    ("secant", "straight line from one picture", secant),
    ("sigmoid", "sigmoid is taken", made(answer=torch.sigmoid)),
    ("mixed slopes", "gradients at both ends", mixed_slopes),
    ("answers", "answer is used", to_weights),
    ("mixed answers", "right value is", mixed_answers),
    ("of the answers' square", "right value is", made(answer=torch.square)),
    ("not recorded", "no gradient", made(keep=False)),
    ("detached", "no gradient", after(torch.Tensor.detach)),
    ("slope detached", "no gradient", slope_detached),
    ("half of it detached", "gradient", length_detached),
    ("no history", "your code stops", no_history),
    ("under no_grad", "your code stops", torch.no_grad()(right)),
    ("backward", "left on the critic's weights", by_backward),
    ("real switched on", "its input real", real_switched_on),
    ("fake switched on", "its input fake", fake_switched_on),
    ("mix switched on", "its input mix", mix_switched_on),
    ("real in place", "real in place", real_in_place),
    ("mix in place", "mix in place", mix_in_place),
    ("mean of the batch", "reduced over the batch", after(torch.mean)),
    ("sum for all", "summed over the batch", after(lambda p: p.sum().expand_as(p))),
    ("mean for all", "averaged over the batch", after(lambda p: p.mean().expand_as(p))),
    ("divided by the batch", "divide by the number", after(lambda p: p / len(p))),
    ("first for all", "first one's", after(lambda p: p[:1].expand_as(p))),
    ("wrong order", "wrong order", after(lambda p: p.flip(0))),
    ("an axis too many", "axis of length 1", after(lambda p: p[:, None])),
    ("a number", "a Python number", after(lambda p: p.mean().item())),
    ("half precision", "you return", half_precision),
    ("nothing", "nothing (None)", after(lambda p: None)),
)

EXERCISES = [penalty]
