"""Planted matrices: their rank, their size, and what is hidden of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.planted_matrices import planted_matrix, sample_entries, seen_entries

seeds = st.integers(0, 99)


@given(seed=seeds, n=st.integers(1, 12), data=st.data())
def test_planted_matrix_has_its_rank_and_unit_entries(seed, n, data):
    rank = data.draw(st.integers(1, n))
    matrix = planted_matrix(np.random.default_rng(seed), n, rank)
    assert np.mean(matrix**2) == pytest.approx(1)
    assert np.linalg.matrix_rank(matrix) == rank


@given(seed=seeds, seen=st.integers(1, 20))
def test_hiding_leaves_so_many_entries_as_they_are(seed, seen):
    matrix = np.arange(20.0).reshape(4, 5)
    observed = sample_entries(np.random.default_rng(seed), matrix, seen)
    assert np.sum(~np.isnan(observed)) == seen
    kept = ~np.isnan(observed)
    assert (observed[kept] == matrix[kept]).all()
    np.testing.assert_array_equal(seen_entries(observed + 1), kept)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda rng: planted_matrix(rng, 3, 4), "between 1 and n = 3, got 4"),
        (lambda rng: planted_matrix(rng, 3, 0), "got 0"),
        (lambda rng: sample_entries(rng, np.eye(2), 5), "between 1 and 4, got 5"),
        (lambda rng: sample_entries(rng, np.eye(2), 0), "got 0"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.random.default_rng(0))
