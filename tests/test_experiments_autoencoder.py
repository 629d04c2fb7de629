"""Chapter 3's full runs: the networks that ship are those that held-out images chose."""

import pytest
import torch

from helpers.experiments.autoencoder import NETWORKS, batch_mean
from helpers.manifests import load_manifest


def test_networks_were_chosen_by_what_was_held_out():
    table = load_manifest("fashion-mnist-choice")["results"]
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    for d in (8, 32):
        best = min((row for row in rows if row["d"] == d), key=lambda row: row["held_out"])
        chosen = NETWORKS[f"fashion-mnist-{d}"]
        for option in ("channels", "hidden", "batch_norm"):
            assert best[option] == chosen.network[option]
        for option in ("batch_size", "learning_rate", "schedule", "seed"):
            assert best[option] == getattr(chosen.training, option)


def test_mean_of_the_batches_weighs_a_small_last_one_as_much():
    errors = torch.arange(25.0)
    assert batch_mean(errors, 10) == pytest.approx((4.5 + 14.5 + 22) / 3)
    assert batch_mean(errors[:20], 10) == pytest.approx(errors[:20].mean().item())
