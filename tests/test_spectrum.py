import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.spectrum import (
    components_for_share,
    cumulative_shares,
    edges,
    effective_rank,
    rank_above,
    relative,
    summarise_spectrum,
)

SPECTRA = arrays(float, st.integers(1, 30), elements=st.floats(1e-6, 1e6)).map(
    lambda values: np.sort(values)[::-1]
)


@given(SPECTRA)
def test_effective_rank_is_the_exponential_of_scipys_entropy(values):
    assert effective_rank(values) == pytest.approx(np.exp(scipy.stats.entropy(values)))
    assert 1 - 1e-9 <= effective_rank(values) <= len(values) * (1 + 1e-9)


@given(st.integers(1, 20), st.integers(0, 20), st.floats(1e-3, 1e3))
def test_equal_values_count_each_and_zeros_count_nothing(equal, zeros, level):
    values = np.r_[np.full(equal, level), np.zeros(zeros)]
    assert effective_rank(values) == pytest.approx(equal)
    assert rank_above(values, 0.01) == equal
    assert components_for_share(values, 1) >= equal


@given(SPECTRA, st.floats(0.01, 1))
def test_components_reach_the_share_and_one_less_does_not(values, share):
    k = components_for_share(values, share)
    assert values[:k].sum() >= (share - 1e-9) * values.sum()
    assert values[: k - 1].sum() < (share + 1e-9) * values.sum()


def test_rounding_does_not_ask_for_one_more():
    for n in range(1, 40):
        for m in range(1, n + 1):
            assert components_for_share(np.full(n, 0.1), m / n) == m


def test_relative_values_are_shares_of_the_largest():
    assert relative([4, 2, 1]).tolist() == [1, 0.5, 0.25]


def test_numbers_worked_out_by_hand():
    values = [8, 4, 2, 1, 1]
    assert [components_for_share(values, s) for s in (0.5, 0.75, 0.8, 1)] == [1, 2, 3, 5]
    assert [rank_above(values, t) for t in (0, 0.2, 0.5, 0.9)] == [5, 3, 1, 1]
    assert effective_rank([1, 1, 0]) == pytest.approx(2)


@pytest.mark.parametrize("function", [effective_rank, lambda v: rank_above(v, 0.1)])
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], r"got \(0,\)"),
        ([[1, 2]], r"got \(1, 2\)"),
        ([1, -2], "≥ 0, got -2"),
        ([1, np.nan], "finite"),
        ([0, 0], "all values of the spectrum are zero"),
    ],
)
def test_bad_spectra_are_named(function, values, words):
    with pytest.raises(ValueError, match=words):
        function(values)


def test_bad_shares_and_thresholds_are_named():
    with pytest.raises(ValueError, match="share must lie in"):
        components_for_share([1, 1], 95)
    with pytest.raises(ValueError, match="must fall"):
        components_for_share([1, 2], 0.5)
    with pytest.raises(ValueError, match="threshold must lie in"):
        rank_above([1, 1], 1)


def test_cumulative_shares_are_those_of_the_cut_off_sums():
    values = np.array([5.0, 3.0, 2.0])
    np.testing.assert_allclose(cumulative_shares(values), [0.5, 0.8, 1.0])
    with pytest.raises(ValueError, match="finite values"):
        cumulative_shares(np.array([1.0, -1.0]))


def test_edges_stand_where_a_value_is_many_times_the_next():
    assert edges([100, 21, 20, 3, 0.005, 0]) == [
        3,
        4,
    ]  # 100 / 21 < 5; below the floor none is sought
    assert edges([100, 21, 20, 3, 0.005, 0], fall=4) == [1, 3, 4]
    assert edges([1, 0]) == [1]
    assert edges([1.0]) == edges([3, 3, 3]) == []


@given(SPECTRA, st.floats(1e-3, 1e3))
def test_edges_know_no_unit(values, factor):
    falls = values[:-1] / values[1:]
    if (abs(falls - 5) > 1e-9).all() and (abs(values / values[0] - 1e-4) > 1e-12).all():
        assert edges(values) == edges(factor * values)


def test_summary_is_of_shares_of_the_largest():
    values = 50 * np.array([1, 0.5, 0.4, 0.3, 0.2, 0.02, 0.005, 0.0005, 0.0001])
    found = summarise_spectrum(values)
    assert found["index 4"] == pytest.approx(0.2)
    assert found["index 7"] == pytest.approx(0.0005)
    assert (found["above 1 %"], found["above 0.1 %"]) == (6, 7)
    assert found["effective rank"] == effective_rank(values)
    assert found["edges after"] == "5, 7"
    assert summarise_spectrum(np.linspace(2, 1, 8))["edges after"] is None
    with pytest.raises(ValueError, match="at least 8 values, got 7"):
        summarise_spectrum(values[:7])
