"""What several figures are made of: images without frames, rows of them, labels that keep apart."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

LINE_ON_BLACK = 0.35  # grey


def mosaic(images: np.ndarray, columns: int, gap: int = 1, between: float = 0) -> np.ndarray:
    """Images side by side in one array, row by row: one axis instead of dozens.

    Parameters
    ----------
    images : ndarray of shape (N, H, W) or (N, H, W, C)
    columns : int
        Images in a row; the last row is filled up with zeros.
    gap : int
        Pixels between neighbours.
    between : float
        Their value.

    Returns
    -------
    ndarray of shape (rows · (H + gap) − gap, columns · (W + gap) − gap) or (…, C)
    """
    count, height, width, *channels = images.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows, columns, height + gap, width + gap, *channels), images.dtype)
    sheet[:, :, height:] = sheet[:, :, :, width:] = between
    sheet[np.arange(count) // columns, np.arange(count) % columns, :height, :width] = images
    sheet = sheet.swapaxes(1, 2).reshape(rows * (height + gap), columns * (width + gap), *channels)
    return sheet[: rows * (height + gap) - gap, : columns * (width + gap) - gap]


def show_rows(
    axes: Axes,
    rows: Mapping[str, np.ndarray],
    columns: int,
    *,
    colors: Mapping[str, str] | None = None,
    gap: int = 1,
    **options,
) -> None:
    """Rows of as many images each in one axis, each row with its name before it.

    Colour images, which are on black here, get grey lines between them.

    Parameters
    ----------
    rows : mapping from name to ndarray of shape (columns, H, W) or (columns, H, W, C)
    colors : mapping from name to colour, optional
        Of the names; those without one are black.
    """
    stacked = np.concatenate(list(rows.values()))
    between = LINE_ON_BLACK if stacked.ndim == 4 else 0
    show_image(axes, mosaic(stacked, columns, gap, between), **{"vmin": 0, "vmax": 1} | options)
    height = axes.get_ylim()[0]
    for i, name in enumerate(rows):
        look = {"color": colors[name], "weight": "bold"} if name in (colors or {}) else {}
        axes.text(-3, height * (i + 0.5) / len(rows), name, ha="right", va="center", **look)


def show_distances(
    axes: Axes,
    shares: np.ndarray,
    distances: Mapping[str, np.ndarray],
    looks: Mapping[str, Mapping],
    at: int,
) -> None:
    """Distances along several paths, each with a mark at the place ``at`` of ``shares``.

    Parameters
    ----------
    shares : ndarray of shape (T,)
        t along the paths, from 0 to 1.
    distances : mapping from name to ndarray of shape (T,)
    looks : mapping from name to "color", "ls" and "marker"
    """
    for name, values in distances.items():
        color, marker = looks[name]["color"], looks[name]["marker"]
        axes.plot(shares, values, color=color, ls=looks[name]["ls"])
        axes.plot(shares[at], values[at], color=color, marker=marker, markersize=11)
    top = 1.1 * max(values.max() for values in distances.values())
    axes.set(xlim=(-0.04, 1.04), ylim=(0, top), xlabel="t")


def labels_apart(places: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """Places for labels of a given size: those that would overlap are moved up.

    Parameters
    ----------
    places : ndarray of shape (N, 2)
        Where the labels belong.
    size : (float, float)
        Width and height of a label, in the units of the places.

    Returns
    -------
    ndarray of shape (N, 2)
    """
    moved = places.copy()
    order = np.argsort(places[:, 1])
    for n, i in enumerate(order):
        for j in order[:n]:
            if (np.abs(moved[i] - moved[j]) < size).all():
                moved[i, 1] = moved[j, 1] + size[1]
    return moved


def places_beside(
    points: np.ndarray, wanted: np.ndarray, sizes: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Places for labels that hide no point and no other label: each the nearest to where it belongs.

    Where nothing is free, a label stays where it belongs.

    Parameters
    ----------
    points : ndarray of shape (N, 2)
    wanted, sizes : ndarray of shape (L, 2)
        Where the labels belong; their widths and heights, in the units of the points.
    low, high : ndarray of shape (2,)
        Corners of the picture.

    Returns
    -------
    ndarray of shape (L, 2)
        The labels' centres.
    """
    x, y = (np.linspace(a, b, 49) for a, b in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    places: list[np.ndarray] = []
    for target, size in zip(wanted, sizes, strict=True):
        inside = (grid - size / 2 >= low).all(axis=1) & (grid + size / 2 <= high).all(axis=1)
        free = ~(np.abs(grid[:, None] - points) < size / 2).all(axis=2).any(axis=1) & inside
        for other, room in zip(places, sizes, strict=False):
            free &= ~(np.abs(grid - other) < (size + room) / 2).all(axis=1)
        nearest = np.linalg.norm(grid - target, axis=1)
        places.append(grid[np.where(free, nearest, np.inf).argmin()] if free.any() else target)
    return np.array(places)


def show_image(axes: Axes, image: np.ndarray, title: str = "", **options) -> None:
    """An image without ticks, grid or frame."""
    axes.imshow(image, **options)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title)
    axes.grid(False)
    axes.spines[:].set_visible(False)


def powers(axes: Axes, low: int) -> None:
    """Labels of a vertical axis that holds logarithms."""
    ticks = range(low, 1, 2)
    superscript = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")  # quicker to draw than formulas
    axes.set_yticks(ticks, ["1" if p == 0 else "10" + str(p).translate(superscript) for p in ticks])
