"""Answers to the exercise of notebook 04 on each picture's best step and its stop."""

import torch

from coursekit import checks
from mutants import Exercise

best = Exercise("keep-best", checks.keep_best, ("keep_best",))


def walked(
    better=lambda value, top: value > top,
    done=lambda since, patience: since >= patience,
    last=lambda elbos: len(elbos) - 1,
    finish=lambda top, row: (top, row),
    start=0,
):
    """Walk down each column, with a part replaced."""

    def keep_best(elbos, patience):
        tops, stops = [], []
        for column in elbos.T.tolist():
            top, stop = start, last(elbos)
            for row in range(start, len(column)):
                if better(column[row], column[top]):
                    top = row
                if done(row - top, patience):
                    stop = row
                    break
            pair = finish(top, stop)
            tops.append(pair[0])
            stops.append(pair[1])
        return torch.tensor(tops), torch.tensor(stops)

    return keep_best


def all_at_once(elbos, patience):
    """Without a loop: the first row of each running maximum, then the first row that waits."""
    rows = torch.arange(len(elbos))[:, None].expand(elbos.shape)
    highest = elbos.cummax(dim=0).values
    rose = torch.ones_like(rows, dtype=torch.bool)
    rose[1:] = highest[1:] > highest[:-1]
    top = torch.where(rose, rows, 0).cummax(dim=0).values
    waited = rows - top >= patience
    last = torch.full((elbos.shape[1],), len(elbos) - 1)
    stopped = torch.where(waited.any(dim=0), waited.int().argmax(dim=0), last)
    return top.gather(0, stopped[None])[0], stopped


def step_by_step(elbos, patience):
    """All pictures in step, with a mask of those that still run."""
    pictures = elbos.shape[1]
    top = torch.zeros(pictures, dtype=torch.long)
    stopped = torch.full((pictures,), len(elbos) - 1)
    value, runs = elbos[0].clone(), torch.ones(pictures, dtype=torch.bool)
    for row in range(1, len(elbos)):
        better = runs & (elbos[row] > value)
        top[better], value[better] = row, elbos[row][better]
        out = runs & (row - top >= patience)
        stopped[out] = row
        runs = runs & ~out
    return top, stopped


best.right("column by column", walked())
best.right("all at once", all_at_once)
best.right("step by step", step_by_step)


def after(change):
    """The right answer, changed."""
    return lambda elbos, patience: change(*step_by_step(elbos, patience), elbos, patience)


def last_of(elbos):
    return torch.full((elbos.shape[1],), len(elbos) - 1)


def against_the_row_before(elbos, patience):
    tops, stops = [], []
    for column in elbos.T.tolist():
        top = since = 0
        stop = len(column) - 1
        for row in range(1, len(column)):
            since = 0 if column[row] > column[row - 1] else since + 1
            if column[row] > column[top]:
                top = row
            if since >= patience:
                stop = row
                break
        tops.append(top)
        stops.append(stop)
    return torch.tensor(tops), torch.tensor(stops)


def together(elbos, patience):
    top, stop = step_by_step(elbos.mean(dim=1, keepdim=True), patience)
    return top.repeat(elbos.shape[1]), stop.repeat(elbos.shape[1])


def until_the_last(elbos, patience):
    _, stop = step_by_step(elbos, patience)
    return elbos[: int(stop.max()) + 1].argmax(dim=0), stop.max().expand_as(stop)


def cummax_of_torch(elbos, patience):
    """torch's cummax gives the latest of equal values."""
    top = elbos.cummax(dim=0).indices
    waited = torch.arange(len(elbos))[:, None] - top >= patience
    stopped = torch.where(waited.any(dim=0), waited.int().argmax(dim=0), last_of(elbos))
    return top.gather(0, stopped[None])[0], stopped


def stopped_in_place(elbos, patience):
    top, stop = step_by_step(elbos, patience)
    elbos[torch.arange(len(elbos))[:, None] > stop] = -1e9
    return top, stop


def started_at(low):
    """The best so far starts at a number."""

    def keep_best(elbos, patience):
        return step_by_step(elbos.clamp(min=low), patience)

    return keep_best


def until_the_first(elbos, patience):
    _, stop = step_by_step(elbos, patience)
    return elbos[: int(stop.min()) + 1].argmax(dim=0), stop.min().expand_as(stop)


def by_masked_fill(elbos, patience):
    """What comes after the stop is put out by -inf, which needs floats."""
    _, stop = step_by_step(elbos, patience)
    after_stop = torch.arange(len(elbos))[:, None] > stop
    return elbos.masked_fill(after_stop, -torch.inf).argmax(dim=0), stop


best.right("put out by -inf", by_masked_fill)

best.wrong(
    ("starts at 0", "a best so far that starts at 0", started_at(0.0)),
    ("starts at -10,000", "starts at a number", started_at(-1e4)),
    ("a gain of at least 1e-4", "small gain", walked(better=lambda v, top: v > top + 1e-4)),
    ("all stop with the first", "with the first of them", until_the_first),
    (
        "best of all rows",
        "after the stop were never reached",
        after(lambda b, s, e, p: (e.argmax(dim=0), s)),
    ),
    (
        "no patience",
        "patience is not used",
        lambda e, p: (e.argmax(dim=0), last_of(e)),
    ),
    (
        "patience from the best of all rows",
        "best of ALL rows",
        lambda e, p: (e.argmax(dim=0), (e.argmax(dim=0) + p).clamp(max=len(e) - 1)),
    ),
    ("never stops", "always the last one", after(lambda b, s, e, p: (b, last_of(e)))),
    ("ties late", "keep the latest", walked(better=lambda value, top: value >= top)),
    ("cummax", "keep the latest", cummax_of_torch),
    ("a row too late", "a row too far", walked(done=lambda since, patience: since > patience)),
    (
        "a row too early",
        "a row too early",
        walked(done=lambda since, patience: since + 1 >= patience),
    ),
    ("beyond the end", "after the last row", after(lambda b, s, e, p: (b, b + p))),
    (
        "patience from the start",
        "counted from the start",
        lambda e, p: (e[: p + 1].argmax(dim=0), last_of(e).clamp(max=p)),
    ),
    ("against the row before", "compare with the row before", against_the_row_before),
    (
        "a gain of at least 0.1",
        "small gain",
        walked(better=lambda value, top: value > top + 0.1),
    ),
    ("start left out", "start is left out", walked(start=1)),
    ("counted from 1", "counted from 1", walked(finish=lambda top, row: (top + 1, row + 1))),
    (
        "steps without the start",
        "without the start",
        walked(finish=lambda top, row: (top - 1, row - 1)),
    ),
    ("number of rows", "number of rows", walked(last=len)),
    ("0 where none stops", "gets 0", walked(last=lambda elbos: 0)),
    ("-1 where none stops", "gets -1", walked(last=lambda elbos: -1)),
    ("row before the stop", "row before the stop", after(lambda b, s, e, p: (b, s - 1))),
    ("stops at the best", "best row is given", after(lambda b, s, e, p: (b, b))),
    ("last is best", "as the best one", after(lambda b, s, e, p: (s, s))),
    ("time waited", "how long was waited", after(lambda b, s, e, p: (b, s - b))),
    ("exchanged", "are exchanged", after(lambda b, s, e, p: (s, b))),
    ("all stop together", "stop together", together),
    ("all run until the last", "until the last of them", until_the_last),
    ("smallest", "smallest value is kept", lambda e, p: step_by_step(-e, p)),
    ("wrong axis", "of shape", lambda e, p: step_by_step(e.T, p)),
    (
        "first picture for all",
        "first one's",
        after(lambda b, s, e, p: (b[:1].expand_as(b), s[:1].expand_as(s))),
    ),
    (
        "the best value",
        "the number of a row",
        after(lambda b, s, e, p: (e.gather(0, b[None])[0], s)),
    ),
    ("floats", "torch.float32", after(lambda b, s, e, p: (b.float(), s.float()))),
    ("int32", "torch.int32", after(lambda b, s, e, p: (b.int(), s.int()))),
    ("lists", "type list", after(lambda b, s, e, p: (b.tolist(), s.tolist()))),
    ("best alone", "one thing", after(lambda b, s, e, p: b)),
    ("rows of pairs", "pair (best, stopped)", after(lambda b, s, e, p: torch.stack([b, s], 1))),
    ("nothing", "nothing (None)", lambda e, p: None),
    ("in place", "in place", stopped_in_place),
)
# A grader reads 3.0 as 3, and a list is what a probe makes of a tensor anyway.
best.check_only = {
    "floats": "the rows are the right ones",
    "int32": "the rows are the right ones",
    "starts at -10,000": "the probe's values are all above that",
    "a gain of at least 1e-4": "the probe's gains are larger",
}

EXERCISES = [best]
