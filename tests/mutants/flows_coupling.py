"""Answers to the exercise of notebook 06 on the affine coupling, both ways."""

import torch

from coursekit import checks
from mutants import Exercise

coupling = Exercise("affine-coupling", checks.affine_coupling, ("affine_coupling",))


def move(changed, alpha, m, inverse):
    return changed * alpha.exp() + m if inverse else (changed - m) * torch.exp(-alpha)


def log_det(changed, alpha, m, inverse):
    return alpha.sum(dim=1) if inverse else -alpha.sum(dim=1)


def put(x, mask, kept, moved):
    y = torch.empty_like(x)
    y[:, mask], y[:, ~mask] = kept, moved
    return y


def made(
    move=move,
    log_det=log_det,
    put=put,
    mask=lambda x, mask: mask,
    seen=lambda kept: kept,
    both=lambda y, logdet: (y, logdet),
):
    def affine_coupling(x, given, network, inverse=False):
        chosen = mask(x, given)
        kept, changed = x[:, chosen], x[:, ~chosen]
        alpha, m = network(seen(kept))
        y = put(x, chosen, kept, move(changed, alpha, m, inverse))
        return both(y, log_det(changed, alpha, m, inverse))

    return affine_coupling


right = made()


def by_clone(x, mask, network, inverse=False):
    alpha, m = network(x[:, mask])
    y = x.clone()
    if inverse:
        y[:, ~mask] = m + x[:, ~mask] * torch.exp(alpha)
        return y, alpha.sum(1)
    y[:, ~mask] = (x[:, ~mask] - m) / torch.exp(alpha)
    return y, torch.neg(alpha).sum(-1)


def by_order(x, mask, network, inverse=False):
    kept, rest = mask.nonzero()[:, 0], (~mask).nonzero()[:, 0]
    alpha, m = network(x[:, kept])
    moved = x[:, rest] * alpha.exp() + m if inverse else (x[:, rest] - m) * (-alpha).exp()
    back = torch.argsort(torch.cat([kept, rest]))
    return torch.cat([x[:, kept], moved], dim=1)[:, back], (1 if inverse else -1) * alpha.sum(dim=1)


def by_where(x, mask, network, inverse=False):
    """alpha and m are spread over all columns, with 0 for those that pass through."""
    alpha, m = (
        torch.zeros_like(x).index_copy(1, (~mask).nonzero().flatten(), part)
        for part in network(x[:, mask])
    )
    y = torch.where(mask, x, x * alpha.exp() + m if inverse else (x - m) * (-alpha).exp())
    return [y, alpha.sum(1) if inverse else -alpha.sum(1)]


def column_by_column(x, mask, network, inverse=False):
    alpha, m = network(x[:, mask])
    columns, logdet, j = [], 0, 0
    for i, passes in enumerate(mask.tolist()):
        if passes:
            columns.append(x[:, i])
            continue
        sign = 1 if inverse else -1
        scale = (sign * alpha[:, j]).exp()
        columns.append(x[:, i] * scale + m[:, j] if inverse else (x[:, i] - m[:, j]) * scale)
        logdet = logdet + sign * alpha[:, j]
        j += 1
    return torch.stack(columns, dim=1), logdet


coupling.right("as derived", right)
coupling.right("a clone", by_clone)
coupling.right("columns put back in order", by_order)
coupling.right("where", by_where)
coupling.right("column by column", column_by_column)


def scaled(scale):
    """Another scale in place of the exponential of alpha."""
    return lambda x, a, m, i: x * scale(a) + m if i else (x - m) / scale(a)


def forth(moved):
    return lambda x, a, m, i: move(x, a, m, True) if i else moved(x, a, m)


def back(moved):
    return lambda x, a, m, i: moved(x, a, m) if i else move(x, a, m, False)


def limited(bound):
    """alpha is bounded before it is used, in y and in the logdet."""
    return made(
        lambda x, a, m, i: move(x, bound(a), m, i),
        lambda x, a, m, i: log_det(x, bound(a), m, i),
    )


def signed(value):
    return lambda x, a, m, i: value(a if i else -a)


def whole_row(x, mask, network, inverse=False):
    alpha, m = network(x * mask)
    y = torch.where(mask, x, x * alpha.exp() + m if inverse else (x - m) * (-alpha).exp())
    return y, alpha.sum(1) if inverse else -alpha.sum(1)


def in_place(x, mask, network, inverse=False):
    alpha, m = network(x[:, mask])
    x[:, ~mask] = move(x[:, ~mask], alpha, m, inverse)
    return x, alpha.sum(1) if inverse else -alpha.sum(1)


def halves(x, mask, network, inverse=False):
    kept, changed = x.chunk(2, dim=1)
    alpha, m = network(kept)
    y = torch.cat([kept, move(changed, alpha, m, inverse)], dim=1)
    return y, alpha.sum(1) if inverse else -alpha.sum(1)


def two_columns(x, mask, network, inverse=False):
    alpha, m = network(x[:, :1])
    y = torch.cat([x[:, :1], move(x[:, 1:], alpha, m, inverse)], dim=1)
    return y, alpha.sum(1) if inverse else -alpha.sum(1)


def single_precision(x, mask, network, inverse=False):
    alpha, m = network(x[:, mask])
    y = torch.zeros(x.shape)
    y[:, mask], y[:, ~mask] = x[:, mask], move(x[:, ~mask], alpha, m, inverse)
    return y, alpha.sum(1) if inverse else -alpha.sum(1)


def no_inverse(x, mask, network):
    return right(x, mask, network)


def inverse_asked(x, mask, network, inverse):
    return right(x, mask, network, inverse)


def inverse_by_default(x, mask, network, inverse=True):
    return right(x, mask, network, inverse)


def y_alone_back(x, mask, network, inverse=False):
    y, logdet = right(x, mask, network, inverse)
    return y if inverse else (y, logdet)


def no_gradient(x, mask, network, inverse=False):
    with torch.no_grad():
        return right(x, mask, network, inverse)


def no_gradient_back(x, mask, network, inverse=False):
    with torch.set_grad_enabled(not inverse):
        return right(x, mask, network, inverse)


def network_detached(x, mask, network, inverse=False):
    return right(x, mask, lambda kept: tuple(t.detach() for t in network(kept)), inverse)


def network_twice(x, mask, network, inverse=False):
    """The kept entries are moved as well, by what the changed ones say."""
    y, logdet = right(x, mask, network, inverse)
    return right(y, ~mask, network, inverse)[0], logdet


def sees_the_changed(x, mask, network, inverse=False):
    alpha, m = network(x[:, ~mask])
    y = put(x, mask, x[:, mask], move(x[:, ~mask], alpha, m, inverse))
    return y, alpha.sum(1) if inverse else -alpha.sum(1)


coupling.wrong(
    (
        "zeros",
        "whatever the inputs",
        made(put=lambda x, *a: 0 * x, log_det=signed(lambda a: 0 * a[:, 0])),
    ),
    (
        "directions exchanged",
        "directions are exchanged",
        made(lambda x, a, m, i: move(x, a, m, not i)),
    ),
    ("no way back", "inverse is not looked at", made(lambda x, a, m, i: move(x, a, m, False))),
    ("way back only", "the way from z to x", made(lambda x, a, m, i: move(x, a, m, True))),
    ("alpha and m exchanged", "alpha comes first", made(lambda x, a, m, i: move(x, m, a, i))),
    ("exponent's sign", "in both directions", made(lambda x, a, m, i: move(x, -a, m, i))),
    ("shift's sign", "in both directions", made(lambda x, a, m, i: move(x, a, -m, i))),
    ("exponent forth", "x to z the exponent", made(forth(lambda x, a, m: (x - m) * a.exp()))),
    ("shift forth", "x to z the shift", made(forth(lambda x, a, m: (x + m) / a.exp()))),
    ("order forth", "undone first", made(forth(lambda x, a, m: x / a.exp() - m))),
    ("sign only forth", "x to z only", made(forth(lambda x, a, m: x * torch.exp(-a) + m))),
    ("exponent back", "z to x the exponent", made(back(lambda x, a, m: x * torch.exp(-a) + m))),
    ("shift back", "z to x the shift has", made(back(lambda x, a, m: x * a.exp() - m))),
    ("order back", "shift comes before", made(back(lambda x, a, m: (x + m) * a.exp()))),
    ("sign only back", "z to x only", made(back(lambda x, a, m: (x - m) * a.exp()))),
    (
        "another coupling",
        "a round trip works",
        made(lambda x, a, m, i: (x + m) * a.exp() if i else x * (-a).exp() - m),
    ),
    ("additive", "nothing is scaled", made(lambda x, a, m, i: x + m if i else x - m)),
    ("no shift", "m is not used", made(lambda x, a, m, i: x * (a if i else -a).exp())),
    ("no exponential", "alpha itself", made(scaled(lambda a: a))),
    ("sigmoid", "a sigmoid", made(scaled(torch.sigmoid))),
    ("sigmoid of alpha + 2", "a sigmoid", made(scaled(lambda a: torch.sigmoid(a + 2)))),
    ("softplus", "a softplus", made(scaled(torch.nn.functional.softplus))),
    ("1 + alpha", "1 and alpha", made(scaled(lambda a: 1 + a))),
    ("half alpha", "halved", made(scaled(lambda a: torch.exp(a / 2)))),
    ("twice alpha", "counts twice", made(scaled(lambda a: a.exp() ** 2))),
    ("tanh of alpha", "a tanh", made(scaled(lambda a: a.tanh().exp()))),
    ("alpha limited", "alpha is limited", made(scaled(lambda a: a.clamp(-1, 1).exp()))),
    ("something small", "right value is", made(scaled(lambda a: a.exp() + 2e-3))),
    ("unchanged", "changed at all", made(lambda x, a, m, i: x)),
    ("kept and changed", "Kept and changed are", made(mask=lambda x, mask: ~mask)),
    ("network sees the changed", "on the way back", sees_the_changed),
    ("network sees a whole row", "your code stops", whole_row),
    (
        "kept are 0",
        "kept entries are 0",
        made(put=lambda x, k, kept, moved: put(x, k, 0 * kept, moved)),
    ),
    (
        "kept first",
        "another order",
        made(put=lambda x, k, kept, moved: torch.cat([kept, moved], dim=1)),
    ),
    (
        "changed first",
        "another order",
        made(put=lambda x, k, kept, moved: torch.cat([moved, kept], dim=1)),
    ),
    (
        "first entries kept",
        "mask says which",
        made(mask=lambda x, mask: torch.arange(len(mask)) < mask.sum()),
    ),
    ("halves", "always the kept ones", halves),
    ("two columns", "your code stops", two_columns),
    (
        "half of the columns",
        "always the kept ones",
        made(mask=lambda x, k: torch.arange(len(k)) < len(k) // 2),
    ),
    ("moved alone", "shape", made(put=lambda x, k, kept, moved: moved)),
    ("network sees zeros", "sees zeros", made(seen=torch.zeros_like)),
    ("network sees the first row", "first row's", made(seen=lambda k: k[:1].expand_as(k))),
    ("network sees the mean", "batch's mean", made(seen=lambda k: k.mean(0).expand_as(k))),
    ("kept are moved too", "right value is", network_twice),
    (
        "logdet's sign",
        "sign is wrong, in both",
        made(log_det=lambda x, a, m, i: -log_det(x, a, m, i)),
    ),
    ("logdet of z to x", "x to z the sign", made(log_det=lambda x, a, m, i: a.sum(1))),
    ("logdet of x to z", "logdet of the other", made(log_det=lambda x, a, m, i: -a.sum(1))),
    ("logdet a mean", "a mean", made(log_det=signed(lambda a: a.mean(1)))),
    ("logdet a product", "a product", made(log_det=signed(lambda a: a.prod(1)))),
    ("determinant", "determinant itself", made(log_det=signed(lambda a: a.sum(1).exp()))),
    (
        "sum of derivatives",
        "derivatives are summed",
        made(log_det=signed(lambda a: a.exp().sum(1))),
    ),
    ("logdet of m", "over m", made(log_det=lambda x, a, m, i: m.sum(1) if i else -m.sum(1))),
    (
        "logdet of both",
        "m is in the sum",
        made(log_det=lambda x, a, m, i: (a + m).sum(1) if i else -(a + m).sum(1)),
    ),
    ("logdet of sizes", "sizes of alpha", made(log_det=lambda x, a, m, i: a.abs().sum(1))),
    ("logdet of the first", "first of the changed", made(log_det=signed(lambda a: a[:, 0]))),
    ("logdet of the last", "last of the changed", made(log_det=signed(lambda a: a[:, -1]))),
    (
        "logdet of the largest",
        "largest of the changed",
        made(log_det=signed(lambda a: a.max(1).values)),
    ),
    ("logdet twice", "twice", made(log_det=signed(lambda a: 2 * a.sum(1)))),
    ("logdet half", "half", made(log_det=signed(lambda a: a.sum(1) / 2))),
    (
        "logdet times x",
        "by its entry",
        made(log_det=lambda x, a, m, i: (x * (a if i else -a)).sum(1)),
    ),
    ("logdet 0", "whatever the inputs", made(log_det=signed(lambda a: 0 * a.sum(1)))),
    ("logdet over the batch", "reduced over the batch", made(log_det=signed(lambda a: a.sum()))),
    (
        "logdet of the batch's mean",
        "over the batch",
        made(log_det=signed(lambda a: a.sum(1).mean().expand(len(a)))),
    ),
    (
        "logdet of the first row",
        "first one's",
        made(log_det=signed(lambda a: a.sum(1)[:1].expand(len(a)))),
    ),
    (
        "logdet over D",
        "divided by the number of entries",
        lambda x, *a, **k: (right(x, *a, **k)[0], right(x, *a, **k)[1] / x.shape[1]),
    ),
    ("logdet not summed", "still to be summed", made(log_det=signed(lambda a: a))),
    ("logdet over the wrong axis", "wrong axis", made(log_det=signed(lambda a: a.sum(0)))),
    ("logdet a column", "axis of length 1", made(log_det=signed(lambda a: a.sum(1, keepdim=True)))),
    ("logdet a number", "a Python number", made(log_det=signed(lambda a: a.sum().item()))),
    ("logdet in bits", "in bits", made(log_det=signed(lambda a: a.sum(1) / 0.6931472))),
    ("exchanged", "order is wrong", made(both=lambda y, logdet: (logdet, y))),
    ("y alone", "one thing", made(both=lambda y, logdet: y)),
    ("y alone on the way back", "one thing", y_alone_back),
    ("alpha too", "3 things", made(both=lambda y, logdet: (y, logdet, None))),
    ("nothing", "nothing (None)", made(both=lambda y, logdet: None)),
    *(
        (f"alpha within {k}", "alpha is limited", limited(lambda a, k=k: a.clamp(-k, k)))
        for k in (1.2, 1.5, 2.0, 5.0, 10.0)
    ),
    ("alpha bounded softly", "right value is", limited(lambda a: 2 * torch.tanh(a / 2))),
    (
        "m within 10",
        "m is limited",
        made(lambda x, a, m, i: move(x, a, m.clamp(-10, 10), i)),
    ),
    *(
        (
            f"{small} added to the scale",
            "added to the scale",
            made(forth(lambda x, a, m, k=small: (x - m) / (a.exp() + k))),
        )
        for small in (1e-6, 1e-8)
    ),
    (
        "logdet of alpha within 5",
        "alpha is limited",
        made(log_det=signed(lambda a: a.clamp(-5, 5).sum(1))),
    ),
    (
        "log of a product",
        "derivatives are multiplied first",
        made(log_det=signed(lambda a: a.exp().prod(1).log())),
    ),
    ("in place", "in place", in_place),
    ("single precision", "your code stops", single_precision),
    ("no argument inverse", "your code stops", no_inverse),
    ("inverse without a default", "your code stops", inverse_asked),
    ("inverse by default", "comes by default", inverse_by_default),
    ("no gradient", "no gradient", no_gradient),
    ("no gradient on the way back", "no gradient", no_gradient_back),
    ("network detached", "gradient", network_detached),
    ("logdet detached", "no gradient", made(both=lambda y, logdet: (y, logdet.detach()))),
    ("scale detached", "gradient", made(lambda x, a, m, i: move(x, a.detach(), m, i))),
    (
        "noise",
        "drawn at random",
        made(both=lambda y, logdet: (y + 0.01 * torch.randn_like(y), logdet)),
    ),
)

EXERCISES = [coupling]
