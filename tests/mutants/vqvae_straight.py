"""Answers to the exercise of notebook 08 on the straight-through estimator."""

import torch

from coursekit import checks
from mutants import Exercise

straight = Exercise("straight-through", checks.straight_through, ("straight_through",))


class Passing(torch.autograd.Function):
    """A step forward, the identity backward; a factor and a leak for wrong ones."""

    factor, leak = 1.0, False

    @classmethod
    def with_(cls, factor=1.0, leak=False):
        return type("Passing", (cls,), {"factor": factor, "leak": leak})

    @staticmethod
    def forward(ctx, z, z_q):
        return z_q.clone()

    @classmethod
    def backward(cls, ctx, slope):
        return cls.factor * slope, slope if cls.leak else None


def through(cls):
    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, z_q):
            return z_q.clone()

        @staticmethod
        def backward(ctx, slope):
            return cls.backward(ctx, slope)

    return Own.apply


def no_grad(z, z_q):
    with torch.no_grad():
        step = z_q - z
    return z + step


def hook(z, z_q):
    """A copy of the codes whose gradient is handed to z."""
    return z_q.detach() + (z - z.detach())


straight.right("as in the docstring", lambda z, z_q: z + (z_q - z).detach())
straight.right("the other way", hook)
straight.right("no_grad", no_grad)
straight.right("a function of its own", through(Passing))
straight.right("torch.add", lambda z, z_q: torch.add(z, z_q.detach() - z.detach()))
straight.right("data", lambda z, z_q: z + (z_q.data - z.data))


def in_place(z, z_q):
    z.data.copy_(z_q)
    return z


def codes_in_place(z, z_q):
    step = z_q.detach()
    step -= z.detach()
    return z + step


def clipped(z, z_q):
    """The estimator that passes nothing where z is far out."""
    cut = z.clamp(-1, 1)
    return cut + (z_q - cut).detach()


def saturating(z, z_q):
    soft = z.tanh()
    return soft + (z_q - soft).detach()


straight.wrong(
    ("the code", "no gradient reaches z", lambda z, z_q: z_q),
    ("the code, a copy", "no gradient reaches z", lambda z, z_q: z_q.clone()),
    ("the code, detached", "no gradient reaches z", lambda z, z_q: z_q.detach()),
    ("z", "z itself", lambda z, z_q: z),
    ("z, detached", "z itself", lambda z, z_q: z.detach()),
    ("no detach", "no gradient reaches z", lambda z, z_q: z + z_q - z),
    ("z detached first", "no gradient reaches z", lambda z, z_q: z.detach() + (z_q - z.detach())),
    (
        "z detached first, bracket",
        "no gradient reaches z",
        lambda z, z_q: z.detach() + z_q - z.detach(),
    ),
    ("only z_q detached", "no gradient reaches z", lambda z, z_q: z + (z_q.detach() - z)),
    ("z detached in the step", "reaches z_q", lambda z, z_q: z + z_q - z.detach()),
    ("z_q outside", "reaches z_q", lambda z, z_q: z_q + (z - z.detach())),
    ("half of each", "is wrong", lambda z, z_q: z_q + (z - z_q - (z - z_q).detach()) / 2),
    (
        "half of z_q",
        "half of what",
        lambda z, z_q: hook(z, z_q) + (z_q - z_q.detach()) / 2,
    ),
    (
        "minus z_q",
        "wrong sign",
        lambda z, z_q: hook(z, z_q) - (z_q - z_q.detach()),
    ),
    (
        "all but the value",
        "z itself",
        lambda z, z_q: z_q + (z - z_q).detach(),
    ),
    ("sum", "are added", lambda z, z_q: z + z_q.detach()),
    ("sum of both", "are added", lambda z, z_q: z + z_q),
    ("step", "way from z to its code", lambda z, z_q: (z_q - z).detach()),
    ("step with a gradient", "way from z to its code", lambda z, z_q: z_q.detach() - z),
    ("difference", "difference of the two", lambda z, z_q: z - z_q.detach()),
    ("wrong direction", "wrong direction", lambda z, z_q: z + (z - z_q).detach()),
    ("changed places", "changed places", lambda z, z_q: z_q + (z_q - z).detach()),
    ("half way", "half way", lambda z, z_q: (z + z_q) / 2),
    ("all cancels", "cancels", lambda z, z_q: z - z.detach()),
    ("zeros", "cancels", lambda z, z_q: torch.zeros_like(z)),
    ("minus the code", "wrong sign", lambda z, z_q: -z + (z - z_q).detach()),
    ("first one's code", "first one's code", lambda z, z_q: z + (z_q[:1] - z).detach()),
    ("turned round", "reverse order", lambda z, z_q: z + (z_q.flip(0) - z).detach()),
    ("rounded", "rounded", lambda z, z_q: z + (z_q.round() - z).detach()),
    ("cut off once", "cut off", lambda z, z_q: z.clamp(-1, 1) + (z_q - z).detach()),
    ("clipped gradient", "gradient", clipped),
    ("tanh's gradient", "gradient", saturating),
    ("ratio", "nan", lambda z, z_q: z * (z_q / z).detach()),
    ("ratio, guarded", "right value", lambda z, z_q: z * (z_q / (z + 1e-6)).detach()),
    (
        "ratio with a fallback",
        "gradient that reaches z is wrong",
        lambda z, z_q: torch.where(z == 0, z + z_q.detach(), z * (z_q / z).detach()),
    ),
    ("halved", "gradient that reaches z is wrong", through(Passing.with_(0.5))),
    ("turned", "MINUS", through(Passing.with_(-1.0))),
    ("way detached at its start", "MINUS", lambda z, z_q: z.detach() + (z_q.detach() - z)),
    ("to both", "reaches z_q", through(Passing.with_(1.0, leak=True))),
    (
        "doubled",
        "gradient that reaches z is wrong",
        lambda z, z_q: 2 * z + (z_q - 2 * z).detach(),
    ),
    (
        "scaled by a commitment cost",
        "gradient that reaches z is wrong",
        lambda z, z_q: z_q.detach() + 0.25 * (z - z.detach()),
    ),
    (
        "of the mean",
        "gradient that reaches z is wrong",
        lambda z, z_q: z_q.detach() + (z - z.detach()).mean(),
    ),
    ("z changed", "in place", in_place),
    ("z_q changed", "in place", codes_in_place),
    ("numpy", "numpy", lambda z, z_q: z_q.detach().numpy()),
    ("summed", "shape", lambda z, z_q: (z + (z_q - z).detach()).flatten(1).sum(dim=1)),
    ("flat", "shape", lambda z, z_q: (z + (z_q - z).detach()).flatten(1)),
    ("pair", "type tuple", lambda z, z_q: (z + (z_q - z).detach(), z_q)),
    ("nothing", "nothing (None)", lambda z, z_q: None),
    ("new leaf", "no gradient reaches z", lambda z, z_q: z_q.detach().clone().requires_grad_()),
    ("noise", "different answers", lambda z, z_q: z + (z_q - z + torch.rand_like(z)).detach()),
    ("where", "no gradient reaches z", lambda z, z_q: torch.where(z == z_q, z, z_q)),
)

EXERCISES = [straight]
