"""Answers to the exercise of notebook 08 on drawing codes one by one."""

import copy

import torch

from coursekit import checks
from mutants import Exercise

sampling = Exercise("sample-codes", checks.sample_codes, ("sample_codes",))


def softmax(logits, temperature):
    return torch.softmax(logits / temperature, dim=1)


def multinomial(shares, generator):
    return torch.multinomial(shares, 1, generator=generator)[:, 0]


def raster(height, width):
    return [[(row, column)] for row in range(height) for column in range(width)]


def made(
    order=raster,
    shares=softmax,
    draw=multinomial,
    start=torch.zeros,
    ask=lambda logits_of, codes: logits_of(codes),
    at=lambda logits, row, column: logits[:, :, row, column],
    generator_of=lambda generator: generator,
    last=lambda codes: codes,
):
    """The loop with a part exchanged; `order` gives groups of places that one call serves."""

    def sample_codes(logits_of, shape, temperature, generator):
        generator = generator_of(generator)
        codes = start(shape, dtype=torch.int64)
        for group in order(*shape[1:]):
            logits = ask(logits_of, codes)
            for row, column in group:
                codes[:, row, column] = draw(
                    shares(at(logits, row, column), temperature), generator
                )
        return last(codes)

    return sample_codes


right = made()


def gumbel(shares, generator):
    noise = torch.rand(shares.shape, generator=generator, dtype=torch.float64).clamp_min(1e-300)
    return (shares.double().log() - (-noise.log()).log()).argmax(dim=1)


def inverse(shares, generator):
    u = torch.rand(len(shares), 1, generator=generator, dtype=torch.float64)
    return (shares.double().cumsum(dim=1) < u).sum(dim=1).clamp(max=shares.shape[1] - 1)


def one_map_at_a_time(shares, generator):
    return torch.stack([torch.multinomial(row, 1, generator=generator)[0] for row in shares])


def flat(logits_of, shape, temperature, generator):
    batch, height, width = shape
    codes = torch.randint(2, (batch, height * width), generator=generator)
    for place in range(height * width):
        logits = logits_of(codes.view(shape)).flatten(2)[..., place]
        codes[:, place] = (
            logits.div(temperature).softmax(-1).multinomial(1, generator=generator)[:, 0]
        )
    return codes.reshape(batch, height, width)


def grown(logits_of, shape, temperature, generator):
    """The map as a list of columns of codes that gets longer."""
    batch, height, width = shape
    drawn = []
    for place in range(height * width):
        rest = [torch.zeros(batch, dtype=torch.int64)] * (height * width - place)
        logits = logits_of(torch.stack(drawn + rest, dim=1).view(shape))
        log_shares = torch.log_softmax(logits.double() / temperature, dim=1)
        drawn.append(multinomial(log_shares[:, :, place // width, place % width].exp(), generator))
    return torch.stack(drawn, dim=1).view(shape)


def einsum(logits_of, shape, temperature, generator):
    codes = torch.zeros(*shape).long()
    for row in range(shape[1]):
        for column in range(shape[2]):
            here = torch.zeros(shape[1:])
            here[row, column] = 1
            logits = torch.einsum("bkhw,hw->bk", logits_of(codes), here)
            codes[:, row, column] = multinomial(softmax(logits, temperature), generator)
    return codes


sampling.right("multinomial", right)
sampling.right("Gumbel", made(draw=gumbel))
sampling.right("inverse distribution function", made(draw=inverse))
sampling.right("flat, from a random start", flat)
sampling.right("a list that grows, in float64", grown)
sampling.right("einsum", einsum)
sampling.right(
    "rows of the batch one by one",
    made(draw=lambda s, g: one_map_at_a_time(s, g) if len(s) < 100 else multinomial(s, g)),
)


def without(left_out):
    return lambda h, w: [g for g in raster(h, w) if not left_out(*g[0], h, w)]


def at_once(height, width):
    return [[(row, column) for row in range(height) for column in range(width)]]


def by_rows(height, width):
    return [[(row, column) for column in range(width)] for row in range(height)]


def by_columns(height, width):
    return [[(row, column) for row in range(height)] for column in range(width)]


def redrawn(logits_of, shape, temperature, generator):
    """All codes are drawn anew for each place."""
    codes = torch.zeros(shape, dtype=torch.int64)
    for _ in range(shape[1] * shape[2]):
        shares = torch.softmax(logits_of(codes) / temperature, dim=1).movedim(1, 3)
        drawn = torch.multinomial(shares.flatten(0, 2), 1, generator=generator)
        codes = drawn.view(shape)
    return codes


def row_redrawn(logits_of, shape, temperature, generator):
    """The row so far is drawn anew with each of its codes."""
    codes = torch.zeros(shape, dtype=torch.int64)
    for row in range(shape[1]):
        for column in range(shape[2]):
            logits = logits_of(codes)
            for c in range(column + 1):
                codes[:, row, c] = multinomial(
                    softmax(logits[:, :, row, c], temperature), generator
                )
    return codes


def polished(logits_of, shape, temperature, generator):
    """A right map, whose first code is then drawn once more."""
    codes = right(logits_of, shape, temperature, generator)
    logits = logits_of(codes)[:, :, 0, 0]
    codes[:, 0, 0] = multinomial(softmax(logits, temperature), generator)
    return codes


def two_draws(logits_of, shape, temperature, generator):
    """What later codes see is another draw than what is returned."""
    codes = torch.zeros(shape, dtype=torch.int64)
    found = codes.clone()
    for [(row, column)] in raster(*shape[1:]):
        shares = softmax(logits_of(codes)[:, :, row, column], temperature)
        codes[:, row, column] = multinomial(shares, generator)
        found[:, row, column] = multinomial(shares, generator)
    return found


def exponentials(logits, temperature):
    e = torch.exp(logits / temperature)
    return e / e.sum(dim=1, keepdim=True)


def weighed(weights):
    """Probabilities from weights that are made of the tempered logits."""
    return made(shares=lambda a, t: (lambda e: e / e.sum(dim=1, keepdim=True))(weights(a / t)))


def without_rare(logits, temperature):
    shares = softmax(logits, temperature)
    return torch.where(shares < 0.02, 0, shares)


def map_by_map(logits_of, shape, temperature, generator):
    """Each map is drawn by itself, and the prior asked for all of them each time."""
    codes = torch.zeros(shape, dtype=torch.int64)
    for number in range(shape[0]):
        for [(row, column)] in raster(*shape[1:]):
            logits = logits_of(codes)[number : number + 1, :, row, column]
            codes[number, row, column] = multinomial(softmax(logits, temperature), generator)[0]
    return codes


def stale(logits_of, shape, temperature, generator):
    """The prior is asked once, before anything is drawn."""
    codes = torch.zeros(shape, dtype=torch.int64)
    logits = logits_of(codes)
    for [(row, column)] in raster(*shape[1:]):
        codes[:, row, column] = multinomial(
            softmax(logits[:, :, row, column], temperature), generator
        )
    return codes


def never_stored(logits_of, shape, temperature, generator):
    """The prior is asked each time, and always of an empty map."""
    codes = torch.zeros(shape, dtype=torch.int64)
    for [(row, column)] in raster(*shape[1:]):
        logits = logits_of(torch.zeros_like(codes))[:, :, row, column]
        codes[:, row, column] = multinomial(softmax(logits, temperature), generator)
    return codes


def seeded(generator):
    generator.manual_seed(0)
    return generator


def own(generator):
    return torch.Generator().manual_seed(0)


def of_its_seed(generator):
    return torch.Generator().manual_seed(generator.initial_seed())


def copied(generator):
    other = torch.Generator()
    other.set_state(generator.get_state())
    return other


def global_seed(logits_of, shape, temperature, generator):
    torch.manual_seed(generator.initial_seed())
    return made(generator_of=lambda g: None)(logits_of, shape, temperature, generator)


def same_for_all(shares, generator):
    return torch.multinomial(shares[0], 1, generator=generator).expand(len(shares))


def one_uniform(shares, generator):
    u = torch.rand((), generator=generator, dtype=torch.float64)
    return (shares.double().cumsum(dim=1) < u).sum(dim=1).clamp(max=shares.shape[1] - 1)


def reset_each(shares, generator):
    return multinomial(shares, copied(generator))


def leftwards(h, w):
    return [[(r, c)] for r in range(h) for c in reversed(range(w))]


def snake(h, w):
    return [[(r, c if r % 2 == 0 else w - 1 - c)] for r in range(h) for c in range(w)]


def columns_first(h, w):
    return [[(r, c)] for c in range(w) for r in range(h)]


def prefix(logits_of, shape, temperature, generator):
    """Only the rows so far are shown to the prior."""
    codes = torch.zeros(shape, dtype=torch.int64)
    for [(row, column)] in raster(*shape[1:]):
        logits = logits_of(codes[:, : row + 1])[:, :, row, column]
        codes[:, row, column] = multinomial(softmax(logits, temperature), generator)
    return codes


OVER = "the probe's frequencies are coarse"

sampling.wrong(
    ("all at once", "as if no other", made(at_once)),
    ("prior asked once", "as if no other", stale),
    ("prior sees an empty map", "as if no other", never_stored),
    ("rows at once", "one to its left", made(by_rows)),
    ("columns at once", "row above", made(by_columns)),
    ("column by column", "column by column", made(columns_first)),
    ("backwards", "as if no other", made(lambda h, w: raster(h, w)[::-1])),
    (
        "upwards",
        "filled from the bottom",
        made(lambda h, w: [[(h - 1 - r, c)] for r in range(h) for c in range(w)]),
    ),
    ("leftwards", "one to its left", made(leftwards)),
    ("snake", "second row", made(snake)),
    ("twice over", "twice over", made(lambda h, w: at_once(h, w) * 2)),
    ("last row left", "last row", made(without(lambda r, c, h, w: r == h - 1))),
    ("last column left", "last column", made(without(lambda r, c, h, w: c == w - 1))),
    ("first row left", "first row", made(without(lambda r, c, h, w: r == 0))),
    ("first column left", "first column", made(without(lambda r, c, h, w: c == 0))),
    ("first code left", "first code of all", made(without(lambda r, c, h, w: r == c == 0))),
    (
        "last code left",
        "last code of all",
        made(without(lambda r, c, h, w: (r, c) == (h - 1, w - 1))),
    ),
    ("first row alone", "Only the first row", made(without(lambda r, c, h, w: r > 0))),
    ("first column alone", "Only the first column", made(without(lambda r, c, h, w: c > 0))),
    ("first code alone", "Only the first code", made(without(lambda r, c, h, w: r + c > 0))),
    ("nothing drawn", "Nothing is drawn", made(lambda h, w: [])),
    ("square of the rows", "number of rows is taken", made(without(lambda r, c, h, w: c >= h))),
    ("rows for columns", "stops", made(lambda h, w: raster(w, h))),
    ("axes exchanged", "stops", made(at=lambda logits, r, c: logits[:, :, c, r])),
    ("classes last", "stops", made(at=lambda logits, r, c: logits[:, r, c])),
    ("previous place", "right value", made(at=lambda logits, r, c: logits[:, :, r, c - 1])),
    ("last place", "right value", made(at=lambda logits, r, c: logits[:, :, -1, -1])),
    ("first place", "right value", made(at=lambda logits, r, c: logits[:, :, 0, 0])),
    ("redrawn", "drawn anew", redrawn),
    ("row redrawn", "drawn anew", row_redrawn),
    ("first code redrawn", "drawn anew", polished),
    ("two draws", "drawn anew", two_draws),
    ("likeliest", "likeliest code", made(draw=lambda shares, g: shares.argmax(dim=1))),
    ("first one's draw", "first one's codes", made(draw=same_for_all)),
    ("one uniform number", "all maps are alike", made(draw=one_uniform)),
    ("from 1", "counted from 1", made(last=lambda codes: codes + 1)),
    ("turned round", "reverse order", made(last=lambda codes: codes.flip(0))),
    ("transposed", "shape", made(last=lambda codes: codes.transpose(1, 2))),
    ("wrong sign", "wrong sign", made(shares=lambda a, t: softmax(-a, t))),
    ("no temperature", "not used", made(shares=lambda a, t: softmax(a, 1))),
    (
        "times temperature",
        "multiplied by the temperature",
        made(shares=lambda a, t: softmax(a * t, 1)),
    ),
    ("squared temperature", "counts twice", made(shares=lambda a, t: softmax(a, t**2))),
    ("root of temperature", "A root", made(shares=lambda a, t: softmax(a, t**0.5))),
    ("temperature plus 1", "One is added", made(shares=lambda a, t: softmax(a, 1 + t))),
    (
        "temperature of probabilities",
        "not used",
        made(shares=lambda a, t: softmax(a, 1) / t),
    ),
    (
        "softmax of tempered probabilities",
        "applied twice",
        made(shares=lambda a, t: softmax(softmax(a, 1), t)),
    ),
    ("two softmaxes", "applied twice", made(shares=lambda a, t: softmax(softmax(a, t), 1))),
    ("exponentials", "stops with", made(shares=exponentials)),
    *(
        (
            f"clamped at {end}",
            "are they cut off",
            made(shares=lambda a, t, end=end: softmax((a / t).clamp(-end, end), 1)),
        )
        for end in (50, 1000)
    ),
    ("clamped from below", "are they cut off", made(shares=lambda a, t: softmax(a.clamp(-1e3), t))),
    ("exponentials of at most 80", "are they cut off", weighed(lambda a: a.clamp(max=80).exp())),
    ("infinity replaced", "are they cut off", weighed(lambda a: a.exp().nan_to_num(posinf=1e30))),
    ("batch's largest", "whole batch together", weighed(lambda a: (a - a.max()).exp())),
    ("batch's mean", "stops with", weighed(lambda a: (a - a.mean()).double().exp())),
    (
        "less the mean",
        "are they cut off",
        weighed(lambda a: (a - a.mean(dim=1, keepdim=True)).exp().clamp(max=1e30)),
    ),
    ("rare codes left out", "A rare code", made(shares=without_rare)),
    ("map by map", "each map by itself", map_by_map),
    (
        "probabilities of the batch",
        "another axis",
        made(shares=lambda a, t: torch.softmax(a / t, dim=0)),
    ),
    ("sigmoids", "Sigmoids", made(shares=lambda a, t: torch.sigmoid(a / t))),
    (
        "logits as weights",
        "shifted and divided",
        made(shares=lambda a, t: (a / t - (a / t).amin(1, True)) + 1e-6),
    ),
    ("all alike", "equally likely", made(shares=lambda a, t: torch.ones_like(a))),
    ("global draws", "same seed", made(generator_of=lambda g: None)),
    ("global uniforms", "same seed", made(draw=lambda s, g: inverse(s, None))),
    ("seeded", "different seeds", made(generator_of=seeded)),
    ("its own generator", "different seeds", made(generator_of=own)),
    ("a generator of its seed", "second call", made(generator_of=of_its_seed)),
    ("a copy", "second call", made(generator_of=copied)),
    (
        "deep copy",
        "second call",
        made(
            generator_of=lambda g: (
                g.clone_state() if hasattr(g, "clone_state") else copy.deepcopy(g)
            )
        ),
    ),
    ("global seed", "second call", global_seed),
    ("a copy for each draw", "second call", made(draw=reset_each)),
    ("filled with -1", "codes from 0", made(start=lambda shape, dtype: torch.full(shape, -1))),
    ("filled with 999", "codes from 0", made(start=lambda shape, dtype: torch.full(shape, 999))),
    ("floats", "of type torch.int64", made(start=lambda shape, dtype: torch.zeros(shape))),
    ("int32", "of type torch.int64", made(start=lambda shape, dtype: torch.zeros(shape).int())),
    ("floats in the end", "torch.float", made(last=lambda codes: codes.float())),
    ("flat in the end", "shape", made(last=lambda codes: codes.flatten(1))),
    ("with a channel", "shape", made(last=lambda codes: codes[:, None])),
    ("one map", "shape", made(last=lambda codes: codes[0])),
    ("rows so far", "codes of shape", prefix),
    ("one-hot", "shape", made(last=lambda codes: torch.nn.functional.one_hot(codes).movedim(3, 1))),
    ("lists", "type list", made(last=lambda codes: codes.tolist())),
    ("nothing", "nothing (None)", made(last=lambda codes: None)),
)

sampling.check_only = {
    "rare codes left out": OVER,
    "map by map": "the maps are right: the check asks for fewer calls of the prior",
}

EXERCISES = [sampling]
