"""Answers to the exercise of notebook 07 on a published step of the discriminator's."""

import copy

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

step = Exercise("discriminator-step", checks.discriminator_step, ("discriminator_step",))


def minimax(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def drawn(generator, z):
    with torch.no_grad():
        return generator(z)


def updated(loss, optimiser):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def made(
    seen=lambda x: 2 * x - 1,
    draw=drawn,
    loss=minimax,
    update=updated,
    result=lambda loss: loss.detach(),
):
    """The right step, with a part replaced."""

    def discriminator_step(x, z, generator, discriminator, optimiser):
        value = loss(discriminator(seen(x)), discriminator(draw(generator, z)))
        update(value, optimiser)
        return result(value)

    return discriminator_step


def with_detach(x, z, generator, discriminator, optimiser):
    optimiser.zero_grad(set_to_none=False)
    bce = F.binary_cross_entropy_with_logits
    real = discriminator((x - 0.5) / 0.5)
    fake = discriminator(generator(z).detach())
    loss = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    loss.backward()
    optimiser.step()
    return loss.clone().detach()


def in_one_batch(x, z, generator, discriminator, optimiser):
    pictures = torch.cat([x.mul(2).sub(1), generator(z).detach()])
    real, fake = discriminator(pictures).split([len(x), len(z)])
    loss = -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()
    discriminator.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.detach()


def by_grad(x, z, generator, discriminator, optimiser):
    loss = minimax(
        discriminator(torch.lerp(-torch.ones_like(x), torch.ones_like(x), x)),
        discriminator(generator(z)),
    )
    weights = list(discriminator.parameters())
    for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = slope
    optimiser.step()
    return loss.data


def two_backwards(x, z, generator, discriminator, optimiser):
    optimiser.zero_grad()
    real = F.softplus(-discriminator(2 * x - 1)).mean()
    real.backward()
    with torch.no_grad():
        pictures = generator(z)
    fake = F.softplus(discriminator(pictures)).mean()
    fake.backward()
    optimiser.step()
    return (real + fake).detach()


step.right("no_grad", made())
step.right("detach", with_detach)
step.right("in one batch", in_one_batch)
step.right("gradients asked for", by_grad)
step.right("two backward passes", two_backwards)


def through(generator, z):
    return generator(z)


def uncleared(loss, optimiser):
    loss.backward()
    optimiser.step()


def cleared_after(loss, optimiser):
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()


def cleared_between(loss, optimiser):
    loss.backward()
    optimiser.zero_grad()
    optimiser.step()


def no_step(loss, optimiser):
    optimiser.zero_grad()
    loss.backward()


def no_backward(loss, optimiser):
    optimiser.zero_grad()
    optimiser.step()


def two_steps(loss, optimiser):
    updated(loss, optimiser)
    optimiser.step()


def uphill(loss, optimiser):
    updated(-loss, optimiser)


def by_hand(rate):
    def update(loss, optimiser):
        optimiser.zero_grad()
        loss.backward()
        with torch.no_grad():
            for group in optimiser.param_groups:
                for weight in group["params"]:
                    weight -= (rate or group["lr"]) * weight.grad

    return update


def published(x, z, generator, discriminator, optimiser):
    loss = minimax(discriminator(x), discriminator(generator(z)))
    loss.backward()
    optimiser.step()
    return loss


def cleared_generator(x, z, generator, discriminator, optimiser):
    loss = minimax(discriminator(2 * x - 1), discriminator(generator(z)))
    updated(loss, optimiser)
    generator.zero_grad()
    return loss.detach()


def zeroed_generator(x, z, generator, discriminator, optimiser):
    loss = minimax(discriminator(2 * x - 1), discriminator(generator(z)))
    updated(loss, optimiser)
    generator.zero_grad(set_to_none=False)
    return loss.detach()


def both_move(x, z, generator, discriminator, optimiser):
    loss = minimax(discriminator(2 * x - 1), discriminator(generator(z)))
    updated(loss, optimiser)
    with torch.no_grad():
        for weight in generator.parameters():
            if weight.grad is not None:
                weight -= 0.01 * weight.grad
    return loss.detach()


def switched_off(x, z, generator, discriminator, optimiser):
    for weight in generator.parameters():
        weight.requires_grad_(False)
    return made(draw=through)(x, z, generator, discriminator, optimiser)


def off_and_on(x, z, generator, discriminator, optimiser):
    generator.requires_grad_(False)
    value = made(draw=through)(x, z, generator, discriminator, optimiser)
    generator.requires_grad_(True)
    return value


def discriminator_switched_on(x, z, generator, discriminator, optimiser):
    value = made()(x, z, generator, discriminator, optimiser)
    discriminator.requires_grad_(False)
    return value


def in_evaluation(x, z, generator, discriminator, optimiser):
    generator.eval()
    return made()(x, z, generator, discriminator, optimiser)


def in_evaluation_and_back(x, z, generator, discriminator, optimiser):
    was = generator.training
    generator.eval()
    value = made()(x, z, generator, discriminator, optimiser)
    generator.train(was)
    return value


def in_training(x, z, generator, discriminator, optimiser):
    discriminator.train()
    return made()(x, z, generator, discriminator, optimiser)


def both_in_training(x, z, generator, discriminator, optimiser):
    generator.train()
    discriminator.train()
    return made()(x, z, generator, discriminator, optimiser)


def own_latents(x, z, generator, discriminator, optimiser):
    return made()(x, torch.randn_like(z), generator, discriminator, optimiser)


def own_count(x, z, generator, discriminator, optimiser):
    latents = torch.randn(len(x), z.shape[1], dtype=z.dtype)
    return made()(x, latents, generator, discriminator, optimiser)


def cut_to_pairs(x, z, generator, discriminator, optimiser):
    n = min(len(x), len(z))
    return made()(x[:n], z[:n], generator, discriminator, optimiser)


def loss_after(x, z, generator, discriminator, optimiser):
    made()(x, z, generator, discriminator, optimiser)
    with torch.no_grad():
        return minimax(discriminator(2 * x - 1), discriminator(generator(z)))


def own_optimiser(x, z, generator, discriminator, optimiser):
    own = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    return made()(x, z, generator, discriminator, own)


def of_a_copy(x, z, generator, discriminator, optimiser):
    return made()(x, z, generator, copy.deepcopy(discriminator), optimiser)


def logits_detached(x, z, generator, discriminator, optimiser):
    fake = discriminator(generator(z)).detach()
    loss = minimax(discriminator(2 * x - 1), fake)
    updated(loss, optimiser)
    return loss.detach()


def real_logits_detached(real, fake):
    return minimax(real.detach(), fake)


def under_no_grad(x, z, generator, discriminator, optimiser):
    with torch.no_grad():
        return made()(x, z, generator, discriminator, optimiser)


def x_in_place(x, z, generator, discriminator, optimiser):
    x.mul_(2).sub_(1)
    return made(seen=lambda x: x)(x, z, generator, discriminator, optimiser)


def fake_of_x(x, z, generator, discriminator, optimiser):
    loss = minimax(discriminator(2 * x - 1), discriminator(2 * x - 1))
    updated(loss, optimiser)
    return loss.detach()


def flattened(x, z, generator, discriminator, optimiser):
    return made(seen=lambda x: (2 * x - 1).flatten(1))(x, z, generator, discriminator, optimiser)


def cross_entropy(real, fake):
    bce = F.binary_cross_entropy
    return bce(real.sigmoid(), torch.ones_like(real)) + bce(fake.sigmoid(), torch.zeros_like(fake))


def one_mean(real, fake):
    labels = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    return F.binary_cross_entropy_with_logits(torch.cat([real, fake]), labels)


def logs(real, fake):
    return -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()


def with_constant(real, fake):
    return -(real.sigmoid() + 1e-8).log().mean() - (1 - fake.sigmoid() + 1e-8).log().mean()


step.wrong(
    ("published", "generator's .grad has grown", published),
    ("only the range mended", "generator's .grad has grown", made(draw=through, update=uncleared)),
    (
        "range and clearing mended",
        "generator's .grad has grown",
        made(draw=through),
    ),
    (
        "only the detach mended",
        "fed as they come",
        made(seen=lambda x: x, update=uncleared),
    ),
    ("range left", "fed as they come", made(seen=lambda x: x)),
    ("clearing left", "not cleared", made(update=uncleared)),
    ("history left", "still has its history", made(result=lambda loss: loss)),
    (
        "all mended but history and clearing",
        "still has its history",
        made(update=uncleared, result=lambda loss: loss),
    ),
    ("cleared after the step", "not cleared", made(update=cleared_after)),
    ("cleared between", "have not moved", made(update=cleared_between)),
    ("no step", "have not moved", made(update=no_step)),
    ("no backward", "have not moved", made(update=no_backward)),
    ("two steps", "moved twice", made(update=two_steps)),
    ("uphill", "moved uphill", made(update=uphill)),
    ("plain step", "plain step", made(update=by_hand(0.01))),
    ("plain step, right size", "weights, laid end to end", made(update=by_hand(0))),
    ("own optimiser", "weights, laid end to end", own_optimiser),
    ("a copy is judged", "weights, laid end to end", of_a_copy),
    ("generator's gradients cleared", "was cleared", cleared_generator),
    ("generator's gradients zero", "was cleared", zeroed_generator),
    ("generator moves", "generator's weights are changed", both_move),
    ("generator switched off", "switched off", switched_off),
    ("generator off and on", "switched on", off_and_on),
    ("discriminator switched off", "switched off", discriminator_switched_on),
    ("generator in evaluation mode", "evaluation mode afterwards", in_evaluation),
    ("evaluation mode and back", "in another mode", in_evaluation_and_back),
    ("discriminator in training mode", "training mode afterwards", in_training),
    ("both in training mode", "training mode afterwards", both_in_training),
    ("x doubled", "from 0 to 2", made(seen=lambda x: 2 * x)),
    ("x minus 1", "from -1 to 0", made(seen=lambda x: x - 1)),
    ("x minus a half", "half as wide", made(seen=lambda x: x - 0.5)),
    ("divided by 2", "divided by 2", made(seen=lambda x: (x - 0.5) / 2)),
    ("shifted first", "from -2 to 0", made(seen=lambda x: 2 * (x - 1))),
    ("way back", "the way back", made(seen=lambda x: (x + 1) / 2)),
    ("negative", "Black and white are exchanged", made(seen=lambda x: 1 - 2 * x)),
    ("doubled and up", "from 1 to 3", made(seen=lambda x: 2 * x + 1)),
    ("tanh of x", "tanh leaves", made(seen=torch.tanh)),
    ("over 127.5", "from 0 to 255", made(seen=lambda x: x / 127.5 - 1)),
    ("over 255", "from 0 to 255", made(seen=lambda x: x / 255)),
    ("binarised", "black and white", made(seen=lambda x: 2 * x.round() - 1)),
    ("standardised", "standardised", made(seen=lambda x: (x - x.mean()) / x.std())),
    (
        "range of the batch",
        "range is taken from the batch",
        made(seen=lambda x: 2 * (x - x.min()) / (x.max() - x.min()) - 1),
    ),
    (
        "both scaled",
        "generated pictures are scaled too",
        made(draw=lambda g, z: 2 * drawn(g, z) - 1),
    ),
    (
        "fakes brought to [0, 1]",
        "generated pictures are brought",
        made(draw=lambda g, z: (drawn(g, z) + 1) / 2),
    ),
    (
        "both in [0, 1]",
        "Both batches are brought",
        made(seen=lambda x: x, draw=lambda g, z: (drawn(g, z) + 1) / 2),
    ),
    (
        "wrong batch scaled",
        "wrong batch is scaled",
        made(seen=lambda x: x, draw=lambda g, z: 2 * drawn(g, z) - 1),
    ),
    ("tanh twice", "A tanh is taken", made(draw=lambda g, z: drawn(g, z).tanh())),
    ("fakes at least 0", "cut off at 0", made(draw=lambda g, z: drawn(g, z).clamp(0, 1))),
    ("batches exchanged", "batches are exchanged", made(loss=lambda r, f: minimax(f, r))),
    ("value function", "wrong sign", made(loss=lambda r, f: -minimax(r, f))),
    ("halved", "halved", made(loss=lambda r, f: minimax(r, f) / 2)),
    ("one mean", "averaged together", made(loss=one_mean)),
    (
        "sums",
        "batches are summed",
        made(loss=lambda r, f: F.softplus(-r).sum() + F.softplus(f).sum()),
    ),
    (
        "reals alone",
        "generated pictures do not count",
        made(loss=lambda r, f: F.softplus(-r).mean()),
    ),
    ("fakes alone", "real pictures do not count", made(loss=lambda r, f: F.softplus(f).mean())),
    ("generator's loss", "the generator's loss", made(loss=lambda r, f: F.softplus(-f).mean())),
    (
        "fakes called real",
        "to be called generated",
        made(loss=lambda r, f: F.softplus(-r).mean() + F.softplus(-f).mean()),
    ),
    (
        "hinge",
        "hinge",
        made(loss=lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean()),
    ),
    (
        "least squares",
        "least-squares",
        made(loss=lambda r, f: (r - 1).square().mean() + f.square().mean()),
    ),
    ("critic", "difference of the logits", made(loss=lambda r, f: f.mean() - r.mean())),
    ("logarithms", "logarithm of 0", made(loss=logs)),
    ("logarithms with a constant", "small constant", made(loss=with_constant)),
    ("entropy of probabilities", "-100", made(loss=cross_entropy)),
    ("fake logits detached", "cut off from the generator, not the logits", logits_detached),
    ("real logits detached", "real pictures' logits", made(loss=real_logits_detached)),
    ("loss after the step", "loss after the step", loss_after),
    ("own latents", "two calls", own_latents),
    ("own number of latents", "two calls", own_count),
    ("cut to pairs", "you return", cut_to_pairs),
    ("real ones twice", "you return", fake_of_x),
    ("under no_grad", "your code stops", under_no_grad),
    ("flattened", "the discriminator takes pictures", flattened),
    ("x in place", "in place", x_in_place),
    ("a number", "a Python number", made(result=lambda loss: loss.item())),
    ("shape (1,)", "a tensor of shape (1,)", made(result=lambda loss: loss.detach()[None])),
    ("a pair", "2 things", made(result=lambda loss: (loss.detach(), None))),
    ("nothing", "nothing (None)", made(result=lambda loss: None)),
)

EXERCISES = [step]
