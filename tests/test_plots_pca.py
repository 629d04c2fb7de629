"""Figure functions over the values that their sliders take."""

import numpy as np
import pytest

from helpers.pca import error_curve, pca_from_covariance
from helpers.plots.pca import plot_components, plot_reconstructions
from helpers.plots.style import to_png


@pytest.fixture(scope="module")
def fitted():
    images = np.random.default_rng(0).random((60, 5, 4))
    flat = images.reshape(60, -1)
    pca = pca_from_covariance(flat)
    return pca, images[:3], error_curve(pca, flat)


@pytest.mark.parametrize("k", [0, 1, 10, 20])
def test_reconstructions_show_the_images_of_k_components_and_the_point(fitted, k):
    pca, images, curve = fitted
    picture = plot_reconstructions(pca, images, curve, k)
    left, right = picture.axes
    sheet = left.get_images()[0].get_array()
    assert sheet.shape == (3 * 6 - 1, 3 * 5 - 1)
    np.testing.assert_allclose(sheet[:5, :4], images[0])
    scores = (images[0].ravel() - pca.mean) @ pca.components[:k].T
    rebuilt = (pca.mean + scores @ pca.components[:k]).reshape(5, 4)
    np.testing.assert_allclose(sheet[6:11, :4], rebuilt.clip(0, 1), atol=1e-12)
    np.testing.assert_allclose(sheet[12:17, :4], np.abs(rebuilt - images[0]), atol=1e-12)
    point = right.get_lines()[1]
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (k, curve[k])
    assert f"{curve[k]:.4f}" in right.get_title(loc="left")
    assert str(k) in picture.alt
    assert to_png(picture)


def test_pictures_differ_between_values_of_the_slider(fitted):
    assert to_png(plot_reconstructions(*fitted, 3)) != to_png(plot_reconstructions(*fitted, 4))


def test_components_are_shown_as_images_with_their_share(fitted):
    picture = plot_components(fitted[0], (5, 4), count=3)
    assert len(picture.axes) == 4
    np.testing.assert_allclose(
        picture.axes[1].get_images()[0].get_array(), fitted[0].components[0].reshape(5, 4)
    )
    low, high = picture.axes[1].get_images()[0].get_clim()
    assert low == -high  # white is zero
    assert picture.axes[1].get_xlabel() == f"{fitted[0].explained_variance_ratio[0]:.0%}"
