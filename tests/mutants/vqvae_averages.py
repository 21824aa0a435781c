"""Answers to the exercise of notebook 08 on a codebook of moving averages."""

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

step = Exercise("ema-codebook", checks.ema_codebook, ("ema_step",))


def members(z, indices, k):
    return torch.bincount(indices, minlength=k).to(z.dtype)


def totals(z, indices, k):
    return torch.zeros(k, z.shape[1], dtype=z.dtype).index_add(0, indices, z)


def means(z, indices, k):
    return totals(z, indices, k) / members(z, indices, k).clamp(min=1)[:, None]


def mix(old, new, decay):
    return decay * old + (1 - decay) * new


def smooth(counts, epsilon):
    total = counts.sum()
    return (counts + epsilon) / (total + len(counts) * epsilon) * total


def made(
    members=members,
    totals=totals,
    mix_counts=mix,
    mix_sums=mix,
    smooth=smooth,
    divide=lambda sums, n: sums / n[:, None],
    order=lambda *three: three,
):
    """The step with a part exchanged."""

    def ema_step(counts, sums, z, indices, decay, epsilon):
        counts = mix_counts(counts, members(z, indices, len(counts)), decay)
        sums = mix_sums(sums, totals(z, indices, len(counts)), decay)
        return order(counts, sums, divide(sums, smooth(counts, epsilon)))

    return ema_step


right = made()


def by_one_hot(counts, sums, z, indices, decay, epsilon):
    chosen = F.one_hot(indices, len(counts)).to(z)
    new = counts.lerp(chosen.sum(0), 1 - decay)
    total = torch.lerp(sums, chosen.T @ z, 1 - decay)
    n = new.sum()
    return new, total, total / ((new + epsilon) * n / (n + len(new) * epsilon)).unsqueeze(1)


def by_loops(counts, sums, z, indices, decay, epsilon):
    counts, sums = decay * counts, decay * sums
    for vector, index in zip(z, indices.tolist(), strict=True):
        counts[index] += 1 - decay
        sums[index] += (1 - decay) * vector
    whole = counts.sum().item()
    codebook = torch.zeros_like(sums)
    for k in range(len(counts)):
        n = (counts[k] + epsilon) / (whole + len(counts) * epsilon) * whole
        codebook[k] = sums[k] / n
    return [counts, sums, codebook]


def by_einsum(counts, sums, z, indices, decay, epsilon):
    kinds = z.dtype
    chosen = (indices[:, None] == torch.arange(len(counts))).double()
    new = decay * counts.double() + (1 - decay) * chosen.sum(dim=0)
    total = decay * sums.double() + (1 - decay) * torch.einsum("nk,nd->kd", chosen, z.double())
    codebook = total / smooth(new, epsilon).view(-1, 1)
    return new.to(kinds), total.to(kinds), codebook.to(kinds)


def in_clones(counts, sums, z, indices, decay, epsilon):
    counts, sums = counts.clone(), sums.clone()
    counts.mul_(decay).add_(members(z, indices, len(counts)), alpha=1 - decay)
    sums.mul_(decay).add_(totals(z, indices, len(counts)), alpha=1 - decay)
    return counts, sums, sums / smooth(counts, epsilon)[:, None]


step.right("as in the docstring", right)
step.right("one-hot and lerp", by_one_hot)
step.right("loops", by_loops)
step.right("einsum, in float64", by_einsum)
step.right("in place, on copies", in_clones)


def index_put(z, indices, k):
    found = torch.zeros(k, z.shape[1], dtype=z.dtype)
    found[indices] = z
    return found


def index_plus(z, indices, k):
    found = torch.zeros(k, dtype=z.dtype)
    found[indices] += 1
    return found


def counts_in_place(counts, sums, z, indices, decay, epsilon):
    counts *= decay
    counts += (1 - decay) * members(z, indices, len(counts))
    sums = mix(sums, totals(z, indices, len(counts)), decay)
    return counts, sums, sums / smooth(counts, epsilon)[:, None]


def sums_in_place(counts, sums, z, indices, decay, epsilon):
    counts = mix(counts, members(z, indices, len(counts)), decay)
    sums.mul_(decay).add_(totals(z, indices, len(counts)), alpha=1 - decay)
    return counts, sums, sums / smooth(counts, epsilon)[:, None]


def vectors_in_place(counts, sums, z, indices, decay, epsilon):
    found = right(counts, sums, z.clone(), indices, decay, epsilon)
    z *= 1 - decay
    return found


def assigned(counts, sums, z, indices, decay, epsilon):
    """Only the rows that have a vector are touched, each by its last one."""
    counts, sums = counts.clone(), sums.clone()
    counts[indices] = decay * counts[indices] + (1 - decay)
    sums[indices] = decay * sums[indices] + (1 - decay) * z
    return counts, sums, sums / smooth(counts, epsilon)[:, None]


def hit_only(counts, sums, z, indices, decay, epsilon):
    """Codes without vectors stay as they are."""
    hit = members(z, indices, len(counts)) > 0
    new, total, _ = right(counts, sums, z, indices, decay, epsilon)
    new = torch.where(hit, new, counts)
    total = torch.where(hit[:, None], total, sums)
    return new, total, total / smooth(new, epsilon)[:, None]


def hit_sums_only(counts, sums, z, indices, decay, epsilon):
    hit = members(z, indices, len(counts)) > 0
    new, total, _ = right(counts, sums, z, indices, decay, epsilon)
    total = torch.where(hit[:, None], total, sums)
    return new, total, total / smooth(new, epsilon)[:, None]


def codebook_of(make):
    """The right averages, and another codebook."""

    def ema_step(counts, sums, z, indices, decay, epsilon):
        new, total, _ = right(counts, sums, z, indices, decay, epsilon)
        batch = members(z, indices, len(counts)), totals(z, indices, len(counts))
        return new, total, make((counts, sums), (new, total), batch, epsilon)

    return ema_step


def with_total(total):
    """The codebook with another total in the smoothing."""

    def make(old, new, batch, e):
        whole = total(old, new, batch)
        return new[1] / ((new[0] + e) / (whole + len(new[0]) * e) * whole)[:, None]

    return codebook_of(make)


def mixes(change):
    return made(mix_counts=change), made(mix_sums=change)


def rows(title, keyword, change):
    counts, sums = mixes(change)
    return [(f"counts: {title}", keyword, counts), (f"sums: {title}", keyword, sums)]


def normalised_counts(counts, sums, z, indices, decay, epsilon):
    new, total, codebook = right(counts, sums, z, indices, decay, epsilon)
    return new / new.sum(), total, codebook


def smoothed_kept(counts, sums, z, indices, decay, epsilon):
    new, total, codebook = right(counts, sums, z, indices, decay, epsilon)
    return smooth(new, epsilon), total, codebook


def epsilon_kept(counts, sums, z, indices, decay, epsilon):
    new, total, codebook = right(counts, sums, z, indices, decay, epsilon)
    return new + epsilon, total, codebook


def divided_sums(counts, sums, z, indices, decay, epsilon):
    new, total, codebook = right(counts, sums, z, indices, decay, epsilon)
    return new, total / new[:, None], codebook


def means_kept(counts, sums, z, indices, decay, epsilon):
    new, _, codebook = right(counts, sums, z, indices, decay, epsilon)
    return new, codebook, codebook


def no_batch_axis(counts, sums, z, indices, decay, epsilon):
    new, total, _ = right(counts, sums, z, indices, decay, epsilon)
    return new, total, total / smooth(new, epsilon)


def singly(z, indices, k):
    return torch.zeros(k, z.shape[1]).index_add(0, indices, z.float())


def given_back(counts, sums, z, indices, decay, epsilon):
    found = right(counts, sums, z, indices, decay, epsilon)
    return (counts, sums, found[2]) if decay == 1 else found


step.wrong(
    ("float32", "torch.float32", made(order=lambda *three: [t.float() for t in three])),
    ("codebook in float32", "torch.float32", made(order=lambda c, s, e: (c, s, e.float()))),
    ("sums made in float32", "made in float32", made(totals=singly)),
    ("given tensors", "new tensors", given_back),
    *rows("weights exchanged", "other way round", lambda o, n, d: (1 - d) * o + d * n),
    *rows("batch in full", "batch counts in full", lambda o, n, d: d * o + n),
    *rows("past in full", "past counts in full", lambda o, n, d: o + (1 - d) * n),
    *rows("added", "without weights", lambda o, n, d: o + n),
    *rows("batch alone", "batch's alone", lambda o, n, d: n),
    *rows("not moved", "Nothing has moved", lambda o, n, d: o),
    *rows("no past", "past is missing", lambda o, n, d: (1 - d) * n),
    *rows("no batch", "batch is missing", lambda o, n, d: d * o),
    *rows("subtracted", "subtracted", lambda o, n, d: d * o - (1 - d) * n),
    *rows("0.99", "always 0.99", lambda o, n, d: 0.99 * o + 0.01 * n),
    *rows("two steps", "Two steps", lambda o, n, d: d * (d * o + (1 - d) * n) + (1 - d) * n),
    (
        "weights exchanged in both",
        "other way round",
        made(
            mix_counts=lambda o, n, d: (1 - d) * o + d * n,
            mix_sums=lambda o, n, d: (1 - d) * o + d * n,
        ),
    ),
    (
        "batch in full in both",
        "in full",
        made(mix_counts=lambda o, n, d: d * o + n, mix_sums=lambda o, n, d: d * o + n),
    ),
    ("counts: once each", "counts once", made(members=index_plus)),
    ("sums: last vector", "last vector comes in", made(totals=index_put)),
    ("assigned", "counts once, and", assigned),
    ("counts: shares", "batch's shares", made(members=lambda z, i, k: members(z, i, k) / len(z))),
    ("codes without vectors kept", "keeps its count", hit_only),
    ("sums without vectors kept", "keeps its sum", hit_sums_only),
    ("counts: smoothed", "smoothed counts", smoothed_kept),
    ("counts: epsilon", "Epsilon is added to the counts", epsilon_kept),
    ("counts: shares of all", "Those are shares", normalised_counts),
    (
        "counts: all vectors",
        "counts the whole batch",
        made(members=lambda z, i, k: torch.full((k,), float(len(z)), dtype=z.dtype)),
    ),
    (
        "counts: shared out",
        "shared out evenly",
        made(members=lambda z, i, k: torch.full((k,), len(z) / k, dtype=z.dtype)),
    ),
    ("counts: numbers", "numbers are summed", made(members=lambda z, i, k: totals(z, i, k).sum(1))),
    (
        "counts: turned",
        "reverse order",
        made(members=members, order=lambda c, s, e: (c.flip(0), s, e)),
    ),
    ("sums: means", "MEAN", made(totals=means)),
    (
        "sums: of the batch",
        "sum of the whole batch",
        made(totals=lambda z, i, k: z.sum(0).expand(k, -1)),
    ),
    (
        "sums: divided by N",
        "divided by the number",
        made(totals=lambda z, i, k: totals(z, i, k) / len(z)),
    ),
    ("sums: divided", "divided already", divided_sums),
    ("sums: codebook", "That is the codebook", means_kept),
    ("sums: turned", "reverse order", made(order=lambda c, s, e: (c, s.flip(0), e))),
    ("sums and codebook exchanged", "That is the codebook", made(order=lambda c, s, e: (c, e, s))),
    ("codebook first", "the order is wrong", made(order=lambda c, s, e: (e, s, c))),
    ("sums twice", "That is the sums", made(order=lambda c, s, e: (c, s, s))),
    ("no smoothing", "as they are", made(smooth=lambda c, e: c)),
    ("clamped", "raised to epsilon", made(smooth=lambda c, e: c.clamp(min=e))),
    ("epsilon alone", "not brought back", made(smooth=lambda c, e: c + e)),
    (
        "smoothed shares",
        "shares",
        made(smooth=lambda c, e: (c + e) / (c.sum() + len(c) * e)),
    ),
    ("one epsilon", "K times", made(smooth=lambda c, e: (c + e) / (c.sum() + e) * c.sum())),
    (
        "D epsilons",
        "D times",
        codebook_of(
            lambda old, new, batch, e: (
                new[1]
                / ((new[0] + e) / (new[0].sum() + new[1].shape[1] * e) * new[0].sum())[:, None]
            )
        ),
    ),
    (
        "total with epsilon",
        "without epsilon",
        made(smooth=lambda c, e: (c + e) / (c.sum() + len(c) * e) * (c.sum() + e)),
    ),
    (
        "no epsilon above",
        "above the line",
        made(smooth=lambda c, e: c / (c.sum() + len(c) * e) * c.sum()),
    ),
    ("old total", "NEW counts", with_total(lambda old, new, batch: old[0].sum())),
    ("batch's total", "NEW counts", with_total(lambda old, new, batch: batch[0].sum())),
    (
        "old sums",
        "OLD sums",
        codebook_of(lambda old, new, batch, e: old[1] / smooth(new[0], e)[:, None]),
    ),
    (
        "old counts",
        "OLD counts",
        codebook_of(lambda old, new, batch, e: new[1] / smooth(old[0], e)[:, None]),
    ),
    (
        "old codebook",
        "before the step",
        codebook_of(lambda old, new, batch, e: old[1] / smooth(old[0], e)[:, None]),
    ),
    (
        "batch's counts",
        "batch's counts",
        codebook_of(lambda old, new, batch, e: new[1] / smooth(batch[0], e)[:, None]),
    ),
    (
        "batch's sums",
        "batch's sums are divided",
        codebook_of(lambda old, new, batch, e: batch[1] / smooth(new[0], e)[:, None]),
    ),
    (
        "batch's means",
        "means of this batch",
        codebook_of(lambda old, new, batch, e: batch[1] / batch[0].clamp(min=1)[:, None]),
    ),
    ("multiplied", "multiplied by the counts", made(divide=lambda s, n: s * n[:, None])),
    ("by the total", "divided by the total", made(divide=lambda s, n: s / n.sum())),
    ("epsilon of 1e-5", "always 0.00001", made(smooth=lambda c, e: smooth(c, 1e-5))),
    ("codebook turned", "reverse order", made(order=lambda c, s, e: (c, s, e.flip(0)))),
    ("wrong axis", "shape", no_batch_axis),
    ("counts in place", "in place", counts_in_place),
    ("sums in place", "in place", sums_in_place),
    ("vectors in place", "in place", vectors_in_place),
    ("codebook alone", "one thing", made(order=lambda c, s, e: e)),
    ("two", "2 things", made(order=lambda c, s, e: (c, s))),
    ("dictionary", "one thing", made(order=lambda *three: dict(zip("cse", three, strict=True)))),
    ("nothing", "nothing (None)", made(order=lambda *three: None)),
    ("counts as a column", "shape", made(order=lambda c, s, e: (c[:, None], s, e))),
    ("codebook transposed", "shape", made(order=lambda c, s, e: (c, s, e.T))),
    ("lists", "list", made(order=lambda *three: [t.tolist() for t in three])),
    (
        "whole counts",
        "floating-point",
        made(order=lambda c, s, e: (c.long(), s, e)),
    ),
)

step.check_only = {"given tensors": "the probe looks at values, and these are right"}

EXERCISES = [step]
