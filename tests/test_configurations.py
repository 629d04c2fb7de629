"""Options as JSON holds them, and what they refuse."""

from dataclasses import FrozenInstanceError

import pytest

from helpers.configurations import ShapeConfiguration, TrainingOptions, plain_values


def test_plain_values_are_those_named_and_those_that_are_not_the_default():
    options = TrainingOptions(batch_size=16, learning_rate=0.1, channels_last=True)
    expected = {"batch_size": 16, "learning_rate": 0.1, "channels_last": True}
    assert plain_values(options) == expected
    assert plain_values(options, "seed") == expected | {"seed": 0}
    assert plain_values(ShapeConfiguration()) == {}
    assert plain_values(ShapeConfiguration(latent=7), "linear_layers") == {
        "linear_layers": 0,
        "latent": 7,
    }


@pytest.mark.parametrize("values", [{"he_init": True, "init_gain": 0.1}, {"linear_layers": 2}])
def test_options_come_back_from_plain_values(values):
    options = ShapeConfiguration(**values)
    assert plain_values(options) == values
    assert ShapeConfiguration(**plain_values(options, "linear_layers")) == options


def test_options_are_frozen():
    with pytest.raises(FrozenInstanceError):
        ShapeConfiguration().latent = 3
