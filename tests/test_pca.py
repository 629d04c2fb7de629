"""PCA against NumPy, scikit-learn and the identities that define it."""

import tracemalloc

import numpy as np
import pytest
import sklearn.decomposition
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers import pca as pca_module
from helpers.pca import (
    compression_table,
    covariance,
    error_curve,
    fix_signs,
    pca_from_covariance,
    pca_from_svd,
    project,
    reconstruct,
    variances_along,
)

# 17 points on three lines of slope 1, the example that chapter 1 works by hand
POINTS = np.array([(x, x + d) for d in (1, 0, -1) for x in range(-2 - (d == 1), 3 + (d == -1))])
METHODS = pytest.mark.parametrize("fit", [pca_from_covariance, pca_from_svd])


def tall_and_wide(dtype=np.float64):
    """Arrays of 2–30 samples and 1–8 features, of moderate size."""
    shapes = st.tuples(st.integers(2, 30), st.integers(1, 8))
    width = np.dtype(dtype).itemsize * 8
    return shapes.flatmap(lambda s: arrays(dtype, s, elements=st.floats(-100, 100, width=width)))


def random_data(samples=200, features=12, seed=0):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(features, features))
    return rng.normal(size=(samples, features)) @ mixing + rng.normal(size=features)


@METHODS
def test_worked_example(fit):
    pca = fit(POINTS)
    np.testing.assert_allclose(pca.explained_variance, [90 / 17, 6 / 17], rtol=1e-12)
    np.testing.assert_allclose(pca.components, [[0.5**0.5, 0.5**0.5], [0.5**0.5, -(0.5**0.5)]])
    assert pca.total_variance == pytest.approx(96 / 17)


def test_covariance_is_numpys_with_divisor_n():
    data = random_data()
    np.testing.assert_allclose(covariance(data), np.cov(data.T, bias=True), rtol=1e-10)


@METHODS
def test_agrees_with_scikit_learn(fit):
    data = random_data()
    ours, theirs = fit(data, 5), sklearn.decomposition.PCA(5).fit(data)
    to_n = (len(data) - 1) / len(data)
    np.testing.assert_allclose(ours.mean, theirs.mean_)
    np.testing.assert_allclose(ours.explained_variance, theirs.explained_variance_ * to_n)
    np.testing.assert_allclose(ours.explained_variance_ratio, theirs.explained_variance_ratio_)
    signs = np.sign(np.sum(ours.components * theirs.components_, axis=1))[:, None]
    np.testing.assert_allclose(ours.components, theirs.components_ * signs, atol=1e-10)
    np.testing.assert_allclose(project(ours, data), theirs.transform(data) * signs.T, atol=1e-9)
    np.testing.assert_allclose(
        reconstruct(ours, project(ours, data)),
        theirs.inverse_transform(theirs.transform(data)),
        atol=1e-9,
    )


@METHODS
@given(data=tall_and_wide())
def test_components_are_orthonormal_and_keep_the_variance(fit, data):
    pca = fit(data)
    k = min(data.shape)
    assert pca.components.shape == (k, data.shape[1])
    np.testing.assert_allclose(pca.components @ pca.components.T, np.eye(k), atol=1e-8)
    assert (np.diff(pca.explained_variance) <= 1e-9 * (1 + pca.total_variance)).all()
    assert (pca.explained_variance >= 0).all()
    total = data.var(axis=0).sum()
    assert pca.total_variance == pytest.approx(total, rel=1e-9, abs=1e-9)
    assert pca.explained_variance.sum() == pytest.approx(total, rel=1e-8, abs=1e-8)


@METHODS
@given(data=tall_and_wide())
def test_training_error_is_the_variance_left_out(fit, data):
    pca = fit(data)
    curve = error_curve(pca, data)
    left = pca.total_variance - np.concatenate([[0], np.cumsum(pca.explained_variance)])
    np.testing.assert_allclose(curve, left.clip(0) / data.shape[1], atol=1e-7)
    for k in {0, 1, min(data.shape)}:
        rebuilt = reconstruct(pca, project(pca, data)[:, :k])
        assert np.mean((rebuilt - data) ** 2) == pytest.approx(curve[k], abs=1e-7)


@given(data=tall_and_wide(), shift=st.floats(-1e4, 1e4))
def test_shift_moves_the_mean_and_nothing_else(data, shift):
    before, after = pca_from_covariance(data), pca_from_covariance(data + shift)
    np.testing.assert_allclose(after.mean, before.mean + shift, atol=1e-8)
    np.testing.assert_allclose(after.explained_variance, before.explained_variance, atol=1e-6)


@given(data=tall_and_wide(), seed=st.integers(0, 99))
def test_rotation_turns_the_components_and_keeps_the_variances(data, seed):
    features = data.shape[1]
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(features, features)))
    before, after = pca_from_covariance(data), pca_from_covariance(data @ rotation)
    scale = 1 + before.total_variance
    np.testing.assert_allclose(
        after.explained_variance, before.explained_variance, atol=1e-9 * scale
    )
    # compared as covariances: eigenvectors of equal eigenvalues are not unique
    rebuilt = [p.components.T * p.explained_variance @ p.components for p in (before, after)]
    np.testing.assert_allclose(rotation.T @ rebuilt[0] @ rotation, rebuilt[1], atol=1e-8 * scale)


@METHODS
@given(data=tall_and_wide(np.float32))
def test_single_precision_stays_single_and_close(fit, data):
    single, double = fit(data), fit(data.astype(np.float64))
    assert single.components.dtype == single.mean.dtype == np.float32
    scale = 1e-5 * (np.abs(data).max() ** 2 + 1) * data.shape[1]
    np.testing.assert_allclose(single.explained_variance, double.explained_variance, atol=scale)


def test_single_precision_far_from_the_origin():
    """Σ = mean of xxᵀ − mmᵀ, taken literally, would lose everything here."""
    data = (random_data(5000) + 10_000).astype(np.float32)
    exact = np.cov(data.T.astype(np.float64), bias=True)
    np.testing.assert_allclose(covariance(data), exact, atol=1e-4 * np.abs(exact).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_features_of_very_different_scale(dtype):
    rng = np.random.default_rng(0)
    scale = 1e4 if dtype == np.float32 else 1e8
    columns = [
        scale * rng.normal(size=5000),
        3 * scale + rng.normal(size=5000),
        rng.normal(size=5000),
    ]
    data = np.column_stack(columns).astype(dtype)
    exact = np.var(data.astype(np.longdouble), axis=0)
    np.testing.assert_allclose(np.diag(covariance(data)), exact.astype(float), rtol=1e-3)


def test_blocks_of_rows_make_no_difference(monkeypatch):
    data = random_data(100)
    whole = covariance(data)
    monkeypatch.setattr(pca_module, "BLOCK_ROWS", 7)
    np.testing.assert_allclose(covariance(data), whole, rtol=1e-9)
    np.testing.assert_allclose(covariance(data + 1e3), whole, rtol=1e-8)


def test_one_pass_makes_no_copy_of_the_data():
    data = random_data(100_000).astype(np.float32)
    tracemalloc.start()
    pca_from_covariance(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < data.nbytes / 2


@METHODS
def test_fewer_samples_than_features_and_constant_features(fit):
    data = np.hstack([random_data(5, 8), np.full((5, 3), 7.0)])
    pca = fit(data)
    assert pca.components.shape == (5, 11)
    np.testing.assert_allclose(pca.explained_variance[4], 0, atol=1e-12)  # N points span N − 1
    np.testing.assert_allclose(reconstruct(pca, project(pca, data)), data, atol=1e-9)
    for value in (2.0, 0.1):
        constant = fit(np.full((1000, 3), value))
        assert constant.total_variance == 0
        assert constant.explained_variance_ratio.tolist() == [0, 0, 0]


def test_of_a_direction_and_its_opposite_the_larger_entry_is_positive():
    for fit in (pca_from_covariance, pca_from_svd):
        components = fit(random_data()).components
        largest = np.abs(components).argmax(axis=1)
        assert (components[np.arange(len(components)), largest] > 0).all()


def test_ties_of_the_sign_rule_go_to_the_first_entry_whatever_rounding_says():
    half = 0.5**0.5
    directions = np.array([[half, -half * (1 + 1e-12)], [-half, half], [-3.0, 2.0]])
    np.testing.assert_allclose(fix_signs(directions), [[half, -half], [half, -half], [3, -2]])


def test_compression_table_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    train, test = rng.choice([0.0, 1.0], (2, 300, 9))
    table = compression_table(pca_from_covariance(train), test, [0, 1, 2])
    assert table["k"] == [0, 1, 2]
    for i in (1, 2):
        library = sklearn.decomposition.PCA(i).fit(train)
        rebuilt = library.inverse_transform(library.transform(test))
        assert table["explained"][i] == pytest.approx(library.explained_variance_ratio_.sum())
        assert table["error"][i] == pytest.approx(np.mean((rebuilt - test) ** 2))
        assert table["clipped"][i] == pytest.approx(np.mean((rebuilt.clip(0, 1) - test) ** 2))
    assert table["explained"][0] == 0
    assert table["left_out"][0] == pytest.approx(train.var(axis=0).mean())
    assert table["error"][0] == pytest.approx(np.mean((test - train.mean(axis=0)) ** 2))


def test_clipping_never_makes_a_reconstruction_of_values_in_the_unit_interval_worse():
    data = np.random.default_rng(0).choice([0.0, 1.0], (100, 6))
    table = compression_table(pca_from_covariance(data[:50]), data[50:], range(6))
    assert all(c <= e for c, e in zip(table["clipped"], table["error"], strict=True))
    assert table["clipped"][3] < table["error"][3]


@METHODS
@pytest.mark.parametrize(
    ("data", "k", "error", "words"),
    [
        (np.ones(3), None, ValueError, r"shape \(N, D\).*got \(3,\)"),
        (np.ones((2, 3, 4)), None, ValueError, "flattened"),
        (np.ones((1, 3)), None, ValueError, "at least 2 samples"),
        (np.ones((3, 0)), None, ValueError, "1 feature"),
        (np.ones((0, 3)), None, ValueError, "at least 2 samples"),
        ([["a", "b"], ["c", "d"]], None, TypeError, "real numbers"),
        (np.ones((3, 2), dtype=complex), None, TypeError, "complex"),
        (np.array([[1, None], [2, 3]]), None, TypeError, "object"),
        ([[1, 2], [np.nan, 3]], None, ValueError, "1 NaN .* row 1, column 0"),
        ([[1, np.inf], [2, 3]], None, ValueError, "1 NaN or infinite .* row 0, column 1"),
        (np.eye(4), 5, ValueError, r"between 1 and min\(N, D\) = 4, got 5"),
        (np.eye(4), 0, ValueError, "got 0"),
        (np.eye(4), 2.0, TypeError, "k must be an integer, got 2.0"),
        (np.eye(4), True, TypeError, "k must be an integer"),
    ],
)
def test_bad_input_is_named(fit, data, k, error, words):
    with pytest.raises(error, match=words):
        fit(data, k)


@METHODS
@pytest.mark.parametrize(("dtype", "large"), [(np.float32, 3e38), (np.float64, 1e200)])
def test_numbers_too_large_for_their_precision_are_named(fit, dtype, large):
    with pytest.raises(ValueError, match=f"overflow {np.dtype(dtype)}"):
        fit(np.array([[large, 0], [-large, 1], [large, 1]], dtype=dtype))


def test_numbers_of_components_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"between 0 and 2, got \[-1, 3\]"):
        compression_table(pca_from_covariance(POINTS), POINTS, [-1, 1, 3])


def test_projection_and_reconstruction_check_their_shapes():
    pca = pca_from_covariance(POINTS)
    with pytest.raises(ValueError, match="3 features, the PCA has 2"):
        project(pca, np.ones((4, 3)))
    with pytest.raises(ValueError, match="row 0, column 1"):
        project(pca, np.array([[0, np.nan]]))
    with pytest.raises(ValueError, match="k at most 2"):
        reconstruct(pca, np.ones((4, 3)))
    assert project(pca, POINTS[:1]).shape == (1, 2)
    assert reconstruct(pca, [[0.0, 0.0]]).tolist() == [[0, 0]]


def test_integers_are_taken_as_they_are():
    images = np.random.default_rng(0).integers(0, 256, (50, 9), dtype=np.uint8)
    np.testing.assert_allclose(covariance(images), np.cov(images.T, bias=True))


def test_variances_along_directions_are_quadratic_forms_of_the_covariance():
    data = np.random.default_rng(0).normal(size=(50, 3)) @ np.diag([3.0, 2.0, 1.0])
    directions, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    found = variances_along(data, directions)
    np.testing.assert_allclose(found, np.diag(directions.T @ covariance(data) @ directions))
    assert variances_along(data, directions[:, 0]) == pytest.approx(found[0])
    assert found.sum() == pytest.approx(np.trace(covariance(data)))
