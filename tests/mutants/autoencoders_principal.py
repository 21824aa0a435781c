"""Answers to the exercise of notebook 00 on principal components as a linear autoencoder."""

import torch
from sklearn.decomposition import PCA, TruncatedSVD

from coursekit import checks
from mutants import Exercise

pca = Exercise("pca-reconstruction", checks.pca_reconstruction, ("pca_reconstruct",))


def directions(centred):
    """A row for each, the leading one first."""
    return torch.linalg.svd(centred, full_matrices=False)[2]


def through(x, rows):
    return x @ rows.T @ rows


def right(train, x, k):
    mean = train.mean(dim=0)
    return mean + through(x - mean, directions(train - mean)[:k])


def oracle(train, x, k):
    fitted = PCA(svd_solver="full").fit(train.double().numpy())
    codes = fitted.transform(x.double().numpy())
    codes[:, k:] = 0
    return torch.from_numpy(fitted.inverse_transform(codes)).to(x)


def by_eigh(train, x, k):
    mean = train.mean(0, keepdim=True)
    centred = train - mean
    vectors = torch.linalg.eigh(centred.T @ centred / (len(train) - 1)).eigenvectors
    vectors = vectors[:, train.shape[1] - k :]
    return (x - mean) @ vectors @ vectors.T + mean


def by_eig(train, x, k):
    values, vectors = torch.linalg.eig(torch.cov((train - train.mean(0)).T))
    basis = vectors.real[:, values.real.argsort(descending=True)[:k]]
    return train.mean(0) + (x - train.mean(0)) @ basis @ basis.T


def by_lowrank(train, x, k):
    _, _, vectors = torch.pca_lowrank(train, q=min(train.shape), niter=4)
    mean = train.mean(0)
    return torch.stack([mean + vectors[:, :k] @ (vectors[:, :k].T @ (row - mean)) for row in x])


def by_gram(train, x, k):
    """By the eigenvectors of the N x N matrix of inner products."""
    mean = train.double().mean(0)
    centred = train.double() - mean
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    leading = [i for i in range(len(values))[::-1] if values[i] > 1e-9 * values[-1]][:k]
    rows = (vectors[:, leading] / values[leading].sqrt()).T @ centred
    return (mean + (x.double() - mean) @ rows.T @ rows).to(x)


def by_old_svd(train, x, k):
    mean = train.mean(0)
    _, _, vectors = torch.svd(train - mean)
    codes = (x - mean) @ vectors[:, :k]
    return torch.addmm(mean, codes, vectors[:, :k].T)


pca.right("singular vectors", right)
pca.right("scikit-learn, the oracle", oracle)
pca.right("eigenvectors of the covariance", by_eigh)
pca.right("eigenvectors without symmetry", by_eig)
pca.right("pca_lowrank with all directions", by_lowrank)
pca.right("eigenvectors of the inner products", by_gram)
pca.right("torch.svd", by_old_svd)


def centred_by(middle):
    def answer(train, x, k):
        mean = middle(train, x)
        return mean + through(x - mean, directions(train - mean)[:k])

    return answer


def joined(join):
    def answer(train, x, k):
        mean = train.mean(0)
        return join(x, mean, directions(train - mean)[:k])

    return answer


def along(pick):
    def answer(train, x, k):
        mean = train.mean(0)
        return mean + through(x - mean, pick(train - mean, k))

    return answer


def vectors_of(centred):
    return torch.linalg.eigh(centred.T @ centred).eigenvectors


def standardised(train, x, k):
    mean, std = train.mean(0), train.std(0)
    return through((x - mean) / std, directions((train - mean) / std)[:k]) * std + mean


def standardised_only(train, x, k):
    mean, std = train.mean(0), train.std(0)
    return through((x - mean) / std, directions((train - mean) / std)[:k])


def by_rows(train, x, k):
    middle = train.mean(1, keepdim=True)
    mean = x.mean(1, keepdim=True)
    return mean + through(x - mean, directions(train - middle)[:k])


def scaled(power):
    def answer(train, x, k):
        mean = train.mean(0)
        _, s, rows = torch.linalg.svd(train - mean, full_matrices=False)
        return mean + ((x - mean) @ rows[:k].T) * s[:k] ** power @ rows[:k]

    return answer


def columns_of_v(train, x, k):
    mean = train.mean(0)
    v = directions(train - mean)
    return mean + (x - mean) @ v[:, :k] @ v[:, :k].T


def left_vectors(train, x, k):
    mean = train.mean(0)
    u = torch.linalg.svd(train - mean, full_matrices=False)[0]
    return mean + (x - mean) @ u[:, :k] @ u[:, :k].T


def lowrank_rough(train, x, k):
    _, _, v = torch.pca_lowrank(train, q=k, niter=0)
    return train.mean(0) + (x - train.mean(0)) @ v @ v.T


def truncated(train, x, k):
    fitted = TruncatedSVD(k, algorithm="arpack").fit(train.double().numpy())
    return torch.from_numpy(fitted.inverse_transform(fitted.transform(x.double().numpy()))).to(x)


def whitened(train, x, k):
    fitted = PCA(k, whiten=True).fit(train.numpy())
    codes = torch.from_numpy(fitted.transform(x.numpy()))
    return codes @ torch.from_numpy(fitted.components_).to(codes) + torch.from_numpy(fitted.mean_)


def numpy_answer(train, x, k):
    return right(train, x, k).numpy()


def centred_in_place(train, x, k):
    mean = train.mean(0)
    train -= mean
    return mean + through(x - mean, directions(train)[:k])


def x_in_place(train, x, k):
    mean = train.mean(0)
    x -= mean
    return mean + through(x, directions(train - mean)[:k])


def random_directions(train, x, k):
    rows = torch.linalg.qr(torch.randn(train.shape[1], k, dtype=x.dtype)).Q.T
    return train.mean(0) + through(x - train.mean(0), rows)


pca.wrong(
    ("zeros", "whatever the inputs", lambda train, x, k: torch.zeros_like(x)),
    ("not centred", "Nothing is centred", centred_by(lambda train, x: 0 * train[0])),
    ("scikit-learn's truncated SVD", "Nothing is centred", truncated),
    ("mean of x", "mean of the new rows", centred_by(lambda train, x: x.mean(0))),
    (
        "mean of both",
        "new rows enter the mean",
        centred_by(lambda train, x: torch.cat([train, x]).mean(0)),
    ),
    ("one mean for all", "One mean", centred_by(lambda train, x: train.mean())),
    ("median", "median", centred_by(lambda train, x: train.median(0).values)),
    ("mean of each row", "your code stops", centred_by(lambda train, x: train.mean(1))),
    ("mean of each row, kept", "right value is", by_rows),
    ("mean not added", "not added back", joined(lambda x, mean, rows: through(x - mean, rows))),
    ("mean forgotten at the end", "no mean is added", joined(lambda x, m, rows: through(x, rows))),
    ("x not centred", "not centred before", joined(lambda x, m, rows: m + through(x, rows))),
    ("mean subtracted twice", "wrong sign", joined(lambda x, m, rows: through(x - m, rows) - m)),
    (
        "x centred by its own mean",
        "their own mean",
        lambda train, x, k: (
            train.mean(0) + through(x - x.mean(0), directions(train - train.mean(0))[:k])
        ),
    ),
    (
        "x's own mean there and back",
        "their own mean",
        lambda train, x, k: (
            x.mean(0) + through(x - x.mean(0), directions(train - train.mean(0))[:k])
        ),
    ),
    (
        "directions not centred",
        "rows that are not centred",
        lambda train, x, k: train.mean(0) + through(x - train.mean(0), directions(train)[:k]),
    ),
    ("fitted to x", "train is not used", lambda train, x, k: right(x, x, min(k, len(x)))),
    (
        "train and x exchanged",
        "are exchanged",
        lambda train, x, k: right(x, train, k),
    ),
    ("columns of Vh", "Rows and columns are exchanged", columns_of_v),
    ("left singular vectors", "your code stops", left_vectors),
    ("smallest eigenvalues", "smallest variance", along(lambda c, k: vectors_of(c)[:, :k].T)),
    (
        "last directions",
        "k last directions",
        along(lambda c, k: directions(c)[-k:]),
    ),
    ("rows of eigenvectors", "eigenvector is a column", along(lambda c, k: vectors_of(c)[-k:])),
    ("first rows of them", "eigenvector is a column", along(lambda c, k: vectors_of(c)[:k])),
    ("one too many", "One direction too many", along(lambda c, k: directions(c)[: k + 1])),
    ("one too few", "One direction too few", along(lambda c, k: directions(c)[: k - 1])),
    (
        "counted from 1",
        "leading direction is left out",
        along(lambda c, k: directions(c)[1 : k + 1]),
    ),
    ("number k alone", "number k alone", along(lambda c, k: directions(c)[[k - 1]])),
    ("one direction always", "Only the leading", along(lambda c, k: directions(c)[:1])),
    ("two directions always", "Two directions", along(lambda c, k: directions(c)[:2])),
    ("all directions", "All directions", along(lambda c, k: directions(c))),
    (
        "first columns",
        "first k columns",
        along(lambda c, k: torch.eye(c.shape[1], dtype=c.dtype)[:k]),
    ),
    (
        "columns of the largest variance",
        "columns themselves",
        along(lambda c, k: torch.eye(c.shape[1], dtype=c.dtype)[c.var(0).topk(k).indices]),
    ),
    ("covariance's rows", "right value is", along(lambda c, k: torch.cov(c.T)[:k])),
    ("random directions", "drawn at random", random_directions),
    ("rough pca_lowrank", "drawn at random", lowrank_rough),
    ("x itself", "come back as they are", lambda train, x, k: x.clone()),
    ("mean itself", "comes back as the mean", lambda train, x, k: train.mean(0).repeat(len(x), 1)),
    ("what is left over", "leave over", joined(lambda x, m, rows: x - through(x - m, rows))),
    ("codes", "That is the code", joined(lambda x, m, rows: (x - m) @ rows.T)),
    ("train's reconstruction", "You reconstruct train", lambda train, x, k: right(train, train, k)),
    (
        "clamped",
        "clamped to the range",
        lambda train, x, k: right(train, x, k).clamp(0, 1),
    ),
    ("scaled", "by the singular values", scaled(1)),
    ("scaled twice", "squared singular values", scaled(2)),
    ("divided", "divided by the singular values", scaled(-1)),
    ("whitened", "spread of 1", whitened),
    ("standardised", "centre only", standardised),
    ("standardised, not back", "neither spread nor mean", standardised_only),
    ("sign", "wrong sign", lambda *a: -right(*a)),
    ("reversed", "wrong order", lambda *a: right(*a).flip(0)),
    ("first row only", "first one's", lambda *a: right(*a)[:1].repeat(len(a[1]), 1)),
    ("one row", "An axis is missing", lambda train, x, k: right(train, x, k)[0]),
    ("transposed", "Rows and columns of the result", lambda *a: right(*a).T),
    (
        "error in place of it",
        "An axis is missing",
        lambda train, x, k: (right(train, x, k) - x).square().mean(1),
    ),
    ("numpy", "numpy", numpy_answer),
    ("pair", "object of type tuple", lambda train, x, k: (right(train, x, k), x)),
    ("train centred in place", "in place", centred_in_place),
    ("x centred in place", "in place", x_in_place),
    ("prints only", "return", lambda *a: print(end="")),
    ("rounded", "right value is", lambda *a: right(*a).mul(100).round() / 100),
    ("half precision", "nearly right", lambda *a: right(*a).half().to(a[1])),
)


def vectors_of_cov(centred):
    return torch.linalg.eigh(torch.cov(centred.T)).eigenvectors


def gram_by_all(train, x, k):
    """By the inner products, with a division by every spread."""
    mean = train.double().mean(0)
    centred = train.double() - mean
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    rows = (vectors[:, -k:] / values[-k:].sqrt()).T @ centred
    return (mean + (x.double() - mean) @ rows.T @ rows).to(x)


def large_spreads(centred, k):
    _, spreads, rows = torch.linalg.svd(centred, full_matrices=False)
    return rows[:k][spreads[:k] > 1]


pca.wrong(
    (
        "smallest of the covariance",
        "smallest variance",
        along(lambda c, k: vectors_of_cov(c)[:, :k].T),
    ),
    (
        "last rows, covariance",
        "eigenvector is a column",
        along(lambda c, k: vectors_of_cov(c)[-k:]),
    ),
    (
        "first rows, covariance",
        "eigenvector is a column",
        along(lambda c, k: vectors_of_cov(c)[:k]),
    ),
    (
        "last k columns, also for k = 0",
        "With k = 0 all",
        along(lambda c, k: vectors_of(c)[:, -k:].T),
    ),
    (
        "the same of the covariance",
        "With k = 0 all",
        along(lambda c, k: vectors_of_cov(c)[:, -k:].T),
    ),
    (
        "eig, not sorted",
        "in no order",
        along(lambda c, k: torch.linalg.eig(torch.cov(c.T))[1].real[:, :k].T),
    ),
    (
        "eig of c^T c, not sorted",
        "in no order",
        along(lambda c, k: torch.linalg.eig(c.T @ c)[1].real[:, :k].T),
    ),
    ("inner products, all spreads", "divide by", gram_by_all),
    ("small spreads dropped", "small spread", along(large_spreads)),
)

RARE = "the probe's rows spread widely, and it asks for at least one direction"
pca.check_only |= {
    title: RARE
    for title in (
        "last k columns, also for k = 0",
        "the same of the covariance",
        "eig, not sorted",
        "eig of c^T c, not sorted",
        "inner products, all spreads",
        "small spreads dropped",
    )
}
pca.check_only["numpy"] = "the probe looks at the numbers, not at what holds them"

EXERCISES = [pca]
