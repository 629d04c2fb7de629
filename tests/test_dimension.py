"""Local ranks and two-NN."""

import numpy as np
import pytest
import skdim

from helpers.dimension import local_ranks, nearest_ratios


def rng(seed=0):
    return np.random.default_rng(seed)


def plane(count=600, dimensions=3):
    """Points of a flat piece of 3 dimensions, in 8."""
    axes = np.linalg.qr(rng(1).normal(size=(8, dimensions)))[0]
    return rng().uniform(-1, 1, (count, dimensions)) @ axes.T


def test_a_flat_piece_has_its_rank_everywhere():
    found = local_ranks(plane(), (2, 3, 20, 600), 50, rng())
    np.testing.assert_allclose(found, [1, 2, 3, 3], atol=0.15)


def test_a_curve_has_rank_one_only_where_one_looks_closely():
    t = np.linspace(0, 2 * np.pi, 2_000, endpoint=False)
    circle = np.column_stack([np.cos(t), np.sin(t), np.zeros(2_000)])
    close, far = local_ranks(circle, (5, 2_000), 40, rng())
    assert (close, far) == (1, 2)


def test_what_does_not_fit_has_no_rank_and_copies_count_once():
    points = np.repeat(plane(10), 7, axis=0)
    found = local_ranks(points, (4, 11), 5, rng())
    assert found[0] >= 1
    assert np.isnan(found[1])
    assert np.isnan(local_ranks(points, (11, 12), 5, rng())).all()


def test_a_neighbourhood_of_one_point_is_refused():
    with pytest.raises(ValueError, match="at least 2 points, got 1"):
        local_ranks(plane(), (1, 5), 5, rng())


@pytest.mark.parametrize("dimensions", [1, 3, 6])
def test_ratios_tell_the_dimension_as_the_library_does(dimensions):
    points = plane(3_000, dimensions)
    ratios = nearest_ratios(points)
    assert ratios.min() >= 1
    maximum_likelihood = len(ratios) / np.log(ratios).sum()
    assert maximum_likelihood == pytest.approx(dimensions, rel=0.1)
    library = skdim.id.TwoNN().fit_transform(points)
    assert maximum_likelihood == pytest.approx(library, rel=0.07)


def test_ratios_need_three_different_points():
    with pytest.raises(ValueError, match="at least 3 different points, got 2"):
        nearest_ratios(np.repeat(np.eye(2), 5, axis=0))
