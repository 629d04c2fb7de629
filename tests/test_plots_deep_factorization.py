"""Figure functions of chapter 4 over the values that their sliders take."""

import numpy as np
import pytest

from helpers.deep_factorization import gaussian_factors, gradient_descent
from helpers.gradient_flow import time_to_reach
from helpers.picture import to_png
from helpers.planted_matrices import planted_matrix, sample_entries
from helpers.plots.deep_factorization import (
    plot_gains,
    plot_growth,
    plot_matrices,
    plot_noise,
    plot_observations,
    plot_rank_errors,
    plot_recovery,
    plot_speeds,
    plot_two_by_two,
)
from helpers.recovery import recovery_curve, singular_order
from helpers.spectrum import effective_rank

DEPTHS, SCALES = (1, 2, 3), (1.0, 0.01)


@pytest.fixture(scope="module")
def recovery():
    rng = np.random.default_rng(0)
    truth = planted_matrix(rng, 10, 2)
    observed = sample_entries(rng, truth, 60)
    runs = {}
    for depth in DEPTHS:
        for scale in SCALES:
            start = gaussian_factors(rng, [10] * (depth + 1), scale)
            path = gradient_descent(start, observed, tolerance=1e-2, max_steps=300)
            runs[depth, scale] = recovery_curve(path, truth, observed)
    return runs, truth, observed


def planted(truth):
    return np.linalg.svd(truth, compute_uv=False)[:2]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("scale", SCALES)
def test_recovery_shows_the_run_that_was_chosen(recovery, depth, scale):
    runs, truth, _ = recovery
    picture = plot_recovery(runs, planted(truth), depth, scale)
    run = runs[depth, scale]
    left, middle, right = picture.axes
    drawn = np.array([line.get_ydata() for line in left.get_lines()])
    np.testing.assert_allclose(np.sort(drawn, axis=0)[::-1], run.singular_values.T[:8])
    seen, unseen = middle.get_lines()
    np.testing.assert_allclose(unseen.get_ydata(), run.errors)
    np.testing.assert_allclose(seen.get_ydata() ** 2, run.losses)
    np.testing.assert_allclose(10 ** unseen.get_xdata()[1:], run.steps[1:])
    np.testing.assert_allclose(right.get_lines()[0].get_ydata(), run.effective_ranks)
    assert f"{run.errors[-1]:.2f}" in middle.get_title(loc="left")
    assert f"{run.nuclear_norms[-1]:.0f}" in left.get_title(loc="left")
    assert f"Depth {depth} from scale {scale:g}" in picture.alt
    assert f"at the end {run.errors[-1]:.2f} on unseen" in picture.alt
    assert left.get_xlim()[1] == pytest.approx(np.log10(max(r.steps[-1] for r in runs.values())))
    assert to_png(picture)


def test_recovery_marks_the_singular_values_of_the_whole_matrix(recovery):
    runs, truth, _ = recovery
    (marks,) = plot_recovery(runs, planted(truth), 2, 0.01).axes[0].collections
    heights = [segment[0][1] for segment in marks.get_segments()]
    np.testing.assert_allclose(heights, np.linalg.svd(truth, compute_uv=False)[:2])


def test_pictures_differ_between_values_of_the_sliders(recovery):
    runs, truth, _ = recovery
    pictures = {to_png(plot_recovery(runs, planted(truth), d, s)) for d in DEPTHS for s in SCALES}
    assert len(pictures) == len(DEPTHS) * len(SCALES)


def test_matrices_are_shown_in_one_order_and_with_holes(recovery):
    _, truth, observed = recovery
    order = singular_order(truth)
    picture = plot_matrices(truth[order], observed[order], {"again": truth[order] + 0.5})
    whole, again, seen, missed = (axes.get_images()[0].get_array() for axes in picture.axes)
    np.testing.assert_allclose(whole + 0.5, again)
    np.testing.assert_allclose(missed, 0.5)
    np.testing.assert_allclose(np.sort(whole.ravel()), np.sort(truth.ravel()))
    u, _, _ = np.linalg.svd(whole)
    assert (np.diff(u[:, 0]) > 0).all() or (np.diff(u[:, 0]) < 0).all()
    holes = np.ma.getmaskarray(np.ma.masked_invalid(seen))
    assert holes.sum() == 40
    np.testing.assert_allclose(seen[~holes], whole[~holes])
    assert [axes.get_title(loc="left") for axes in picture.axes][1] == "again"


def test_rank_errors_stand_at_the_numbers_kept():
    curves = {"depth 1": np.array([1, 0.9, 0.9]), "depth 3": np.array([1, 0.4, 0.1])}
    picture = plot_rank_errors(curves, [0, 19, 36], planted=1)
    first, second = picture.axes[0].get_lines()[:2]
    np.testing.assert_allclose(first.get_data(), [[0, 19, 36], [1, 0.9, 0.9]])
    np.testing.assert_allclose(second.get_ydata(), curves["depth 3"])
    assert "depth 1 0.90; depth 3 0.40" in picture.alt


def test_speeds_are_drawn_as_points_on_lines():
    times = np.arange(4.0)
    measured, predicted = np.ones((4, 3)), np.full((4, 3), 2.0)
    picture = plot_speeds(
        {"one": (times, measured, predicted), "two": (times, measured, predicted)}
    )
    line, points = picture.axes[1].get_lines()[:2]
    assert (line.get_ydata() == 2).all()
    assert (points.get_ydata() == 1).all()
    assert points.get_linestyle() == "None"


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("start", [0.1, 1e-5])
def test_growth_follows_the_closed_form(depth, start):
    picture = plot_growth((3, 2, 1), depth, start)
    left, right = picture.axes
    half = time_to_reach(1.5, 3, start, depth)
    for line, target in zip(left.get_lines()[:3], (3, 2, 1), strict=True):
        at, sigma = line.get_data()
        np.testing.assert_allclose(
            at[:-1] * half, time_to_reach(sigma[:-1], target, start, depth), rtol=1e-9, atol=1e-12
        )
        assert sigma[0] == pytest.approx(start)
        assert sigma[-1] == target
    mark = right.get_lines()[3].get_ydata()[0]
    assert time_to_reach(10**mark, 2, start, depth) == pytest.approx(half, rel=0.01)
    assert f"Depth {depth}, start {start:g}" in picture.alt
    (label,) = right.texts
    grown = label.get_text().removeprefix("second at ●: ").removesuffix(" × its start")
    assert f"the second is {grown} times its" in picture.alt
    highest = max(line.get_ydata().max() for line in right.get_lines()[:4])
    assert label.get_position()[1] > highest + 0.3  # above all curves, on none of them


def over_matrices(table):
    return np.quantile(table, (0.5, 0, 1), axis=1)


def test_observations_show_medians_and_ranges():
    errors = {"minimum nuclear norm": np.array([[0.4, 0.6, 0.8], [0, 0, 0.1]])}
    norms = {f"depth {d}": np.array([[1.1, 1.2, 1.4], [1, 1, 1]]) for d in (3, 4)}
    spans = [{n: over_matrices(table) for n, table in t.items()} for t in (errors, norms)]
    left, right = plot_observations([10, 20], *spans, degrees=5).axes
    assert left.get_lines()[0].get_ydata().tolist() == [0.6, 0]
    assert right.get_lines()[0].get_ydata().tolist() == [1.2, 1]
    bars = [segment for bars in right.collections for segment in bars.get_segments()]
    assert sorted(tuple(bar[:, 1]) for bar in bars) == [(1, 1), (1, 1), (1.1, 1.4), (1.1, 1.4)]
    assert len({bar[0, 0] for bar in bars}) == 4  # side by side, none on another


def measured(products):
    """Size of the unseen entry, effective rank and determinant of 2 × 2 matrices."""
    ranks = [effective_rank(s) for s in np.linalg.svd(products, compute_uv=False)]
    return np.abs(products[:, 0, 0]), np.array(ranks), np.linalg.det(products)


def test_two_by_two_shows_entry_effective_rank_and_determinant():
    products = np.array([np.diag([0.5, 0.5]), [[3, 1], [1, 0.5]]])
    panels = plot_two_by_two({"start": (np.array([0, 10]), *measured(products))}).axes
    entry, rank, determinant = (axes.get_lines()[0].get_ydata() for axes in panels)
    assert entry.tolist() == [0.5, 3]
    assert rank[0] == pytest.approx(2)
    assert determinant.tolist() == pytest.approx([0.25, 0.5])
    assert panels[0].get_lines()[0].get_xdata().tolist() == [1, 10]  # 0 has no logarithm
    assert panels[2].get_lines()[-1].get_ydata() == [0, 0]  # the line that none crosses


def test_noise_shows_medians_and_every_matrix():
    chosen = {"explicit λ": np.array([[0.1, 0.2, 0.6]]), "depth 3": np.array([[0.1, 0.1, 0.1]])}
    medians = {name: np.median(table, axis=1) for name, table in chosen.items()}
    axes = plot_noise([0.5], chosen, medians, np.array([3.0])).axes[0]
    lines = axes.get_lines()
    assert lines[0].get_ydata().tolist() == [0.2]
    assert [line.get_ydata().tolist() for line in lines[1:4]] == [[0.1], [0.2], [0.6]]
    assert lines[8].get_ydata().tolist() == [3]
    assert lines[8].get_label() == "depth 3, run to the end"


def test_gains_show_the_interval_of_each_model():
    picture = plot_gains({"mean": (0.1, 0.05, 0.15), "depth 2": (-0.0004, -0.01, 0.01)}, -0.2)
    lines = picture.axes[0].get_lines()
    drawn = [list(line.get_xdata()) for line in lines[:4]]
    assert drawn == [[0.05, 0.15], [0.1], [-0.01, 0.01], [-0.0004]]
    assert "mean 0.10; depth 2 0.00. The best possible prediction would reach -0.20" in picture.alt
    assert [label.get_text() for label in picture.axes[0].get_yticklabels()] == ["mean", "depth 2"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda truth, seen: plot_matrices(truth, seen, {"truth": truth}),
        lambda *_: plot_rank_errors({"depth 2": np.ones(3)}, [0, 19, 36], 1),
        lambda *_: plot_growth((3, 2, 1), 3, 0.01),
        lambda *_: plot_observations([1, 2], {"depth 2": np.ones((3, 2))}, {}, 1),
        lambda *_: plot_two_by_two(
            {"a": (np.arange(2), *measured(np.array([np.eye(2), 2 * np.eye(2)])))}
        ),
        lambda *_: plot_gains({"mean": (0, -1, 1)}, -1),
    ],
)
def test_pictures_can_be_drawn_and_say_what_they_show(recovery, draw):
    _, truth, observed = recovery
    picture = draw(truth, observed)
    assert to_png(picture) == to_png(draw(truth, observed))
    assert len(picture.alt) > 60
