"""Linear probes."""

import numpy as np
import pytest

from helpers.probes import probe_scores

rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(400, 5))


def test_what_is_linear_is_read_whole_and_what_is_not_there_not_at_all():
    factors = {
        "linear": 3 * INPUTS[:, 0] - INPUTS[:, 4] + 7,
        "square": INPUTS[:, 0] ** 2,
        "noise": rng.normal(size=400),
    }
    scores = probe_scores(INPUTS, factors, 300)
    assert scores["linear"] == pytest.approx(1, abs=1e-6)
    assert scores["square"] < 0.1
    assert -0.2 < scores["noise"] < 0.05


def test_the_score_is_that_of_least_squares_on_samples_left_out():
    values = INPUTS @ rng.normal(size=5) + rng.normal(size=400)
    design = np.column_stack([INPUTS, np.ones(400)])
    weights = np.linalg.lstsq(design[:300], values[:300], rcond=None)[0]
    left = values[300:] - design[300:] @ weights
    wanted = 1 - (left**2).sum() / ((values[300:] - values[300:].mean()) ** 2).sum()
    assert probe_scores(INPUTS, {"y": values}, 300)["y"] == pytest.approx(wanted, abs=0.01)


def test_more_numbers_than_samples_do_not_mislead():
    """Pixels that are always black, and others that say the same twice."""
    few = rng.normal(size=(60, 3))
    wide = np.column_stack([few @ rng.normal(size=(3, 200)), np.zeros((60, 50))])
    assert probe_scores(wide, {"y": few[:, 0]}, 40)["y"] > 0.99


@pytest.mark.parametrize("train", [1, 399, -3])
def test_each_side_needs_two_samples(train):
    with pytest.raises(ValueError, match=f"train must be from 2 to 398, got {train}"):
        probe_scores(INPUTS, {"y": INPUTS[:, 0]}, train)


def test_a_factor_of_another_length_is_named():
    with pytest.raises(ValueError, match=r"size must have shape \(400,\), got \(3,\)"):
        probe_scores(INPUTS, {"size": np.ones(3)}, 300)
