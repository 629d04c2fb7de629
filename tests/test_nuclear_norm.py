"""Least nuclear norm against duality."""

import numpy as np
import pytest

from helpers.nuclear_norm import nuclear_norm_completion
from helpers.planted_matrices import sample_entries
from helpers.recovery import unseen_error
from tests.made_matrices import problem


@pytest.mark.parametrize(("rows", "columns", "seen"), [(12, 12, 80), (8, 10, 30), (3, 2, 4)])
def test_nuclear_norm_is_certified_least(rows, columns, seen):
    rng = np.random.default_rng(0)
    truth = 7 * rng.normal(size=(rows, 2)) @ rng.normal(size=(2, columns))
    observed = sample_entries(rng, truth, seen)
    found = nuclear_norm_completion(observed)
    norm, unseen = np.linalg.norm(found.product, "nuc"), np.isnan(observed)
    np.testing.assert_allclose(found.product[~unseen], observed[~unseen], atol=1e-4)
    assert (found.certificate[unseen] == 0).all()
    assert np.linalg.norm(found.certificate, 2) <= 1 + 1e-5
    assert np.nansum(found.certificate * observed) == pytest.approx(norm, rel=1e-5)
    # no completion on the way to any other is smaller
    for _ in range(10):
        other = found.product + np.where(unseen, rng.normal(size=observed.shape), 0)
        assert np.linalg.norm(other, "nuc") > norm


def test_nuclear_norm_recovers_the_planted_matrix_from_many_entries():
    truth, observed, _ = problem(n=20, seen=320)
    assert unseen_error(nuclear_norm_completion(observed).product, truth, observed) < 1e-3


def test_two_by_two_of_least_nuclear_norm_is_known():
    """[[x, 1], [1, 0]] has singular values of sum √(x² + 4): least at x = 0."""
    product = nuclear_norm_completion(np.array([[np.nan, 1], [1, 0]])).product
    np.testing.assert_allclose(product, [[0, 1], [1, 0]], atol=1e-3)


def test_solver_that_fails_is_named(monkeypatch):
    import cvxpy

    monkeypatch.setattr(cvxpy.Problem, "solve", lambda *_, **__: None)
    with pytest.raises(RuntimeError, match="not minimised: the solver says None"):
        nuclear_norm_completion(np.eye(2))


def test_import_leaves_the_solver_alone():
    import subprocess
    import sys

    code = "import sys, helpers.nuclear_norm; print('cvxpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda _: nuclear_norm_completion(np.full((2, 2), np.nan)), "nothing to fit"),
        (lambda _: nuclear_norm_completion(np.ones(3)), "matrix"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.random.default_rng(0))
