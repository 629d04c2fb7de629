"""What users bring as numbers: right in every form, or refused in words; never another number."""

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.arrays import as_numbers, as_points
from helpers.autoencoder import to_tensor
from helpers.embedding import knn_overlap, tsne
from helpers.interpolation import linear_path, nearest_distances
from helpers.intervals import mean_interval
from helpers.pca import covariance, pca_from_covariance, pca_from_svd
from helpers.shapes import check_images
from helpers.spectrum import cumulative_shares, effective_rank, relative

WHOLE = np.arange(12).reshape(4, 3) % 5
FORMS = {
    "list": WHOLE.tolist(),
    "tuple": tuple(map(tuple, WHOLE.tolist())),
    "bytes": WHOLE.astype(np.uint8),
    "int16": WHOLE.astype(np.int16),
    "half": WHOLE.astype(np.float16),
    "float32": WHOLE.astype(np.float32),
    "big-endian": WHOLE.astype(">f8"),
    "tensor": torch.tensor(WHOLE),
    "unmasked": np.ma.array(WHOLE, mask=False),
    "strided": np.repeat(WHOLE, 2, axis=1)[:, ::2],
    "columns first": np.asfortranarray(WHOLE),
}
ENTRANCES = {  # every public function that takes points or images, by what it calls them
    "data": covariance,
    "data ": pca_from_covariance,
    "data  ": pca_from_svd,
    "points": lambda x: nearest_distances(x, np.ones((2, 3))),
    "reference": lambda x: nearest_distances(np.ones((2, 3)), x),
    "start": lambda x: linear_path(x, np.ones((4, 3)), np.array([0.5])),
    "points ": lambda x: tsne(x, perplexity=1),
    "original": lambda x: knn_overlap(x, np.ones((4, 2)), k=1),
    "mapped": lambda x: knn_overlap(np.eye(4), x, k=1),
    "values": mean_interval,
    "values ": relative,
    "a spectrum": effective_rank,
    "a spectrum ": cumulative_shares,
    "images": to_tensor,
    "images ": check_images,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_numbers(form):
    array = as_numbers("x", FORMS[form])
    assert type(array) is np.ndarray
    assert array.dtype in (np.float32, np.float64)
    np.testing.assert_array_equal(array, WHOLE)
    np.testing.assert_allclose(covariance(FORMS[form]), covariance(WHOLE.astype(float)), rtol=1e-6)
    reference = np.ones((2, 3))
    np.testing.assert_allclose(
        nearest_distances(FORMS[form], reference),
        np.linalg.norm(WHOLE - reference[0], axis=1),
    )


def test_floats_are_not_copied():
    for dtype in (np.float32, np.float64):
        array = np.ones((3, 2), dtype)
        assert as_numbers("x", array) is array


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ma.array(WHOLE, mask=WHOLE == 3), "masked"),
        (scipy.sparse.csr_matrix(WHOLE), "sparse"),
        (WHOLE.astype(object), "real numbers"),
        (WHOLE.astype(str), "real numbers"),
        (WHOLE + 1j, "real numbers"),
        ([[1, 2, 3], [4, 5]], "rows of one length"),
        (None, "real numbers"),
    ],
    ids=["masked", "sparse", "object", "text", "complex", "ragged", "None"],
)
def test_what_is_no_plain_array_of_numbers_is_refused_by_name(entrance, values, words):
    with pytest.raises((TypeError, ValueError), match=words) as caught:
        ENTRANCES[entrance](values)
    assert str(caught.value).startswith(entrance.strip())


def test_places_of_what_is_not_finite_are_named():
    values = np.ones((3, 2))
    values[1, 0] = np.nan
    with pytest.raises(ValueError, match=r"x must be finite, got 1 NaN or .* at \(1, 0\)"):
        as_numbers("x", values, finite=True)


@pytest.mark.parametrize("shape", [(3,), (0, 2), (2, 0), (1, 2, 3)])
def test_points_have_their_shape(shape):
    with pytest.raises(ValueError, match=r"points must have shape \(N, D\).* N ≥ 1"):
        as_points("points", np.ones(shape))


@given(
    seed=st.integers(0, 100),
    shift=st.sampled_from([0, 1e4, 1e5, 1e7]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_distances_far_from_the_origin_are_those_of_the_numbers_given(seed, shift, dtype):
    rng = np.random.default_rng(seed)
    points, reference = ((rng.normal(size=(n, 4)) + shift).astype(dtype) for n in (6, 30))
    exact = np.linalg.norm(points[:, None].astype(float) - reference.astype(float), axis=2)
    np.testing.assert_allclose(nearest_distances(points, reference), exact.min(axis=1), rtol=1e-9)


@given(seed=st.integers(0, 100), dtype=st.sampled_from([np.uint8, np.int8, np.uint16, np.int32]))
def test_distances_of_whole_numbers_do_not_wrap(seed, dtype):
    rng = np.random.default_rng(seed)
    most = min(np.iinfo(dtype).max, 60_000)
    points, reference = (rng.integers(0, most, (n, 3)).astype(dtype) for n in (5, 8))
    exact = np.linalg.norm(points[:, None].astype(float) - reference.astype(float), axis=2)
    np.testing.assert_allclose(nearest_distances(points, reference), exact.min(axis=1))


@pytest.mark.parametrize("init", ["pca", "random"])
@pytest.mark.parametrize("count", [5, 50])
def test_maps_of_equal_points_are_an_error_and_end_no_process(init, count):
    with pytest.raises(ValueError, match=f"all {count} points are the same"):
        tsne(np.full((count, 3), 7.0), perplexity=2, init=init)


def test_maps_do_not_depend_on_where_the_points_lie():
    points = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    far = points.astype(np.float64) + 1e6
    assert knn_overlap(tsne(points, perplexity=5), tsne(far, perplexity=5), k=5) > 0.9
