"""Pictures of principal components."""

import numpy as np

from helpers.pca import PrincipalComponents, project, reconstruct
from helpers.plots.style import (
    BLUE,
    GREY,
    VERMILLION,
    Picture,
    mosaic,
    new_picture,
    show_image,
    styled,
)


@styled
def plot_components(pca: PrincipalComponents, shape: tuple[int, int], count: int = 8) -> Picture:
    """The mean and the first components as images.

    Parameters
    ----------
    shape : (int, int)
        Height and width of an image; their product is D.
    count : int
        Number of components.
    """
    picture = new_picture(
        f"The mean image and the first {count} principal components as images. "
        "In a component, red pixels rise together while blue ones fall.",
        height=2.1,
    )
    axes = picture.subplots(1, count + 1)
    show_image(axes[0], pca.mean.reshape(shape), "mean", vmin=0, vmax=1)
    for i in range(count):
        component = pca.components[i].reshape(shape)
        most = np.abs(component).max()
        share = f"{pca.explained_variance_ratio[i]:.0%}"
        show_image(axes[i + 1], component, f"{i + 1}", cmap="RdBu_r", vmin=-most, vmax=most)
        axes[i + 1].set_xlabel(share)
    picture.supxlabel("share of the variance", fontsize=13)
    return picture


@styled
def plot_reconstructions(
    pca: PrincipalComponents, images: np.ndarray, curve: np.ndarray, k: int
) -> Picture:
    """Images, what k components make of them, the difference, and the point on the error curve.

    Parameters
    ----------
    images : ndarray of shape (M, H, W)
        Values in [0, 1].
    curve : ndarray of shape (K + 1,)
        Mean squared error per pixel from 0, 1, …, K components, over all test images.
    k : int
        Number of components, 0 … K.
    """
    picture = new_picture(
        f"{len(images)} test images, their reconstructions from {k} numbers each, and the "
        f"difference; beside them the test error against the number of components, marked at {k}.",
        height=3.9,
        layout=None,
    )
    left = picture.add_axes((0.11, 0.02, 0.51, 0.86))
    flat = images.reshape(len(images), -1)
    rebuilt = reconstruct(pca, project(pca, flat)[:, :k]).reshape(images.shape)
    rows = np.concatenate([images, rebuilt.clip(0, 1), np.abs(rebuilt - images)])
    show_image(left, mosaic(rows, len(images)), vmin=0, vmax=1)
    numbers = "1 number" if k == 1 else f"{k} numbers"
    height = left.get_ylim()[0]
    for row, label in enumerate(("original", f"k = {k}", "difference")):
        left.text(-3, height * (row + 0.5) / 3, label, ha="right", va="center")
    left.set_title(f"{images[0].size} pixels or {numbers} an image")

    right = picture.add_axes((0.73, 0.19, 0.25, 0.69))
    right.plot(curve, color=BLUE, marker="")
    right.plot(k, curve[k], color=VERMILLION, marker="o", markersize=12)
    right.set_xscale("symlog", linthresh=1, linscale=0.5)
    ticks = [0, 1, 10, 100]
    right.set_xticks(ticks, [str(t) for t in ticks])
    right.set(ylim=(0, curve[0] * 1.12), xlim=(0, len(curve)))
    right.set(xlabel="numbers kept, k", title=f"test error (MSE): {curve[k]:.4f}")
    right.tick_params(colors=GREY)
    return picture
