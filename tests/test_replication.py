"""The paper's claims: each verdict follows from the numbers, and from those of one experiment."""

import copy

import numpy as np
import pytest

from helpers.experiments.registry import NETWORKS
from helpers.replication import (
    CLAIMS,
    FORMATS,
    GROUPS,
    PAPER,
    PAPERS_GROUP,
    compare_heights,
    first_epoch,
    judge_claims,
    row_at,
    row_of_seeds,
    table_of_claims,
)
from helpers.spectrum import effective_rank

HEIGHTS = {"AE": 0.21, "AE + L1": 0.245, "AE + L2": 0.24, "l = 2": 0.01, "l = 4": 0.0001}
COUNTS = {"AE": 14, "AE + L1": 20, "AE + L2": 18, "l = 2": 8, "l = 4": 4}  # above 0.1 %


def spectrum_of(model):
    spectrum = np.full(32, 1e-4)
    spectrum[: COUNTS[model]] = HEIGHTS[model]
    spectrum[: min(7, COUNTS[model])] = 0.5
    spectrum[0] = 1
    return spectrum.tolist()


def run_of(model, epochs=3, distance=0.1, hue=0.1):
    spectrum, rng = spectrum_of(model), np.random.default_rng(0)
    history = {"error": [0.003, 0.002, 0.001][:epochs], "hue": [0.002, 0.001, 0.0][:epochs]}
    history["spectrum"] = [np.ones(32).tolist()] * (epochs - 1) + [spectrum]
    noise = rng.normal(scale=0.01, size=200)
    halfway = {"distance": distance + noise, "energy": np.ones(200), "hue": hue + noise}
    test = {"error": 0.0015, "hue": 0.0005, "spectrum": spectrum}
    return {"epochs": epochs, "history": history, "results": {"test": test, "halfway": halfway}}


@pytest.fixture
def published():
    """Runs in which every claim of the paper holds."""
    runs = {model: run_of(model) for model in PAPER}
    for model, distance, hue in (("l = 2", 0.05, 0.1), ("l = 4", 0.06, 0.3)):
        runs[model] = run_of(model, distance=distance, hue=hue)
    return runs


def verdicts(runs):
    return [row["replicated"] for row in judge_claims(runs, of_paper=True)]


def test_all_claims_hold_where_the_numbers_are_the_paper_s(published):
    assert verdicts(published) == ["yes"] * len(CLAIMS)
    assert [row["claim"] for row in judge_claims(published)] == [claim for claim, *_ in CLAIMS]


@pytest.mark.parametrize(
    ("models", "lost"),
    [
        (("AE", "l = 4"), {0, 1, 3, 4, 5, 6, 7}),
        (("AE", "AE + L1"), {1, 4}),
        (("l = 2", "AE + L2"), {0, 1, 2, 4, 5}),
    ],
)
def test_runs_that_change_places_lose_the_claims_about_them(published, models, lost):
    first, second = models
    swapped = published | {first: published[second], second: published[first]}
    found = {i for i, said in enumerate(verdicts(swapped)) if said != "yes"}
    assert found <= lost
    assert found


@pytest.mark.parametrize("claim", range(len(CLAIMS)))
def test_each_claim_can_be_lost(published, claim):
    worst = {model: run_of("AE + L1", distance=0.2, hue=0.0) for model in published}
    worst["AE + L2"] = worst["AE"] = run_of("AE + L2", distance=0.1, hue=0.0)
    assert verdicts(worst)[claim] in ("no", "can't tell")


def test_an_interval_with_zero_in_it_tells_nothing(published):
    noise = np.random.default_rng(1).normal(scale=0.05, size=200)
    plain = published["AE"]["results"]["halfway"]["distance"]
    published["l = 2"]["results"]["halfway"]["distance"] = plain + noise - noise.mean()
    found = {row["claim"]: row for row in judge_claims(published)}
    row = found["half-way, l = 2 is closer to a shape than AE"]
    assert row["replicated"] == "can't tell"
    assert "closer by 0.000" in row["found"].replace("-", "")


def test_models_are_compared_after_as_many_epochs_and_half_way_not_at_all(published):
    published["AE"] = run_of("AE", epochs=2)
    rows = {row["claim"]: row for row in judge_claims(published)}
    assert "(after 2 epochs)" in rows["linear layers lower the rank of the code"]["found"]
    assert (
        rows["linear layers lower the rank of the code"]["replicated"] == "no"
    )  # all are flat then
    assert rows["half-way, l = 2 is closer to a shape than AE"]["replicated"] == "–"
    assert "(after 3 epochs)" in rows["l = 4 keeps fewer than seven"]["found"]


def test_missing_models_leave_a_dash(published):
    del published["AE"], published["AE + L1"]
    said = dict(zip([claim for claim, *_ in CLAIMS], verdicts(published), strict=True))
    assert said["L1 and L2 penalties leave it wider"] == "–"
    assert said["l = 2 keeps about seven directions"] == "yes"


def test_table_has_a_column_for_each_experiment(published):
    rows = table_of_claims({"one": published, "other": {"l = 2": run_of("AE")}})
    assert [list(row) for row in rows] == [["the paper's claim", "one", "other"]] * len(CLAIMS)
    assert rows[0]["one"].startswith("**yes**: ")
    assert rows[0]["other"] == "–"
    assert rows[2]["other"].startswith("**no**: ")


def test_row_is_of_the_validation_images_and_at_the_end_of_the_test_images():
    run = run_of("AE")
    assert (row_at(run, 2)["error"], row_at(run, 2)["hue"]) == (0.002, 0.001)
    assert (row_at(run, 3)["error"], row_at(run, 3)["hue"]) == (0.0015, 0.0005)
    assert row_at(run, 3)["effective rank"] == effective_rank(spectrum_of("AE"))
    assert row_at(run, 2)["effective rank"] == pytest.approx(32)
    assert FORMATS.keys() <= row_at(run, 1).keys()
    without = copy.deepcopy(run)
    del without["history"]["hue"], without["results"]["test"]["hue"]
    assert row_at(without, 1)["hue"] is row_at(without, 3)["hue"] is None


@pytest.mark.parametrize("epoch", [0, 4, -1])
def test_an_epoch_that_was_not_recorded_is_named(epoch):
    with pytest.raises(ValueError, match=rf"1 … 3, the last one of the run; got {epoch}"):
        row_at(run_of("AE"), epoch)
    with pytest.raises(ValueError, match=rf"1 … 3, the last one of the run; got {epoch}"):
        row_of_seeds([run_of("AE")], epoch)


def test_seeds_stand_side_by_side_at_the_epoch_named():
    first, second = run_of("AE"), run_of("l = 2")
    second["history"]["error"][2] = 0.0042
    assert row_of_seeds([first, second], 3) == {
        "error × 1000": "1.00 and 4.20",
        "hue × 1000": "0.00 and 0.00",
        "above 1 %": "14 and 7",
        "edges after": "14; 7, 8",
    }
    assert row_of_seeds([first], 2)["hue × 1000"] == "1.00"
    assert row_of_seeds([first, second], 2)["above 1 %"] == "32 and 32"


def test_a_seed_without_errors_or_without_variance_is_told():
    first, second = run_of("AE"), run_of("l = 2")
    del first["history"]["hue"]
    second["history"]["spectrum"][2] = [0.0] * 32
    row = row_of_seeds([first, second], 3)
    errors = {"error × 1000": "1.00 and 1.00", "hue × 1000": None}
    assert row == errors | {"above 1 %": "14 and 0", "edges after": "14; –"}


@pytest.mark.parametrize(("goal", "epoch"), [(0.5, 1), (0.3, 2), (0.1, 4), (0.05, None)])
def test_first_epoch_at_a_goal(goal, epoch):
    assert first_epoch([0.5, 0.3, 0.4, 0.1], goal) == epoch


def test_heights_stand_beside_the_published_ones(published):
    rows = compare_heights({model: published[model] for model in ("AE", "l = 2")})
    assert [list(row.values()) for row in rows] == [
        ["AE", 0.5, None, 0.21, 0.21, 0.06],
        ["l = 2", 0.5, 0.083, 0.01, 0.01, 0.005],
    ]


def test_heights_of_the_paper_are_set_beside_no_other_experiment(published):
    claim = "at index 7, AE is at 0.21 and l = 2 at 0.01"
    rows = {
        row["the paper's claim"]: row
        for row in table_of_claims({PAPERS_GROUP: published, "other": published})
    }
    assert rows[claim][PAPERS_GROUP].startswith("**yes**: ")
    assert rows[claim]["other"] == "–"
    assert all(row["other"].startswith("**yes**") for name, row in rows.items() if name != claim)


def test_groups_name_runs_that_exist_of_the_models_that_they_say():
    for group in GROUPS.values():
        for model, name in group.items():
            spec = NETWORKS[name]
            layers = int(model[-1]) if model.startswith("l") else 0
            assert spec.network["linear_layers"] == layers
            assert spec.loss.get("norm") == (model[-2:] if "+" in model else None)
