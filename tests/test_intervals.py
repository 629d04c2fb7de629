"""Means and their intervals."""

import numpy as np
import pytest
from scipy.stats import norm, sem

from helpers.intervals import mean_interval


def test_mean_and_interval_are_scipys():
    values = np.random.default_rng(0).normal(size=(400, 3))
    mean, low, high = mean_interval(values)
    np.testing.assert_allclose(mean, values.mean(axis=0))
    wanted = norm.interval(0.95, loc=mean, scale=sem(values, axis=0))
    np.testing.assert_allclose((low, high), wanted, atol=1e-5)


def test_an_interval_needs_two_samples():
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        mean_interval(np.ones((1, 4)))
