"""What goes wrong in a discriminator's step: other ranges, other losses, other moves."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from coursekit.checks.gans import networks as net
from coursekit.checks.gans.networks import Way

RANGE = "Look at step 1 above: which values can the generator's pictures take, and which x?"
TURN = "Look at step 2 above: whose weights may this step touch, and what reaches the others?"
CLEAN = "Look at step 3 above: what lay on the discriminator's weights before, and when does it go?"
MOVE = "Look at step 4 above: what moves, by what, and how often?"
BACK = "Look at step 5 above: the loss of when is returned, and as what?"
LOSS = "What does each of the two batches cost, in the exercise before this one?"
ALIVE = "What is D at a logit of 300, and what its logarithm?"

SEEN: list[tuple[Callable[[Tensor], Tensor], str]] = [
    (
        lambda x: x,
        "The real pictures are fed as they come: their range differs from the generator's.",
    ),
    (lambda x: 2 * x, "The real pictures run from 0 to 2: black is to be -1."),
    (lambda x: x - 1, "The real pictures run from -1 to 0: white is to be 1."),
    (lambda x: x - 0.5, "The real pictures run from -0.5 to 0.5: the range is half as wide."),
    (lambda x: (x - 0.5) / 2, "The real pictures are divided by 2 after the shift."),
    (lambda x: 2 * (x - 1), "The real pictures run from -2 to 0: double first, then shift."),
    (lambda x: (x + 1) / 2, "That is the way back, from [-1, 1] to [0, 1]."),
    (lambda x: 1 - 2 * x, "Black and white are exchanged: black is to be -1."),
    (lambda x: 2 * x + 1, "The real pictures run from 1 to 3: black is to be -1."),
    (torch.tanh, "A tanh leaves pictures of [0, 1] above 0: black is to be -1."),
    (lambda x: x / 127.5 - 1, "You scale as if x ran from 0 to 255: it comes in [0, 1]."),
    (lambda x: 2 * (x / 255) - 1, "You scale as if x ran from 0 to 255: it comes in [0, 1]."),
    (lambda x: x / 255, "You scale as if x ran from 0 to 255: it comes in [0, 1]."),
    (
        lambda x: 2 * x.round() - 1,
        "The real pictures are made black and white: their grey values count.",
    ),
    (
        lambda x: (x - x.mean()) / x.std(),
        "The real pictures are standardised: they are to lie in [-1, 1].",
    ),
    (
        lambda x: 2 * (x - x.min()) / (x.max() - x.min()) - 1,
        "The range is taken from the batch: 0 and 1 are the ends, whatever the batch holds.",
    ),
]
DRAWN: list[tuple[Callable[[Tensor], Tensor], str]] = [
    (lambda p: 2 * p - 1, "The generated pictures are scaled too: they lie in [-1, 1] already."),
    (
        lambda p: (p + 1) / 2,
        "The generated pictures are brought to [0, 1]: the discriminator takes [-1, 1].",
    ),
    (torch.tanh, "A tanh is taken of the generated pictures: the generator ends with one."),
    (lambda p: p.clamp(0, 1), "The generated pictures are cut off at 0: they go down to -1."),
    (torch.zeros_like, "The generated pictures are not used."),
]
COSTS: list[tuple[Callable[[Tensor, Tensor], Tensor], str, str]] = [
    (
        lambda r, f: net.minimax(f, r),
        "The two batches are exchanged in the loss.",
        LOSS,
    ),
    (lambda r, f: -net.minimax(r, f), "The loss has the wrong sign.", LOSS),
    (lambda r, f: net.minimax(r, f) / 2, "The loss is halved: the sum of two means counts.", LOSS),
    (
        lambda r, f: (softplus(-r).sum() + softplus(f).sum()) / (len(r) + len(f)),
        "All pictures are averaged together: each batch has a mean of its own.",
        LOSS,
    ),
    (
        lambda r, f: 2 * (softplus(-r).sum() + softplus(f).sum()) / (len(r) + len(f)),
        "All pictures are averaged together: each batch has a mean of its own.",
        LOSS,
    ),
    (
        lambda r, f: softplus(-r).sum() + softplus(f).sum(),
        "The batches are summed: means were asked.",
        LOSS,
    ),
    (
        lambda r, f: softplus(-r).mean() + 0 * f.sum(),
        "The generated pictures do not count in the loss.",
        LOSS,
    ),
    (
        lambda r, f: softplus(f).mean() + 0 * r.sum(),
        "The real pictures do not count in the loss.",
        LOSS,
    ),
    (
        lambda r, f: softplus(-f).mean() + 0 * r.sum(),
        "That is the generator's loss: this is the discriminator's turn.",
        LOSS,
    ),
    (
        lambda r, f: softplus(-r).mean() + softplus(-f).mean(),
        "Generated pictures are to be called generated: the other answer is right for them.",
        LOSS,
    ),
    (
        lambda r, f: (1 - r).relu().mean() + (1 + f).relu().mean(),
        "That is the hinge loss: the minimax one was asked.",
        LOSS,
    ),
    (
        lambda r, f: (1 - r).square().mean() + f.square().mean(),
        "That is the least-squares loss: the minimax one was asked.",
        LOSS,
    ),
    (
        lambda r, f: f.mean() - r.mean(),
        "That is the difference of the logits' means: the minimax loss was asked.",
        LOSS,
    ),
    (
        lambda r, f: -torch.sigmoid(r).log().mean() - (1 - torch.sigmoid(f)).log().mean(),
        "Where the logits are in the hundreds, a logarithm of 0 is formed.",
        ALIVE,
    ),
    *(
        (
            lambda r, f, k=k: (
                -(torch.sigmoid(r) + k).log().mean() - (1 - torch.sigmoid(f) + k).log().mean()
            ),
            "Where the logits are in the hundreds, a small constant gives a wrong number.",
            ALIVE,
        )
        for k in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
    ),
    (
        lambda r, f: (
            torch.nn.functional.binary_cross_entropy(torch.sigmoid(r), torch.ones_like(r))
            + torch.nn.functional.binary_cross_entropy(torch.sigmoid(f), torch.zeros_like(f))
        ),
        "Where the logits are in the hundreds, the loss of probabilities replaces a logarithm by "
        "-100: give torch the logits.",
        ALIVE,
    ),
]
WAYS: list[tuple[Way, str, str]] = [
    (
        Way(clear="never"),
        "What lay on its weights as a gradient before is used as well: the gradients are not "
        "cleared.",
        CLEAN,
    ),
    (
        Way(clear="between"),
        "They have not moved: is the optimiser's step taken, and while the gradients are there?",
        MOVE,
    ),
    (Way(steps=2), "They have moved twice: one step was asked.", MOVE),
    (Way(sign=-1.0), "They have moved uphill: the loss is to become smaller.", MOVE),
    (
        Way(loss=lambda r, f: softplus(-r).mean() + softplus(f.detach()).mean()),
        "No gradient of the generated pictures' logits was used: their pictures are cut off from "
        "the generator, not the logits.",
        TURN,
    ),
    (
        Way(loss=lambda r, f: softplus(-r.detach()).mean() + softplus(f).mean()),
        "No gradient of the real pictures' logits was used.",
        TURN,
    ),
    *(
        (
            Way(rate=rate),
            "They have moved by a plain step: the optimiser that was given may be of another kind.",
            MOVE,
        )
        for rate in (1.0, 0.2, 0.1, 0.05, 0.01, 1e-3, 2e-4)
    ),
]
