"""Shapes, pixel by pixel, and the nearest of them, against a search that leaves nothing out."""

import tracemalloc

import numpy as np
import pytest

from helpers.shapes import (
    COLOURS,
    DEGREES,
    FACTORS,
    SIDE,
    SQUARES,
    all_masks,
    check_factors,
    draw_factors,
    draw_images,
    grey_and_hue_errors,
    halfway_baselines,
    images_of_degrees,
    nearest_shapes,
    relative_distances,
    shape_factors,
    shape_images,
    shapes_between,
    summarise_path,
)

CIRCLE = {"kind": 0, "size": 5, "x": 12, "y": 20, "red": 1, "green": 0.5, "blue": 0.25}
SQUARE = CIRCLE | {"kind": 1}
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]


def rng(seed=0):
    return np.random.default_rng(seed)


def image(factors, square="corner"):
    """One image, (3, 32, 32)."""
    (drawn,) = draw_images(factors, square)
    return drawn


def mask_by_hand(kind, size, x, y, square):
    """Which pixels a shape covers: its definition, a pixel outside the image having no place."""
    if kind == 0:
        return (COLUMNS - x) ** 2 + (ROWS - y) ** 2 <= size**2
    covered = np.zeros((SIDE, SIDE), bool)
    near = size if square == "centre" else 0
    covered[max(y - near, 0) : y + size + 1, max(x - near, 0) : x + size + 1] = True
    return covered


# ---- factors


def test_factors_are_uniform_with_both_ends():
    n = 40_000
    factors = draw_factors(rng(), n)
    assert list(factors) == list(FACTORS)
    for name, (low, high) in FACTORS.items():
        values = factors[name]
        assert values.shape == (n,)
        if name in COLOURS:
            counts, _ = np.histogram(values, 20, (low, high))
            assert len(np.unique(values)) == n
        else:
            counts = np.bincount(values - low)
            assert len(counts) == high - low + 1
        assert counts.sum() == n
        expected = n / len(counts)
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)  # five standard deviations


def test_factors_are_independent_and_come_from_the_generator_alone():
    factors = draw_factors(rng(), 20_000)
    correlations = np.corrcoef(list(factors.values())) - np.eye(len(FACTORS))
    assert np.abs(correlations).max() < 5 / np.sqrt(20_000)
    again, other = draw_factors(rng(), 20_000), draw_factors(rng(1), 20_000)
    assert all(np.array_equal(factors[name], again[name]) for name in FACTORS)
    assert not any(np.array_equal(factors[name], other[name]) for name in FACTORS)


def test_fixed_factors_stay_and_leave_the_others_as_they_were():
    fixed = {"red": 0, "green": 0.5, "size": 4}
    free, held = draw_factors(rng(), 500), draw_factors(rng(), 500, fixed)
    for name in FACTORS:
        expected = np.full(500, fixed[name]) if name in fixed else free[name]
        np.testing.assert_array_equal(held[name], expected)
    assert fixed == {"red": 0, "green": 0.5, "size": 4}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"colour": 1}, "there is no factor 'colour'; there are .*'kind', 'size'"),
        ({"kind": 2}, "kind must be a whole number from 0 to 1, got 2 … 2"),
        ({"size": 2}, "size must be a whole number from 3 to 8, got 2"),
        ({"x": 25}, "x must be a whole number from 8 to 24, got 25"),
        ({"x": 8.5}, r"x must be a whole number from 8 to 24, got 8\.5"),
        ({"y": np.array([8, 7])}, "y must be a whole number from 8 to 24, got 7 … 8"),
        ({"red": -0.1}, r"red must be anything from 0 to 1, got -0\.1"),
        ({"blue": np.nan}, "blue must be anything from 0 to 1, got nan"),
    ],
)
def test_what_is_no_factor_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        check_factors(wrong)
    with pytest.raises(ValueError, match=words):
        draw_factors(rng(), 2, wrong)
    with pytest.raises(ValueError, match=words):
        draw_images(CIRCLE | wrong)


def test_missing_factors_and_other_squares_are_refused():
    with pytest.raises(ValueError, match=r"factors lack \['blue', 'x'\]"):
        draw_images({name: CIRCLE[name] for name in CIRCLE if name not in ("x", "blue")})
    with pytest.raises(ValueError, match=r"square must be one of .*'corner', 'centre'.*'middle'"):
        draw_images(CIRCLE, "middle")


# ---- images


@pytest.mark.parametrize("square", ["corner", "centre"])
def test_masks_are_those_of_the_definition(square):
    masks = all_masks(square)
    for kind, size, y, x in np.ndindex(masks.shape[:4]):
        expected = mask_by_hand(kind, size + 3, x + 8, y + 8, square)
        np.testing.assert_array_equal(masks[kind, size, y, x], expected)
    assert not masks.flags.writeable


@pytest.mark.parametrize("size", range(3, 9))
def test_circles_are_round(size):
    (circle,) = all_masks()[0, size - 3, 8, 8][None]  # at x = y = 16
    for other in (circle.T, np.roll(circle[::-1], 1, 0), np.roll(circle[:, ::-1], 1, 1)):
        np.testing.assert_array_equal(circle, other)
    rows = np.flatnonzero(circle.any(axis=1))
    assert (rows[0], rows[-1]) == (16 - size, 16 + size)
    assert circle.sum() == pytest.approx(np.pi * size**2, rel=0.04)


@pytest.mark.parametrize(("square", "side"), [("corner", 6), ("centre", 11)])
def test_squares_by_slices(square, side):
    drawn = image(SQUARE, square)
    first_row, first_column = (20, 12) if square == "corner" else (15, 7)
    expected = np.zeros((3, SIDE, SIDE), np.float32)
    for channel, value in enumerate((1, 0.5, 0.25)):
        rows, columns = (slice(i, i + side) for i in (first_row, first_column))
        expected[channel, rows, columns] = value
    np.testing.assert_array_equal(drawn, expected)
    # circles don't depend on the reading
    np.testing.assert_array_equal(image(CIRCLE, square), image(CIRCLE))


def test_x_is_the_column_and_y_the_row():
    moved_right = image(CIRCLE | {"x": 15})
    np.testing.assert_array_equal(moved_right, np.roll(image(CIRCLE), 3, axis=2))
    moved_down = image(SQUARE | {"y": 22})
    np.testing.assert_array_equal(moved_down, np.roll(image(SQUARE), 2, axis=1))


def test_what_reaches_over_the_border_is_cut_off():
    far = {"size": 8, "x": 24, "y": 24}
    assert (image(SQUARE | far)[0] > 0).sum() == 8**2  # of 9², the last row and column
    assert (image(SQUARE | far, "centre")[0] > 0).sum() == 16**2
    covered = image(CIRCLE | far)[0] > 0
    assert covered.sum() == all_masks()[0, 5, 8, 8].sum() - 2  # its last pixel on two sides
    near = {"size": 8, "x": 8, "y": 8}
    assert (image(SQUARE | near, "centre")[0] > 0).sum() == 17**2


def test_images_are_their_factors_one_by_one():
    factors = draw_factors(rng(), 300)
    images = draw_images(factors)
    assert (images.shape, images.dtype) == ((300, 3, SIDE, SIDE), np.float32)
    for i in range(300):
        one = {name: factors[name][i] for name in FACTORS}
        covered = mask_by_hand(*(one[name] for name in ("kind", "size", "x", "y")), "corner")
        colours = np.array([one[name] for name in COLOURS], np.float32)
        np.testing.assert_array_equal(images[i], colours[:, None, None] * covered)


def test_one_factor_moves_while_the_others_stay():
    for name, (low, high) in FACTORS.items():
        steps = np.linspace(low, high, 2)
        first, last = draw_images(CIRCLE | {name: steps})
        np.testing.assert_array_equal(first, image(CIRCLE | {name: low}))
        np.testing.assert_array_equal(last, image(CIRCLE | {name: high}))
        assert not np.array_equal(first, last)


def test_fifty_thousand_images_need_little_memory_besides_their_own():
    factors = draw_factors(rng(), 50_000)
    all_masks()
    tracemalloc.start()
    images = draw_images(factors)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert images.nbytes == 50_000 * 3 * SIDE * SIDE * 4
    assert peak < 1.2 * images.nbytes


# ---- the nearest shape


def distances(a, b):
    """Squared distance of images, one by one."""
    return ((np.float64(a) - b) ** 2).sum(axis=(1, 2, 3))


def least_distance_by_search(image, square, levels):
    """Over all shapes and all colours on a grid, pixel by pixel."""
    best = np.inf
    for covered in all_masks(square).reshape(-1, SIDE, SIDE):
        inside = image[:, covered][:, None] - levels[:, None]
        channels = (inside**2).sum(axis=2).min(axis=1)
        best = min(best, channels.sum() + (image[:, ~covered] ** 2).sum())
    return best


@pytest.mark.parametrize("square", ["corner", "centre"])
def test_nearest_shape_is_the_best_of_all_shapes_and_colours(square):
    random = rng(3)
    true = draw_images(draw_factors(random, 3), square)
    images = np.stack(
        [
            (true[0] + true[1]) / 2,  # half-way between two shapes
            true[2] + random.normal(0, 0.3, true[2].shape),
            random.uniform(-1, 2, true[0].shape),  # nothing like a shape
        ]
    )
    nearest = nearest_shapes(images, square)
    assert nearest.dtype == np.float32
    assert 0 <= nearest.min() <= nearest.max() <= 1
    step = 0.02
    for image, distance in zip(images, distances(images, nearest), strict=True):
        found = least_distance_by_search(image, square, np.arange(0, 1 + step / 2, step))
        assert distance <= found * (1 + 1e-6)
        assert found <= distance + 3 * 17**2 * (step / 2) ** 2  # what the grid costs at most
    # each answer is itself a shape of one colour
    for answer in nearest:
        covered = answer.any(axis=0)
        assert any(np.array_equal(covered, m) for m in all_masks(square).reshape(-1, SIDE, SIDE))
        assert all(len(np.unique(channel[covered])) == 1 for channel in answer)


@pytest.mark.parametrize(("dim", "nearest"), [(0.9, "large"), (0.8, "small")])
def test_colours_are_cut_off_before_shapes_are_compared(dim, nearest):
    # 29 pixels of 3 explain 29 · (2 · 3 · 1 − 1²) = 145 with the brightest colour there is, not
    # 29 · 3² = 261; 197 pixels explain 197 · 0.9² = 160, or 197 · 0.8² = 126
    colours = dict.fromkeys(COLOURS, 1)
    small, large = draw_images(
        {"kind": 0, "size": np.array([3, 8]), "x": np.array([8, 20]), "y": 20, **colours}
    )
    assert (small[0].sum(), large[0].sum()) == (29, 197)
    (found,) = nearest_shapes((3 * small + dim * large)[None])
    np.testing.assert_allclose(found, {"large": dim * large, "small": small}[nearest], atol=1e-5)


@pytest.mark.parametrize("square", ["corner", "centre"])
def test_true_shapes_are_their_own_nearest(square):
    images = draw_images(draw_factors(rng(4), 200), square)
    np.testing.assert_allclose(nearest_shapes(images, square), images, atol=1e-5)


def test_squares_of_the_other_reading_are_not_their_own_nearest():
    drawn = image(SQUARE, "centre")[None]  # 11 × 11 pixels; the largest from its corner has 9 × 9
    assert distances(drawn, nearest_shapes(drawn, "corner"))[0] > 1


def test_nothing_is_nearest_to_black():
    black = np.zeros((1, 3, SIDE, SIDE))
    np.testing.assert_array_equal(nearest_shapes(black), black)
    np.testing.assert_array_equal(nearest_shapes(black - 1), black)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((3, SIDE, SIDE)), r"shape \(N, 3, 32, 32\), got \(3, 32, 32\)"),
        (np.zeros((2, 1, SIDE, SIDE)), r"got \(2, 1, 32, 32\)"),
        (np.zeros((0, 3, SIDE, SIDE)), r"got \(0, 3, 32, 32\)"),
        (np.full((1, 3, SIDE, SIDE), np.nan), "must be finite"),
    ],
)
def test_what_are_no_images_is_refused(images, words):
    with pytest.raises(ValueError, match=words):
        nearest_shapes(images)


# ---- paths


def path_of(*factors):
    return np.stack([image(CIRCLE | changed) for changed in factors])[None]


def test_a_path_of_shapes_has_no_distance_and_all_its_energy():
    path = path_of({"x": 9}, {"x": 13}, {"x": 17})
    found = summarise_path(path, np.array([0, 0.5, 1]))
    np.testing.assert_allclose(found.distance, 0, atol=1e-6)
    np.testing.assert_allclose(found.energy, 1, rtol=1e-6)


def test_a_shape_that_fades_keeps_its_form_and_loses_energy():
    path = path_of({}, {"red": 0.5, "green": 0.25, "blue": 0.125}, {})
    found = summarise_path(path, np.array([0, 0.5, 1]))
    np.testing.assert_allclose(found.distance, 0, atol=1e-6)
    np.testing.assert_allclose(found.energy, [[1, 0.25, 1]], rtol=1e-6)


def test_half_of_each_of_two_shapes_is_no_shape():
    """Two equal circles apart: the better of them leaves the other, half of the energy."""
    near, far = image(CIRCLE | {"x": 8}), image(CIRCLE | {"x": 22})
    path = np.stack([near, (near + far) / 2, far])[None]
    found = summarise_path(path, np.array([0, 0.5, 1]))
    np.testing.assert_allclose(found.distance, [[0, 0.5, 0]], atol=1e-5)
    np.testing.assert_allclose(found.energy, [[1, 0.5, 1]], rtol=1e-5)


@pytest.mark.parametrize("square", SQUARES)
def test_true_shapes_between_two_have_every_factor_in_between(square):
    first = {"kind": 0, "size": 3, "x": 8, "y": 24, "red": 0.2, "green": 1, "blue": 0}
    last = {"kind": 1, "size": 8, "x": 24, "y": 8, "red": 0.8, "green": 0, "blue": 0}
    shares = np.array([0, 0.25, 0.75, 1])
    found = shapes_between(first, last, shares, square)
    quarter = {"kind": 0, "size": 4, "x": 12, "y": 20, "red": 0.35, "green": 0.75, "blue": 0}
    three = {"kind": 1, "size": 7, "x": 20, "y": 12, "red": 0.65, "green": 0.25, "blue": 0}
    for image, factors in zip(found, (first, quarter, three, last), strict=True):
        np.testing.assert_allclose(image, draw_images(factors, square)[0], rtol=1e-6)
    found = summarise_path(found[None], shares, square)
    np.testing.assert_allclose(found.distance, 0, atol=1e-6)
    assert (found.energy[0, 1:3] < 1).all()


def test_energy_is_compared_with_the_line_between_the_ends():
    path = path_of({"size": 3}, {"size": 3}, {"size": 8})
    found = summarise_path(path, np.array([0, 0.5, 1]))
    small, large = (np.sum(path[0, i] ** 2) for i in (0, 2))
    np.testing.assert_allclose(found.energy[0, 1], small / ((small + large) / 2), rtol=1e-5)


def test_hues_wander_where_a_colour_leaves_the_line_between_the_ends():
    ends = {"red": 0.2, "green": 0.4, "blue": 0.6}, {"red": 0.8, "green": 0.4, "blue": 0.2}
    for middle, wanted in (
        ({"red": 0.5, "green": 0.4, "blue": 0.4}, 0),
        ({"red": 0.7, "green": 0.6, "blue": 0.6}, 0),  # brighter by as much in each: no hue
        ({"red": 0.8, "green": 0.4, "blue": 0.1}, (0.3**2 + 0.3**2) ** 0.5),
    ):
        path = path_of(ends[0], middle, ends[1])
        hues = summarise_path(path, np.array([0, 0.5, 1])).hue
        np.testing.assert_allclose(hues, [[0, wanted, 0]], atol=1e-5)


def test_what_is_drawn_is_judged_and_black_is_no_shape():
    path = path_of({}, {}, {})
    path[0, 1] = 0
    path[0, 2] += np.where(path[0, 2] == 0, -0.3, 0)  # below black: not seen
    found = summarise_path(path, np.array([0, 0.5, 1]))
    np.testing.assert_allclose(found.distance, [[0, 1, 0]], atol=1e-6)
    np.testing.assert_allclose(found.energy, [[1, 0, 1]], rtol=1e-6)


def test_paths_are_judged_by_their_own_reading_of_a_square():
    path = np.stack([image(SQUARE, "centre")] * 2)[None]
    shares = np.array([0, 1])
    assert summarise_path(path, shares, "centre").distance.max() < 1e-6
    assert summarise_path(path, shares, "corner").distance.min() > 0.01


# ---- errors of grey and of hue


def test_errors_of_grey_and_hue_add_up_to_the_error():
    rng = np.random.default_rng(0)
    images = draw_images(draw_factors(rng, 20))
    others = rng.normal(size=images.shape).astype(np.float32)
    parts = grey_and_hue_errors(images, others)
    np.testing.assert_allclose(sum(parts), ((images - others) ** 2).mean(), rtol=1e-5)


def test_what_is_wrong_in_brightness_alone_is_grey_and_the_rest_is_hue():
    images = draw_images(draw_factors(np.random.default_rng(0), 20))
    np.testing.assert_allclose(grey_and_hue_errors(images, images + 0.1), (0.01, 0), atol=1e-8)
    without = np.repeat(images.mean(axis=1, keepdims=True), 3, axis=1)
    grey, hue = grey_and_hue_errors(images, without)
    assert grey < 1e-12
    np.testing.assert_allclose(hue, images.var(axis=1).mean(), rtol=1e-5)


def test_hue_has_a_sixth_of_the_error_of_black():
    """E c² = 1/3 and Var c = 1/12 a channel; of three variances, grey takes one: 2/12 of 3/3."""
    images = draw_images(draw_factors(np.random.default_rng(0), 5000))
    grey, hue = grey_and_hue_errors(images, np.zeros_like(images))
    assert hue / (grey + hue) == pytest.approx(1 / 6, rel=0.03)


def test_images_that_are_none_are_refused_by_the_errors():
    with pytest.raises(ValueError, match=r"got \(2, 3, 8, 8\)"):
        grey_and_hue_errors(np.zeros((2, 3, 32, 32)), np.zeros((2, 3, 8, 8)))


# ---- the parts of the full runs


def test_no_shape_is_in_two_parts():
    counts = {"train": 50_000, "validation": 10_000, "test": 10_000}
    colours = {}
    for part, count in counts.items():
        images = shape_images("corner", part)
        assert images.shape == (count, 3, 32, 32)
        # images of different colours differ
        colours[part] = {tuple(colour) for colour in images.max(axis=(2, 3)).tolist()}
        assert len(colours[part]) == count
    assert len(set.union(*colours.values())) == sum(counts.values())


@pytest.mark.parametrize("square", ["corner", "centre"])
def test_shapes_are_the_same_each_time_and_the_first_of_them(square):
    images = shape_images(square, "test")
    first = shape_images(square, "test", 100)
    np.testing.assert_array_equal(first, images[:100])
    factors = draw_factors(np.random.default_rng([0, 2]), 10_000)
    assert np.array_equal(images, draw_images(factors, square))


@pytest.mark.parametrize("degrees", [d for d in DEGREES if d < 12])
def test_images_of_few_degrees_differ_in_nothing_that_is_fixed(degrees):
    assert len(FACTORS) - len(DEGREES[degrees]) == degrees
    images = images_of_degrees(degrees, "test", 300)
    factors = shape_factors("test", 300) | DEGREES[degrees]
    np.testing.assert_array_equal(images, draw_images(factors))


def test_images_of_twelve_degrees_are_a_square_and_a_circle():
    images = images_of_degrees(12, "test", 200)
    assert (images.min(), images.max()) == (0, 1)
    first, second = shape_factors("test", 200), shape_factors("test", 200, second=True)
    square, circle = draw_images(first | {"kind": 1}), draw_images(second | {"kind": 0})
    np.testing.assert_array_equal(images, (square + circle).clip(0, 1))
    for name in FACTORS:
        assert abs(np.corrcoef(first[name], second[name])[0, 1]) < 0.3


def test_images_of_seven_degrees_are_those_of_all_other_runs():
    np.testing.assert_array_equal(
        images_of_degrees(7, "train", 50), shape_images("corner", "train", 50)
    )


def test_images_of_other_degrees_are_refused():
    with pytest.raises(ValueError, match="degrees must be one of"):
        images_of_degrees(6, "test")


def test_baselines_half_way_are_of_pixels_and_of_shapes_in_between():
    factors = draw_factors(np.random.default_rng(0), 6)
    images, shares = draw_images(factors), np.linspace(0, 1, 10)
    found = halfway_baselines(images, factors)
    assert list(found) == ["pixels", "true shapes"]
    for i in range(3):
        fading = images[2 * i] + shares[:, None, None, None] * (images[2 * i + 1] - images[2 * i])
        wanted = summarise_path(fading[None], shares)
        for name, values in vars(found["pixels"]).items():
            assert values[i] == pytest.approx(getattr(wanted, name)[0, 4:6].mean(), rel=1e-3)
    assert found["true shapes"].distance.max() < 1e-6 < found["pixels"].distance.min()


def test_relative_distances_are_shares_of_the_energy():
    images = draw_images(draw_factors(rng(), 3))
    images[2] = 0
    np.testing.assert_allclose(relative_distances(images, 0.5 * images), [0.25, 0.25, 1], rtol=1e-5)
