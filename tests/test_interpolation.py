import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from helpers.interpolation import linear_path, nearest_distances

VALUES = arrays(np.float32, (2, 3, 2), elements=st.floats(-1e3, 1e3, width=32))


@given(ends=VALUES)
def test_path_begins_and_ends_exactly_at_its_ends(ends):
    path = linear_path(*ends, np.linspace(0, 1, 5))
    assert path.shape == (5, 3, 2)
    assert path.dtype == np.float32
    np.testing.assert_array_equal(path[[0, -1]], ends)


@given(ends=VALUES, t=st.floats(-2, 3))
def test_path_is_straight(ends, t):
    start, end = ends.astype(float)
    np.testing.assert_allclose(
        linear_path(start, end, [t])[0], start + t * (end - start), atol=1e-9
    )


def test_path_needs_ends_of_one_shape():
    with pytest.raises(ValueError, match="different shapes"):
        linear_path(np.zeros(3), np.zeros(4), [0.5])
    with pytest.raises(ValueError, match=r"shape \(T,\)"):
        linear_path(np.zeros(3), np.zeros(3), 0.5)


@pytest.mark.parametrize("shift", [0, 300])
def test_distances_are_scipys(shift):
    rng = np.random.default_rng(0)
    points, reference = rng.random((30, 7)) + shift, rng.random((50, 7)) + shift
    found = nearest_distances(points, reference, block_rows=8)
    np.testing.assert_allclose(found, cdist(points, reference).min(axis=1))


def test_a_reference_point_has_distance_zero():
    reference = np.random.default_rng(0).random((500, 784)).astype(np.float32)
    assert (nearest_distances(reference[:40], reference) == 0).all()
    assert nearest_distances(reference[:0], reference).shape == (0,)


def test_distances_need_points_of_one_space():
    with pytest.raises(ValueError, match=r"got \(3,\), \(4, 3\)"):
        nearest_distances(np.zeros(3), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="has no points"):
        nearest_distances(np.zeros((2, 3)), np.zeros((0, 3)))
