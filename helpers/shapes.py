"""Images of one circle or square on black: data whose number of degrees of freedom is known, seven.

Source: Jing, Zbontar and LeCun, "Implicit rank-minimizing autoencoder", 2020, section 4.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from helpers.arrays import as_numbers
from helpers.interpolation import linear_path

SIDE = 32  # pixels
FACTORS = {
    "kind": (0, 1),  # circle, square
    "size": (3, 8),  # radius of a circle
    "x": (8, 24),
    "y": (8, 24),
    "red": (0, 1),
    "green": (0, 1),
    "blue": (0, 1),
}
COLOURS = ("red", "green", "blue")
SQUARES = ("corner", "centre")
BLUE_ONLY = {"red": 0, "green": 0}
DEGREES = {  # how many degrees of freedom images have, and the factors that are fixed for it
    1: BLUE_ONLY | {"blue": 1, "kind": 0, "size": 6, "y": 16},
    2: BLUE_ONLY | {"blue": 1, "kind": 0, "size": 6},
    3: BLUE_ONLY | {"blue": 1, "kind": 0},
    4: BLUE_ONLY | {"blue": 1},
    5: BLUE_ONLY,
    7: {},
    12: {},  # a square and a circle
}
SHAPE_SEED = 0
SHAPE_PARTS = {"train": 50_000, "validation": 10_000, "test": 10_000}  # of the full runs
HALFWAY = np.linspace(0, 1, 10)[[0, 4, 5, 9]]  # the ends of ten steps and the two in the middle


def draw_factors(
    rng: np.random.Generator, n: int, fixed: Mapping[str, float] | None = None
) -> dict[str, np.ndarray]:
    """Values of the seven factors for n images, uniform and independent.

    Kind, size and place are whole numbers, both ends of their ranges included; colours are
    anything from 0 to 1.

    Parameters
    ----------
    fixed : mapping from factor to value, optional
        Factors that are the same in all images: ``{"red": 0, "green": 0}`` leaves blue only.

    Returns
    -------
    dict from factor to ndarray of shape (n,)
        A fixed factor changes no other: they are drawn as if it were free.

    Raises
    ------
    ValueError
        If a fixed factor is unknown or out of range.
    """
    fixed = dict(fixed or {})
    check_factors(fixed)
    values = {}
    for name, (low, high) in FACTORS.items():
        if name in COLOURS:
            values[name] = rng.uniform(low, high, n)
        else:
            values[name] = rng.integers(low, high, n, endpoint=True)
        if name in fixed:
            values[name] = np.full(n, fixed[name], values[name].dtype)
    return values


def draw_images(factors: Mapping[str, np.ndarray], square: str = "corner") -> np.ndarray:
    """Images of shapes with given factors.

    Parameters
    ----------
    factors : mapping from factor to value or ndarray of shape (n,)
        All seven, see :data:`FACTORS`; a single value holds for all images.
    square : {"corner", "centre"}
        Where (x, y) lies: at a corner of a square of ``size`` + 1 pixels, as in the authors'
        code, or at the centre of one of 2 ``size`` + 1 pixels, as in the paper's words.

    Returns
    -------
    ndarray of shape (n, 3, 32, 32), float32
        Values in [0, 1]. What reaches over the border is cut off.

    Raises
    ------
    ValueError
        If a factor is missing, unknown or out of range, or ``square`` is unknown.
    """
    check_factors(factors)
    if missing := set(FACTORS) - set(factors):
        raise ValueError(f"factors lack {sorted(missing)}")
    arrays = np.broadcast_arrays(*(np.atleast_1d(factors[name]) for name in FACTORS))
    values = dict(zip(FACTORS, arrays, strict=True))
    place = (values[name].astype(int) - FACTORS[name][0] for name in ("kind", "size", "y", "x"))
    masks = all_masks(square)[tuple(place)]
    colours = np.stack([values[name] for name in COLOURS], axis=1).astype(np.float32)
    return masks[:, None] * colours[:, :, None, None]


@cache
def all_masks(square: str = "corner") -> np.ndarray:
    """Which pixels each possible shape covers, drawn by OpenCV.

    Returns
    -------
    ndarray of shape (2, 6, 17, 17, 32, 32), bool
        By kind, size, y and x. Read-only.

    Raises
    ------
    ValueError
        If there is no such reading of ``square``.
    """
    import cv2

    if square not in SQUARES:
        raise ValueError(f"square must be one of {SQUARES}, got {square!r}")
    names = ("kind", "size", "y", "x")
    lows = [FACTORS[name][0] for name in names]
    counts = [FACTORS[name][1] - FACTORS[name][0] + 1 for name in names]
    masks = np.zeros((*counts, SIDE, SIDE), np.uint8)
    for place in np.ndindex(*counts):
        kind, size, y, x = (int(i + low) for i, low in zip(place, lows, strict=True))
        if kind == 0:
            cv2.circle(masks[place], (x, y), size, 1, thickness=cv2.FILLED)
        else:
            near = size if square == "centre" else 0
            corners = (x - near, y - near), (x + size, y + size)
            cv2.rectangle(masks[place], *corners, 1, thickness=cv2.FILLED)
    masks = masks.astype(bool)
    masks.flags.writeable = False
    return masks


def shape_factors(
    part: str, n: int | None = None, *, second: bool = False
) -> dict[str, np.ndarray]:
    """Factors of shapes for "train", "validation" or "test": the first n, or all of them.

    With ``second``, those of a second shape in each image, drawn apart from the first.

    Raises
    ------
    ValueError
        If there is no such part.
    """
    rng = np.random.default_rng([SHAPE_SEED, list(SHAPE_PARTS).index(part), *[1] * second])
    factors = draw_factors(rng, SHAPE_PARTS[part])
    return {name: values[:n] for name, values in factors.items()}


def shape_images(square: str, part: str, n: int | None = None) -> np.ndarray:
    """Images (n, 3, 32, 32) with the factors of :func:`shape_factors`."""
    return draw_images(shape_factors(part, n), square)


def images_of_degrees(degrees: int, part: str, n: int | None = None) -> np.ndarray:
    """Images (n, 3, 32, 32) with a known number of degrees of freedom.

    Up to seven, factors of one shape are fixed as :data:`DEGREES` says. Twelve are a square and a
    circle in one image, six each; where they overlap, their colours add up, at most to 1.

    Raises
    ------
    ValueError
        If there are no such images, or no such part.
    """
    if degrees not in DEGREES:
        raise ValueError(f"degrees must be one of {list(DEGREES)}, got {degrees!r}")

    factors = shape_factors(part, n)
    if degrees < 12:
        return draw_images(factors | DEGREES[degrees])
    square, circle = factors | {"kind": 1}, shape_factors(part, n, second=True) | {"kind": 0}
    return np.minimum(draw_images(square) + draw_images(circle), 1)


def nearest_shapes(images: np.ndarray, square: str = "corner") -> np.ndarray:
    """The true shape nearest to each image, by search over all of them.

    For a mask m, the best colour of a channel is the channel's mean over m, cut off at 0 and 1;
    that leaves ‖image‖² − Σ over channels of area · (2 · mean · colour − colour²). Every image is
    held against all shapes at once: a thousand of them take a few hundred MB.

    Parameters
    ----------
    images : ndarray of shape (N, 3, 32, 32)
        Any finite values; a network's may lie outside [0, 1].

    Returns
    -------
    ndarray of shape (N, 3, 32, 32), float32
    """
    images = check_images(images)
    masks = all_masks(square).reshape(-1, SIDE * SIDE)
    areas = masks.sum(axis=1, dtype=np.float32)
    sums = images.reshape(-1, SIDE * SIDE) @ masks.T.astype(np.float32)
    means = (sums / areas).reshape(len(images), 3, -1)
    colours = means.clip(0, 1)
    explained = (areas * (2 * means * colours - colours**2)).sum(axis=1)
    best = explained.argmax(axis=1)
    colours = np.take_along_axis(colours, best[:, None, None], axis=2)
    return colours[..., None] * masks[best].reshape(-1, 1, SIDE, SIDE)


def relative_distances(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """‖x − y‖² / ‖x‖² for each image x and the one beside it, y; 1 where x is black.

    Parameters
    ----------
    images, others : ndarrays of shape (N, 3, 32, 32)

    Returns
    -------
    ndarray of shape (N,)
    """
    energy = (images**2).sum(axis=(1, 2, 3))
    off = ((images - others) ** 2).sum(axis=(1, 2, 3))
    return np.divide(off, energy, out=np.ones_like(off), where=energy > 0)


def grey_and_hue_errors(images: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """Mean squared difference of images, in two parts that add up to it.

    Grey is the mean over the three channels, hue what a channel differs from it.

    Parameters
    ----------
    images, others : ndarrays of shape (N, 3, 32, 32)

    Returns
    -------
    grey, hue : float
    """
    difference = check_images(others) - check_images(images)
    grey = difference.mean(axis=1, keepdims=True)
    return float((grey**2).mean()), float(((difference - grey) ** 2).mean())


def check_images(images: np.ndarray) -> np.ndarray:
    """The images (N, 3, 32, 32) as float32.

    Raises
    ------
    ValueError
        If their shape is another, there is none, or a value is not finite.
    """
    images = as_numbers("images", images)
    if images.ndim != 4 or images.shape[1:] != (3, SIDE, SIDE) or len(images) == 0:
        raise ValueError(f"images must have shape (N, 3, {SIDE}, {SIDE}), got {images.shape}")
    return as_numbers("images", images, finite=True).astype(np.float32, copy=False)


def check_factors(factors: Mapping[str, float | np.ndarray]) -> None:
    """Check that factors of shapes exist and lie in their range.

    Raises
    ------
    ValueError
        If there is no such factor, or a value of it is out of range or should be a whole number.
    """
    for name, values in factors.items():
        if name not in FACTORS:
            raise ValueError(f"there is no factor {name!r}; there are {list(FACTORS)}")
        low, high = FACTORS[name]
        values = as_numbers(name, values)
        whole = name in COLOURS or (values == np.round(values)).all()
        if values.size and not (values.min() >= low and values.max() <= high and whole):
            wanted = "anything from" if name in COLOURS else "a whole number from"
            raise ValueError(
                f"{name} must be {wanted} {low} to {high}, "
                f"got {values.min():.4g} … {values.max():.4g}"
            )


def shapes_between(
    first: Mapping[str, float],
    last: Mapping[str, float],
    shares: np.ndarray,
    square: str = "corner",
) -> np.ndarray:
    """True shapes on the way from one to another: every factor in between, whole ones rounded.

    Parameters
    ----------
    first, last : mapping from factor to value
    shares : ndarray of shape (T,)
        From 0 at the first to 1 at the last.

    Returns
    -------
    ndarray of shape (T, 3, 32, 32)
    """
    between = {name: first[name] * (1 - shares) + last[name] * shares for name in FACTORS}
    rounded = {name: np.rint(between[name]) for name in FACTORS if name not in COLOURS}
    return draw_images(between | rounded, square)


@dataclass(frozen=True)
class PathSummary:
    """How close images on paths are to true shapes: arrays of shape (P, T), or of their means.

    Attributes
    ----------
    distance : ndarray
        ‖x − s‖² / ‖x‖², with s the true shape nearest to the image x; 1 where x is black.
    energy : ndarray
        ‖x‖² divided by the value on the straight line between those of the path's ends. It tells of
        an image that fades, which is near to a dim shape.
    hue : ndarray
        How far the colour of s, less its grey, is from the straight line between the path's ends.
    """

    distance: np.ndarray
    energy: np.ndarray
    hue: np.ndarray


def summarise_path(paths: np.ndarray, shares: np.ndarray, square: str = "corner") -> PathSummary:
    """How close images on paths are to true shapes, what energy is left, and how hues wander.

    Pixels are clipped to [0, 1] first, as when they are drawn.

    Parameters
    ----------
    paths : ndarray of shape (P, T, 3, 32, 32)
        P paths of T images.
    shares : ndarray of shape (T,)
        t of each image, from 0 at the first to 1 at the last.

    Returns
    -------
    PathSummary
        Each measure of shape (P, T).

    Raises
    ------
    ValueError
        If the images have another shape or are not finite, or ``square`` is unknown.
    """
    paths = np.asarray(paths, np.float32).clip(0, 1)
    flat = paths.reshape(-1, *paths.shape[2:])
    nearest = np.concatenate(
        [nearest_shapes(flat[i : i + 500], square) for i in range(0, len(flat), 500)]
    )
    distances = relative_distances(flat, nearest)
    energy = (flat**2).sum(axis=(1, 2, 3)).reshape(paths.shape[:2])
    expected = energy[:, :1] * (1 - shares) + energy[:, -1:] * shares
    colours = nearest.max(axis=(2, 3)).reshape(*paths.shape[:2], 3)
    off = colours - colours[:, :1] * (1 - shares[:, None]) - colours[:, -1:] * shares[:, None]
    hues = np.linalg.norm(off - off.mean(axis=2, keepdims=True), axis=2)
    distances = distances.reshape(paths.shape[:2])
    return PathSummary(distances, energy / np.maximum(expected, 1e-12), hues)


def summarise_halfway(paths: np.ndarray, square: str = "corner") -> PathSummary:
    """How close paths come to true shapes half-way: the mean of the two middle ones of ten steps.

    Parameters
    ----------
    paths : ndarray of shape (P, 4, 3, 32, 32)
        P paths at the shares in :data:`HALFWAY`: the ends, and what counts between them.

    Returns
    -------
    PathSummary
        Each measure of shape (P,).

    Raises
    ------
    ValueError
        If a path has not four images, or as for :func:`summarise_path`.
    """
    if np.ndim(paths) != 5 or np.shape(paths)[1] != len(HALFWAY):
        raise ValueError(f"paths must have shape (P, 4, 3, 32, 32), got {np.shape(paths)}")
    measures = vars(summarise_path(paths, HALFWAY, square))
    return PathSummary(**{name: values[:, 1:3].mean(axis=1) for name, values in measures.items()})


def halfway_baselines(
    images: np.ndarray, factors: Mapping[str, np.ndarray]
) -> dict[str, PathSummary]:
    """What :func:`summarise_halfway` says of paths that no network made.

    Parameters
    ----------
    images : ndarray of shape (2 P, 3, 32, 32)
        Drawn with squares by a corner.
    factors : mapping from factor to ndarray of shape (2 P,)
        Those of the images.

    Returns
    -------
    dict
        "pixels", straight lines between images, and "true shapes", with every factor in between.
    """
    pairs = [(i, i + 1) for i in range(0, len(images), 2)]
    ends = [{name: values[i] for name, values in factors.items()} for i in range(len(images))]
    paths = {
        "pixels": [linear_path(images[a], images[b], HALFWAY) for a, b in pairs],
        "true shapes": [shapes_between(ends[a], ends[b], HALFWAY) for a, b in pairs],
    }
    return {name: summarise_halfway(np.stack(of)) for name, of in paths.items()}
