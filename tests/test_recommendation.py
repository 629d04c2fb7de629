"""Newcomers against those whom training knew, neighbours and maps against their definitions."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.als import fit_als
from helpers.factorization import random_init
from helpers.rating_models import fit_biases, predict, principal_axes
from helpers.ratings import Scale
from helpers.recommendation import (
    fold_in,
    group_centres,
    item_places,
    landmarks,
    nearest_items,
    predict_new,
    recommend,
    user_place,
)
from tests.made_ratings import generated_parts, random_model, some_ratings


@pytest.fixture(scope="module")
def parts():
    return generated_parts()


def test_folding_in_a_known_user_gives_what_training_gave(parts):
    train, _, _ = parts
    baseline = fit_biases(train)
    fit = fit_als(
        train, baseline, random_init(train.shape, 2, np.random.default_rng(0)), penalty=0.2
    )
    model = fit.model
    user = 7
    own = train.users == user
    bias, factors = fold_in(model, train.items[own], train.stars[own], penalty=0.2, weighted=True)
    assert bias == pytest.approx(model.user_bias[user], abs=1e-3)
    np.testing.assert_allclose(factors, model.user_factors[user], atol=0.02)
    everything = np.arange(train.shape[1])
    found = predict_new(model, bias, factors)
    np.testing.assert_allclose(
        found, predict(model, np.full(len(everything), user), everything), atol=0.03
    )


@pytest.mark.parametrize("weighted", [True, "root", False])
def test_who_has_rated_nothing_is_predicted_by_the_items_alone(weighted):
    model = random_model(some_ratings())
    bias, factors = fold_in(model, [], [], penalty=0.1, weighted=weighted)
    assert bias == 0
    np.testing.assert_array_equal(factors, 0)
    np.testing.assert_allclose(
        predict_new(model, bias, factors), (model.mean + model.item_bias).clip(1, 5)
    )


@pytest.mark.parametrize(
    ("items", "stars", "message"),
    [
        ([1, 2], [3], "one rating for each item"),
        ([1], [6], "between 1 and 5"),
        ([-1], [4], "knows the items 0 to 19, not -1"),
        ([20], [4], "knows the items 0 to 19, not 20"),
    ],
)
def test_ratings_that_make_no_sense_are_named(items, stars, message):
    with pytest.raises(ValueError, match=message):
        fold_in(random_model(some_ratings()), items, stars, penalty=0.1, weighted=True)


def test_nearest_items_dont_depend_on_how_the_factors_are_turned():
    model = random_model(some_ratings())
    mix = np.array([[2.0, 1, 0], [0, 1, 3], [1, 0, 1]])
    turned = replace(
        model,
        user_factors=model.user_factors @ mix,
        item_factors=model.item_factors @ np.linalg.inv(mix).T,
    )
    near = nearest_items(model, 4, 6)
    np.testing.assert_array_equal(near, nearest_items(turned, 4, 6))
    product = model.user_factors @ model.item_factors.T  # an item is a column of predictions
    distances = np.linalg.norm(product - product[:, [4]], axis=0)
    np.testing.assert_array_equal(near, np.argsort(distances)[1:7])
    among = np.array([2, 4, 9, 11])
    np.testing.assert_array_equal(
        nearest_items(model, 4, 2, among), [i for i in np.argsort(distances)[1:] if i in among][:2]
    )


@pytest.mark.parametrize(("item", "among"), [(-1, None), (20, None), (0, [3, 20])])
def test_neighbours_of_items_that_the_model_does_not_know_are_refused(item, among):
    with pytest.raises(ValueError, match="knows the items 0 to 19, not"):
        nearest_items(random_model(some_ratings()), item, 2, among)


def test_newcomers_are_predicted_on_the_scale_of_the_model():
    model = replace(random_model(some_ratings()), scale=Scale(0, 10, 1), mean=9.0)
    bias, factors = fold_in(model, [1, 2], [0, 10], penalty=0.1, weighted=True)
    found = predict_new(model, bias, factors)
    raw = model.mean + bias + model.item_bias + model.item_factors @ factors
    assert raw.max() > 10
    np.testing.assert_allclose(found, raw.clip(0, 10))


# ---- recommendations


def test_recommendations_are_the_best_that_were_not_rated_among_the_candidates():
    model = random_model(some_ratings())
    factors = np.array([0.5, -1, 0.2])
    score = model.item_bias + model.item_factors @ factors
    candidates = np.arange(5, 20)
    favourite = candidates[score[candidates].argmax()]
    found = recommend(model, factors, {favourite: 5}, candidates, count=4)
    expected = [i for i in np.argsort(-score) if i in candidates and i != favourite][:4]
    assert found.tolist() == expected
    everything = recommend(model, factors, {}, candidates, count=99)
    assert len(everything) == 15
    assert recommend(model, factors, dict.fromkeys(range(20), 3), candidates).size == 0


# ---- the map


def test_item_places_hold_what_the_first_two_axes_hold():
    model = random_model(some_ratings())
    users, s, items = principal_axes(model)
    places = item_places(model)
    product = (users[:, :2] * np.sqrt(s[:2])) @ places.T
    np.testing.assert_allclose(product, (users[:, :2] * s[:2]) @ items[:, :2].T)


def test_one_factor_makes_a_line_of_the_map():
    places = item_places(random_model(some_ratings(), k=1))
    assert places.shape == (20, 2)
    assert (places[:, 1] == 0).all()
    assert places[:, 0].any()


def test_a_user_stands_where_the_product_with_the_items_is_the_taste():
    model = random_model(some_ratings(), k=2)
    places, taste = item_places(model), model.item_factors @ model.user_factors[5]
    np.testing.assert_allclose(places @ user_place(places, taste), taste)


def test_centres_are_weighted_means_and_an_empty_group_has_none():
    places = np.array([[1.0, 0], [3, 0], [0, 2], [0, 4]])
    centres = group_centres(places, np.array([0, 0, 2, 2]), np.array([1, 9, 5, 5]), 3)
    np.testing.assert_allclose(centres, [[2.8, 0], [np.nan, np.nan], [0, 3]])


def test_landmarks_are_the_farthest_of_each_sector():
    angles = np.repeat(2 * np.pi * np.arange(5) / 5, 3) + 0.1
    far = np.tile([1, 3, 2], 5)
    places = np.column_stack([np.cos(angles), np.sin(angles)]) * far[:, None]
    assert sorted(landmarks(places, np.arange(15))) == [1, 4, 7, 10, 13]
    assert sorted(landmarks(places, np.array([0, 2, 3]))) == [0, 2, 3]  # there are no more
    assert len(landmarks(np.zeros((9, 2)), np.arange(9))) == 5
