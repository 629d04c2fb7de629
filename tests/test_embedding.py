"""Measures of a map against scikit-learn, identities and cases made by hand."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.manifold import TSNE
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from helpers.embedding import (
    class_means,
    class_overlap,
    distance_correlation,
    faithfulness,
    faithfulness_by_chance,
    kl_divergence,
    knn_correct,
    knn_overlap,
    map_similarities,
    neighbours,
    similarities,
    tsne,
)

RNG = np.random.default_rng(0)
CENTRES = 10 * np.eye(5)[:, :4]
LABELS = np.arange(100) % 5
POINTS = CENTRES[LABELS] + RNG.normal(size=(100, 4))


def turned(points):
    """The same points, turned, shifted, and scaled: every neighbour stays one."""
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(points.shape[1],) * 2))[0]
    return 2.5 * points @ turn + 7


def test_a_copy_keeps_everything():
    kept = faithfulness(POINTS, turned(POINTS), LABELS)
    assert kept.pop("accuracy") == 1
    assert kept == {name: pytest.approx(1) for name in ("KNN", "KNC", "CPD", "trustworthiness")}


def test_a_map_without_relation_keeps_what_chance_gives():
    chance = np.mean(
        [knn_overlap(POINTS, np.random.default_rng(i).random((100, 2))) for i in range(20)]
    )
    assert chance == pytest.approx(10 / 99, abs=0.02)
    assert abs(distance_correlation(POINTS, RNG.random((100, 2)))) < 0.1


def test_overlap_of_a_case_made_by_hand():
    line = np.array([[0.0], [1], [3], [7]])  # nearest: 1, 0, 1, 2
    other = np.array([[0.0], [1], [7], [3]])  # nearest: 1, 0, 3, 1
    assert neighbours(line, 1).ravel().tolist() == [1, 0, 1, 2]
    assert neighbours(other, 1).ravel().tolist() == [1, 0, 3, 1]
    assert knn_overlap(line, other, k=1) == 0.5


def test_class_overlap_looks_at_means_alone():
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    means = np.array([[0.0], [1], [3], [7]])
    spread = np.repeat(means, 2, axis=0) + np.tile([[-0.4], [0.4]], (4, 1))
    np.testing.assert_allclose(class_means(spread, labels), means)
    moved = np.repeat([[0.0], [1], [7], [3]], 2, axis=0)
    assert class_overlap(spread, moved, labels, k=1) == 0.5


def test_distance_correlation_sees_order_only():
    line = np.array([[0.0], [1], [3], [7]])
    assert distance_correlation(line, np.array([[0.0], [1], [3], [70]])) == pytest.approx(1)
    # distances 1 3 7 2 6 4 and 7 3 1 4 6 2
    expected = spearmanr([1, 3, 7, 2, 6, 4], [4, 6, 7, 2, 3, 1]).statistic
    assert distance_correlation(line, np.array([[0.0], [4], [6], [7]])) == pytest.approx(expected)


def test_accuracy_is_leaving_one_out():
    noisy = POINTS[:, :2]
    folds = cross_val_score(KNeighborsClassifier(7), noisy, LABELS, cv=LeaveOneOut())
    assert knn_correct(noisy, LABELS, k=7).mean() == pytest.approx(folds.mean())
    assert 0.2 < folds.mean() < 0.95


def test_accuracy_takes_labels_as_they_are():
    assert knn_correct(POINTS, LABELS).all()
    assert knn_correct(POINTS, LABELS * 3 + 4).all()


def test_chance_keeps_nothing_but_what_few_classes_share():
    chance = faithfulness_by_chance(POINTS, LABELS, np.random.default_rng(0), maps=20)
    assert chance["KNN"] == pytest.approx(10 / 99, abs=0.02)
    assert chance["KNC"] == 1  # 4 nearest of 4 other classes
    assert chance["CPD"] == pytest.approx(0, abs=0.05)
    assert chance["trustworthiness"] == pytest.approx(0.5, abs=0.05)
    assert chance["accuracy"] == pytest.approx(0.2, abs=0.08)


@pytest.mark.parametrize("perplexity", [5, 30])
def test_similarities_have_the_perplexity_asked_for(perplexity):
    p = similarities(POINTS, perplexity)
    assert p.sum() == pytest.approx(1)
    assert not np.diag(p).any()
    np.testing.assert_allclose(p, p.T)
    even = np.repeat([[0.0], [1e6]], 20, axis=0) + RNG.normal(size=(40, 3)) * 1e-9
    assert similarities(even, 19)[0, 1:20] == pytest.approx(np.full(19, 1 / 40 / 19), rel=1e-3)


def test_loss_is_the_one_that_scikit_learn_reports():
    solver = TSNE(perplexity=20, method="exact", max_iter=300, random_state=0, init="random")
    mapped = solver.fit_transform(POINTS)
    ours = kl_divergence(similarities(POINTS, 20), map_similarities(mapped))
    assert ours == pytest.approx(solver.kl_divergence_, rel=0.02)  # reported a step earlier
    assert kl_divergence(map_similarities(mapped), map_similarities(mapped)) == 0


@pytest.mark.parametrize("init", ["pca", "random"])
def test_tsne_keeps_clusters_and_repeats_itself(init):
    mapped = tsne(POINTS, perplexity=10, init=init, seed=1)
    assert mapped.shape == (100, 2)
    assert knn_correct(mapped, LABELS).all()
    np.testing.assert_array_equal(mapped, tsne(POINTS, perplexity=10, init=init, seed=1))


def test_tsne_from_principal_components_keeps_the_layout_that_chance_loses():
    shifts = np.array([[0, 0, 0, 0], [60, 0, 0, 0], [200, 0, 0, 0]])
    far = np.concatenate([POINTS + shift for shift in shifts])
    which = np.repeat([0, 1, 2], 100)
    mapped = tsne(far, perplexity=20)
    means = class_means(mapped, which)
    gaps = np.linalg.norm(np.diff(means, axis=0), axis=1)
    assert np.linalg.norm(means[2] - means[0]) > gaps.max()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"init": "spectral"}, "'pca' or 'random', got 'spectral'"),
        ({"perplexity": 100}, r"perplexity must lie in \[1, N = 100\), got 100"),
        ({"perplexity": 0.5}, "got 0.5"),
    ],
)
def test_tsne_names_what_is_wrong(options, words):
    with pytest.raises(ValueError, match=words):
        tsne(POINTS, **options)


def test_too_many_neighbours_are_refused():
    with pytest.raises(ValueError, match="between 1 and N − 1 = 99, got 100"):
        knn_overlap(POINTS, POINTS, k=100)
