"""Chapter 6's checks: right answers of several kinds pass, each usual mistake has its own message."""

from functools import partial

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal, pearsonr
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.neighbors import NearestNeighbors

from helpers import shapes
from helpers.autoencoder import encode_images
from helpers.checks import degrees_of_freedom as checks
from helpers.checks.parts import WrongAnswer
from helpers.dimension import nearest_ratios
from helpers.experiments.registry import NETWORKS
from helpers.irmae import code_spectrum
from helpers.spectrum import rank_above
from tests.wrong_answers import told_apart

# ---- 1


def ranks(
    codes, neighbours, centres, skip=0, middle=None, power=2, share=max, top=None, turn=False
):
    """Ranks of neighbourhoods by the SVD; the options are usual mistakes."""
    found = []
    for row in centres:
        order = np.linalg.norm(codes - codes[row], axis=1).argsort()
        near = codes[order[skip : skip + neighbours]]
        near = near.T if turn else near
        centre = near.mean(axis=0) if middle is None else middle(codes, row)
        values = np.linalg.svd(near - centre, compute_uv=False) ** power / len(near)
        found.append(np.sum(values > 0.01 * (top or share(values))))
    return found


def local_rank(*answer, **mistake):
    return np.mean(ranks(*answer, **mistake))


def local_rank_by_covariance(codes, neighbours, centres):
    nearest = NearestNeighbors(n_neighbors=neighbours).fit(codes).kneighbors(codes[centres])[1]
    spectra = [np.linalg.eigvalsh(np.cov(codes[rows].T)) for rows in nearest]
    return float(np.mean([np.sum(values > 0.01 * values[-1]) for values in spectra]))


def local_rank_by_pca(codes, neighbours, centres):
    _, nearest = KDTree(codes).query(codes[centres], neighbours)
    spectra = [PCA().fit(codes[rows]).explained_variance_ for rows in nearest]
    return torch.tensor([rank_above(values, 0.01) for values in spectra]).double().mean()


def test_local_ranks_are_told_from_usual_slips(capsys):
    for right in (local_rank, local_rank_by_covariance, local_rank_by_pca):
        checks.check_local_rank(right)
    told = capsys.readouterr().out
    assert "12 neighbours: 3.70 and 3.70" in told
    assert "3 neighbours: 2.00 and 2.00" in told

    def single(codes, neighbours, centres):
        _, nearest = KDTree(codes).query(codes[centres], neighbours)
        values = codes[nearest].var(axis=1)
        return np.mean(np.sum(values > 0.01 * values.max(axis=1, keepdims=True), axis=1))

    def by_all(codes, neighbours, centres):
        return local_rank(codes, neighbours, centres, top=PCA().fit(codes).explained_variance_[0])

    told_apart(
        [
            ((partial(local_rank, middle=lambda codes, row: 0),), "not centred"),
            ((partial(local_rank, middle=lambda codes, row: codes[row]),), "at its mean"),
            ((partial(local_rank, power=1),), "these are deviations"),
            ((partial(local_rank, skip=1),), "left out"),
            ((lambda codes, n, centres: local_rank(codes, n + 1, centres),), "one code too many"),
            ((partial(local_rank, skip=488),), "farthest"),
            ((partial(local_rank, turn=True),), "rows and columns are swapped"),
            ((single,), "single numbers"),
            ((by_all,), "not of all codes"),
            ((partial(local_rank, share=sum),), "not of their sum"),
            ((lambda codes, n, centres: local_rank(codes, len(codes), [0]),), "rank of all codes"),
            ((lambda *answer: np.sum(ranks(*answer)),), "a sum over the centres"),
            ((lambda codes, n, _: local_rank(codes, n, range(len(codes))),), "`centres`"),
            ((ranks,), "shape"),
            ((lambda codes, n, centres: local_rank(codes, 12, centres),), "Is `neighbours` used"),
            ((lambda *answer: -1,), "isn't the mean rank"),
        ],
        checks.check_local_rank,
    )


# ---- 2


def ratios(points, first=1, once=True):
    points = np.unique(points, axis=0) if once else points
    distances = KDTree(points).query(points, 4)[0]
    return distances[:, first + 1] / distances[:, first]


def two_nn(points, **mistake):
    mu = ratios(points, **mistake)
    return len(mu) / np.log(mu).sum()


def two_nn_by_course(points):
    return 1 / np.mean(np.log(nearest_ratios(points)))


def two_nn_by_hand(points):
    points = np.array(sorted(set(map(tuple, points))))
    distances = cdist(points, points)
    np.fill_diagonal(distances, np.inf)
    first, second = np.sort(distances, axis=1)[:, :2].T
    return torch.tensor((len(points) - 1) / (np.log2(second) - np.log2(first)).sum() / np.log(2))


def test_two_nn_is_judged_with_and_without_copies(capsys):
    for right in (two_nn, two_nn_by_course, two_nn_by_hand):
        checks.check_two_nn(right)
    assert "2.93 and 2.93" in capsys.readouterr().out

    def without_centres(points):
        distances = KDTree(points).query(points, 3)[0]
        kept = distances[distances[:, 1] > 0]
        return len(kept) / np.log(kept[:, 2] / kept[:, 1]).sum()

    def all_counted(points):
        return len(points) / np.log(ratios(points)).sum()

    told_apart(
        [
            ((partial(two_nn, first=0),), "its own neighbour"),
            ((partial(two_nn, first=2),), "left out twice"),
            ((lambda points: len(ratios(points)) / ratios(points).sum(),), "was forgotten"),
            ((lambda points: 1 / two_nn(points),), "one over it"),
            ((lambda points: -two_nn(points),), "upside down"),
            ((lambda points: two_nn(points) / 2,), "squared distances"),
            ((lambda points: two_nn(points) * np.log(2),), "base 2"),
            ((lambda points: two_nn(points) * np.log(10),), "base 10"),
            ((lambda points: 1 / np.log(ratios(points).mean()),), "logarithm of the mean"),
            ((lambda points: np.mean(1 / np.log(ratios(points))),), "mean of one over"),
            ((lambda points: 1 / np.log(ratios(points)).sum(),), "N is missing"),
            ((lambda points: 1 + two_nn(points),), "isn't N / Σ log µ"),
            ((lambda points: [two_nn(points)],), "one number"),
            ((lambda points: "three",), "not str"),
            ((partial(two_nn, once=False),), "copies are counted"),
            ((without_centres,), "still are neighbours"),
            ((all_counted,), "number of different points"),
            ((lambda points: two_nn(points) + 0.3 * (len(points) > 600),), "change nothing"),
        ],
        checks.check_two_nn,
    )


# ---- 3


def probe(train, train_values, test, test_values):
    return LinearRegression().fit(train, train_values).score(test, test_values)


def probe_by_numpy(train, train_values, test, test_values):
    train, test = (np.column_stack([codes, np.ones(len(codes))]) for codes in (train, test))
    said = test @ np.linalg.lstsq(train, train_values, rcond=None)[0]
    return 1 - np.mean((said - test_values) ** 2) / np.var(test_values)


def probe_by_scipy(train, train_values, test, test_values):
    middle, mean = train.mean(axis=0), train_values.mean()
    weights = scipy.linalg.pinv(train - middle) @ (train_values - mean)
    return torch.tensor(r2_score(test_values, (test - middle) @ weights + mean))


def test_probe_is_judged_on_the_test_part_with_an_intercept(capsys):
    for right in (probe, probe_by_numpy, probe_by_scipy):
        checks.check_probe(right)
    assert "and 0." in capsys.readouterr().out

    def said(train, train_values, test, test_values):
        return LinearRegression().fit(train, train_values).predict(test), test_values

    def scored(score):
        return lambda *parts: score(*said(*parts))

    def bare(train, train_values, test, test_values):
        line = LinearRegression(fit_intercept=False).fit(train, train_values)
        return line.score(test, test_values)

    def shrunk(train, train_values, test, test_values):
        return Ridge().fit(train, train_values).score(test, test_values)

    def both(train, train_values, test, test_values):
        codes, values = np.concatenate([train, test]), np.concatenate([train_values, test_values])
        return probe(codes, values, test, test_values)

    def own_means(train, train_values, test, test_values):
        centred = train - train.mean(axis=0), train_values, test - test.mean(axis=0), test_values
        return probe(*centred)

    def by_train(train, train_values, test, test_values):
        off = said(train, train_values, test, test_values)[0] - test_values
        return 1 - np.mean(off**2) / train_values.var()

    told_apart(
        [
            ((lambda a, b, c, d: probe(a, b, a, b),), "on the training part"),
            ((both,), "test part, too"),
            ((lambda a, b, c, d: probe(c, d, c, d),), "it was fitted on the test part."),
            ((lambda a, b, c, d: probe(c, d, a, b),), "swapped"),
            ((bare,), "no intercept"),
            ((scored(lambda x, y: pearsonr(x, y)[0]),), "correlation r"),
            ((scored(lambda x, y: pearsonr(x, y)[0] ** 2),), "r squared"),
            ((scored(lambda x, y: np.mean((x - y) ** 2) / y.var()),), "share that is left"),
            ((scored(lambda x, y: np.mean((x - y) ** 2)),), "mean squared error"),
            ((scored(lambda x, y: 1 - np.sum((x - y) ** 2) / (y @ y)),), "mean square,"),
            ((scored(lambda x, y: 1 - np.var(x - y) / y.var()),), "mean error was taken off"),
            ((by_train,), "variance of the training part"),
            ((own_means,), "their own mean"),
            ((shrunk,), "penalty"),
            ((lambda *parts: [probe(*parts)] * 2,), "shape"),
            ((lambda *parts: 0.5,), "isn't R² on the test part"),
        ],
        checks.check_probe,
    )


# ---- 4


def draw(codes, n, rng, root=None, mean=None):
    root = np.linalg.cholesky(np.cov(codes.T, bias=True)) if root is None else root(codes)
    mean = codes.mean(axis=0) if mean is None else mean
    return mean + rng.normal(size=(n, codes.shape[1])) @ root.T


def draw_by_numpy(codes, n, rng):
    return rng.multivariate_normal(codes.mean(axis=0), np.cov(codes, rowvar=False), n)


def draw_by_scipy(codes, n, rng):
    gaussian = multivariate_normal(codes.mean(axis=0), np.cov(codes.T), allow_singular=True)
    return gaussian.rvs(n, random_state=rng)


def draw_by_pca(codes, n, rng):
    pca = PCA(whiten=True).fit(codes)
    scores = rng.normal(size=(n, codes.shape[1])).astype(np.float32)
    return torch.from_numpy(pca.inverse_transform(scores))


def test_drawn_codes_have_the_mean_and_the_covariance_and_are_gaussian(capsys):
    for right in (draw, draw_by_numpy, draw_by_scipy, draw_by_pca):
        checks.check_drawn_codes(right)
    assert "largest variance" in capsys.readouterr().out

    def cov(codes):
        return np.cov(codes.T, bias=True)

    def flat(codes, n, rng):
        noise = rng.uniform(-(3**0.5), 3**0.5, size=(n, codes.shape[1]))
        return codes.mean(axis=0) + noise @ np.linalg.cholesky(cov(codes)).T

    def alike(codes, n, rng):
        return np.repeat(draw(codes, 1, rng), n, axis=0)

    told_apart(
        [
            ((partial(draw, mean=0),), "`codes` was forgotten"),
            ((partial(draw, mean=9),), "isn't that of `codes`"),
            ((partial(draw, root=lambda codes: np.eye(5)),), "the covariance was forgotten"),
            ((partial(draw, root=lambda c: np.diag(c.std(axis=0))),), "only the variances"),
            ((partial(draw, root=lambda c: np.diag(c.var(axis=0))),), "taken for a deviation"),
            ((partial(draw, root=cov),), "needs a root"),
            ((partial(draw, root=lambda c: np.linalg.cholesky(cov(c)).T),), "transposed"),
            (
                (partial(draw, root=lambda c: np.linalg.cholesky(np.corrcoef(c.T))),),
                "the variances are lost",
            ),
            ((partial(draw, root=lambda c: np.linalg.cholesky(400 * cov(c))),), "not divided"),
            (
                (partial(draw, root=lambda c: 2 * np.linalg.cholesky(cov(c))),),
                "covariance of the drawn",
            ),
            ((lambda codes, n, rng: draw(codes, n, rng).T,), "rows and columns are swapped"),
            ((lambda codes, n, rng: draw(codes, 20_000, rng),), "(7, 5)"),
            ((lambda codes, n, rng: rng.choice(codes, n),), "that there are"),
            ((lambda c, n, rng: draw(c, n, np.random.default_rng()),), "something else each time"),
            ((lambda c, n, rng: draw(c, n, np.random.default_rng(3)),), "draw the same"),
            ((flat,), "not from a Gaussian"),
            ((alike,), "all draws are alike"),
        ],
        checks.check_drawn_codes,
    )


# ---- 5


@pytest.fixture(scope="module")
def network():
    """Its codes have several directions, since its weights are those before any training."""
    return NETWORKS["shapes-corner-irmae-2"].untrained()


def own_images(fixed, seed=checks.OWN_SEED, square="corner", **drawn):
    rng = np.random.default_rng(seed)
    return shapes.draw_images(shapes.draw_factors(rng, 2100, fixed, **drawn), square)


def counted(network, images, power=1.0):
    return rank_above(code_spectrum(encode_images(network, images)) ** power, 0.01)


def test_own_images_are_judged_by_what_varies_in_them(network, capsys):
    row = {"kind": 1, "size": 6, "y": 16, "red": 0, "green": 0}
    for fixed, truth, as_array in (
        (row, 2, np.asarray),
        ({}, np.int64(7), torch.from_numpy),
        (shapes.DEGREES[4], 4.0, lambda images: images.astype(float)),
    ):
        images = own_images(fixed)
        count = counted(network, images[1600:])
        checks.check_own_images(fixed, truth, as_array(images), 9, count, network)
        told = capsys.readouterr().out
        assert f"truth {truth} and {int(truth)}, predicted 9, counted {count} and {count}" in told
        assert "error" in told
    images = own_images(row)
    count = counted(network, images[1600:])
    rest = 3, count, network
    dark = {"red": 0, "green": 0, "blue": 0}
    later = np.random.default_rng(checks.OWN_SEED)
    shapes.draw_factors(later, 2100)
    assert counted(network, images[1600:], 0.5) != count
    told_apart(
        [
            ((row, 2, own_images({}), *rest), "`fixed` wasn't used"),
            ((row, 2, own_images(row, square="centre"), *rest), "by their centre"),
            ((row, 2, 255 * images, *rest), "lie in [0, 1]"),
            ((row, 2, shapes.draw_images(shapes.draw_factors(later, 2100, row)), *rest), "others"),
            ((row, 2, own_images(row, seed=99), *rest), "when it is new"),
            ((row, 2, images.transpose(0, 2, 3, 1), *rest), "colours stand last"),
            ((row, 2, images[:1600], *rest), "shape"),
            (({"hue": 1}, 2, images, *rest), "no factor 'hue'"),
            ((["kind"], 2, images, *rest), "dictionary"),
            ((dark, 4, own_images(dark), *rest), "nothing varies"),
            ((row, 5, images, *rest), "factors are fixed"),
            ((row, 7, images, *rest), "fixed factors as well"),
            ((row, 2100, images, *rest), "number of images"),
            ((row, 3, images, *rest), "isn't the number of factors"),
            ((row, 2, images, 2.5, count, network), "predicted should be"),
            (
                (row, 2, images, 3, counted(network, images[1600:], 0.5), network),
                "not of the deviations",
            ),
            ((row, 2, images, 3, 31, network), "last 500 images"),
        ],
        checks.check_own_images,
    )


def test_a_factor_that_no_image_shows_does_not_count(network):
    """The chapter's truth is about images: the blue of black shapes is not seen, nor is a kind."""
    fixed = {"red": 0, "green": 0, "blue": 0, "x": 9}
    with pytest.raises(WrongAnswer, match="nothing varies"):
        checks.check_own_images(fixed, 3, own_images(fixed), 3, 3, network)
