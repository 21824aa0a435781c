"""Answers to the exercise of notebook 08 on the nearest code of a codebook."""

import torch
from sklearn.neighbors import NearestNeighbors

from coursekit import checks
from mutants import Exercise

nearest = Exercise("nearest-code", checks.nearest_code, ("nearest_codes",))


def differences(z, codebook):
    return z[:, None] - codebook[None]


def squares(z, codebook):
    return differences(z, codebook).square().sum(dim=2)


def least(apart):
    return lambda z, codebook: apart(z, codebook).argmin(dim=1)


def most(apart):
    return lambda z, codebook: apart(z, codebook).argmax(dim=1)


right = least(squares)


def multiplied_out(z, codebook):
    return z.pow(2).sum(1, keepdim=True) - 2 * z @ codebook.T + codebook.pow(2).sum(1)


def by_loops(z, codebook):
    found = torch.zeros(len(z), dtype=torch.int64)
    for n, vector in enumerate(z):
        smallest = float("inf")
        for k, code in enumerate(codebook):
            apart = ((vector - code) ** 2).sum().item()
            if apart < smallest:
                smallest, found[n] = apart, k
    return found


def by_einsum(z, codebook):
    apart = z[:, None, :] - codebook
    return torch.einsum("nkd,nkd->nk", apart, apart).min(dim=1).indices


def by_scikit_learn(z, codebook):
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(codebook.double().numpy())
    apart, found = search.kneighbors(z.double().numpy(), n_neighbors=len(codebook))
    first = torch.tensor(found).where(torch.tensor(apart) <= torch.tensor(apart[:, :1]), 10**6)
    return first.amin(dim=1)


nearest.right("differences", right)
nearest.right("multiplied out", least(multiplied_out))
nearest.right(
    "without the vector's own square",
    lambda z, c: torch.addmm(c.square().sum(1), z, c.T, alpha=-2).argmin(1),
)
nearest.right("cdist", lambda z, c: torch.cdist(z, c).argmin(dim=-1))
nearest.right("cdist in float64", lambda z, c: torch.cdist(z.double(), c.double()).min(1)[1])
nearest.right("loops", by_loops)
nearest.right("einsum", by_einsum)
nearest.right("norms", lambda z, c: torch.norm(z.unsqueeze(1) - c.unsqueeze(0), dim=-1).argmin(1))
nearest.right("negative distances", most(lambda z, c: -torch.cdist(z, c)))
nearest.right(
    "one row at a time", lambda z, c: torch.stack([((c - v) ** 2).sum(1).argmin() for v in z])
)


def last_of_equals(z, codebook):
    found = torch.zeros(len(z), dtype=torch.int64)
    for n, vector in enumerate(z):
        smallest = float("inf")
        for k, code in enumerate(codebook):
            apart = ((vector - code) ** 2).sum().item()
            if apart <= smallest:
                smallest, found[n] = apart, k
    return found


def within(limit, code):
    """Another answer where every code is far."""

    def wrong(z, codebook):
        apart = squares(z, codebook)
        return torch.where(apart.amin(dim=1) > limit, code, apart.argmin(dim=1))

    return wrong


def filled(z, codebook):
    found = torch.zeros(len(z))
    for n, index in enumerate(right(z, codebook)):
        found[n] = index
    return found


def centred_in_place(z, codebook):
    middle = codebook.mean(dim=0)
    z -= middle
    return right(z, codebook - middle)


def normalised_in_place(z, codebook):
    found = right(z, codebook.clone())
    codebook /= codebook.norm(dim=1, keepdim=True)
    return found


def hashed(z, codebook):
    """The first code that is nearer than 1, as somebody stops a loop early."""
    near = squares(z, codebook) < 1
    return torch.where(near.any(dim=1), near.int().argmax(dim=1), right(z, codebook))


def with_noise(z, codebook):
    return (-squares(z, codebook)).softmax(dim=1).multinomial(1)[:, 0]


nearest.wrong(
    ("zeros", "whatever the inputs", lambda z, c: torch.zeros(len(z), dtype=torch.int64)),
    ("farthest", "FARTHEST", most(squares)),
    ("farthest by cdist", "FARTHEST", lambda z, c: torch.cdist(z, c).max(dim=1).indices),
    ("inner product", "largest inner product", most(lambda z, c: z @ c.T)),
    ("smallest inner product", "smallest inner product", least(lambda z, c: z @ c.T)),
    (
        "cosine",
        "most similar direction",
        most(lambda z, c: torch.cosine_similarity(z[:, None], c[None], dim=2)),
    ),
    ("absolute", "absolute differences", least(lambda z, c: torch.cdist(z, c, p=1))),
    (
        "largest difference",
        "largest difference",
        least(lambda z, c: differences(z, c).abs().amax(2)),
    ),
    (
        "smallest difference",
        "smallest difference",
        least(lambda z, c: differences(z, c).abs().amin(2)),
    ),
    ("sum, then square", "cancel", least(lambda z, c: differences(z, c).sum(2).square())),
    ("sum, then absolute", "cancel", least(lambda z, c: differences(z, c).sum(2).abs())),
    ("no square", "cancel", least(lambda z, c: differences(z, c).sum(2))),
    (
        "product of squares",
        "multiplied: they",
        least(lambda z, c: differences(z, c).square().prod(2)),
    ),
    ("first number", "first of the D", least(lambda z, c: differences(z, c)[:, :, 0].abs())),
    (
        "one side only",
        "below 0 are cut off",
        least(lambda z, c: differences(z, c).relu().square().sum(2)),
    ),
    (
        "lengths",
        "compare lengths",
        least(lambda z, c: (z.norm(dim=1)[:, None] - c.norm(dim=1)).abs()),
    ),
    (
        "single product",
        "counts twice",
        least(lambda z, c: z.pow(2).sum(1, True) - z @ c.T + c.pow(2).sum(1)),
    ),
    (
        "product with a plus",
        "has a minus",
        least(lambda z, c: z.pow(2).sum(1, True) + 2 * z @ c.T + c.pow(2).sum(1)),
    ),
    (
        "square with a minus",
        "has a plus",
        least(lambda z, c: z.pow(2).sum(1, True) - 2 * z @ c.T - c.pow(2).sum(1)),
    ),
    (
        "lengths without a square",
        "SQUARED",
        least(lambda z, c: z.norm(dim=1, keepdim=True) - 2 * z @ c.T + c.norm(dim=1)),
    ),
    (
        "without the code's square",
        "largest inner product",
        least(lambda z, c: z.pow(2).sum(1, True) - 2 * z @ c.T),
    ),
    ("last of equals", "you take the last", last_of_equals),
    ("argmax of flipped", "you take the last", lambda z, c: len(c) - 1 - right(z, c.flip(0))),
    ("single precision", "precision is lowered", lambda z, c: right(z.float(), c.float())),
    (
        "half precision",
        "precision is lowered",
        lambda z, c: right(z.half().float(), c.half().float()),
    ),
    (
        "second nearest",
        "right value",
        lambda z, c: squares(z, c).topk(2, largest=False)[1][:, 1],
    ),
    (
        "second nearest where there is one",
        "second nearest",
        lambda z, c: squares(z, c).sort(dim=1, stable=True)[1][:, min(1, len(c) - 1)],
    ),
    ("from 1", "counted from 1", lambda z, c: right(z, c) + 1),
    ("nearest vector", "nearest vector for each code", lambda z, c: right(c, z)),
    ("along the vectors", "nearest vector for each code", lambda z, c: squares(z, c).argmin(dim=0)),
    ("one for all", "shape", lambda z, c: squares(z, c).argmin()),
    ("one for each", "all vectors together", lambda z, c: squares(z, c).argmin().repeat(len(z))),
    (
        "one for each, modulo",
        "does not change when z",
        lambda z, c: (squares(z, c).argmin() % len(c)).repeat(len(z)),
    ),
    ("first one's", "first one's code", lambda z, c: right(z, c)[:1].repeat(len(z))),
    ("turned round", "turned round", lambda z, c: right(z, c).flip(0)),
    ("by number", "Vector number n", lambda z, c: torch.arange(len(z)) % len(c)),
    (
        "vectors of length 1",
        "vectors are brought to length 1",
        lambda z, c: right(z / z.norm(dim=1, keepdim=True), c),
    ),
    (
        "codes of length 1",
        "codes are brought to length 1",
        lambda z, c: right(z, c / c.norm(dim=1, keepdim=True)),
    ),
    (
        "both of length 1",
        "Vectors and codes are brought to length 1",
        lambda z, c: right(z / z.norm(dim=1, keepdim=True), c / c.norm(dim=1, keepdim=True)),
    ),
    ("centred", "centred", lambda z, c: right(z - z.mean(0), c - c.mean(0))),
    ("too far, -1", "far from every code", within(1000, -1)),
    ("too far, 0", "far from every code", within(1000, 0)),
    ("too far, -1, from 100", "far from every code", within(100, -1)),
    ("first near one", "right on", hashed),
    ("drawn", "drawn at random", with_noise),
    ("the code itself", "torch.float", lambda z, c: c[right(z, c)]),
    ("distances", "torch.float", squares),
    ("smallest distance", "torch.float", lambda z, c: squares(z, c).amin(dim=1)),
    ("values and indices", "type min", lambda z, c: squares(z, c).min(dim=1)),
    ("one-hot", "shape", lambda z, c: torch.nn.functional.one_hot(right(z, c), len(c))),
    ("column", "axis of length 1", lambda z, c: squares(z, c).argmin(dim=1, keepdim=True)),
    ("floats", "torch.float", filled),
    ("int32", "torch.int32", lambda z, c: right(z, c).int()),
    ("numpy", "numpy ndarray", lambda z, c: right(z, c).numpy()),
    ("list", "type list", lambda z, c: right(z, c).tolist()),
    ("nothing", "nothing (None)", lambda z, c: None),
    ("z in place", "in place", centred_in_place),
    ("codebook in place", "in place", normalised_in_place),
    ("elementwise", "stops", lambda z, c: (z - c).square().sum(dim=1).argmin(dim=0)),
)

EXERCISES = [nearest]
