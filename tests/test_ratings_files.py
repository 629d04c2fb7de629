"""Ratings from files, whole and broken ones."""

import json
import sys
import tracemalloc

import numpy as np
import pytest

from helpers import ratings_files
from helpers.generated_ratings import generate_ratings
from helpers.ratings_files import convert_table, convert_yelp, load_ratings, main, read_array
from helpers.storage import StorageError

BUSINESSES = [
    {"business_id": "pizza", "categories": "Restaurants, Italian"},
    {"business_id": "garage", "categories": "Automotive"},
    {"business_id": "sushi", "categories": "Sushi, Restaurants"},
    {"business_id": "shop", "categories": "Restaurants Supplies"},
    {"business_id": "nothing", "categories": None},
]
REVIEWS = [
    {"user_id": "ann", "business_id": "pizza", "stars": 2.0, "date": "2020-05-01 10:00:00"},
    {"user_id": "bob", "business_id": "sushi", "stars": 5.0, "date": "2019-01-01 10:00:00"},
    {"user_id": "ann", "business_id": "pizza", "stars": 4.0, "date": "2019-05-01 10:00:00"},
    {"user_id": "bob", "business_id": "garage", "stars": 1.0, "date": "2019-01-01 10:00:00"},
    {"user_id": "ann", "business_id": "sushi", "stars": 3.0, "date": "2018-05-01 10:00:00"},
]


def write_lines(path, records):
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def yelp(tmp_path):
    return (
        write_lines(tmp_path / "business.json", BUSINESSES),
        write_lines(tmp_path / "review.json", [*REVIEWS, '{"user_id": "ann", "bus', "", "[1, 2]"]),
        tmp_path / "yelp-dataset.npy",
    )


def as_dictionary(target):
    """Stars by (user, item), under the names of the source."""
    names = np.load(target.with_suffix(".names.npz"), allow_pickle=False)
    ratings, dropped = read_array(target)
    assert dropped == 0
    users = names["users"][ratings.user_ids[ratings.users]].tolist()
    items = names["items"][ratings.item_ids[ratings.items]].tolist()
    return dict(zip(zip(users, items, strict=True), ratings.stars.tolist(), strict=True))


def test_yelp_keeps_the_latest_rating_of_restaurants_and_counts_the_rest(yelp):
    business, review, target = yelp
    kept = convert_yelp(business, review, target)
    expected = {("ann", "pizza"): 2, ("ann", "sushi"): 3, ("bob", "sushi"): 5}
    assert as_dictionary(target) == expected
    assert np.load(target).dtype == np.int32
    assert kept == {
        "restaurants": 2,
        "users": 2,
        "items": 2,
        "ratings kept": 3,
        "ratings replaced by a later one": 1,
        "lines skipped": 3,
    }


def test_progress_is_shown(yelp, monkeypatch, capsys):
    monkeypatch.setattr(ratings_files, "REPORT_EVERY", 2)
    convert_yelp(*yelp)
    assert "review.json: 4 lines" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("swap", "words"),
    [
        (lambda b, r: (r, b), "no line with a business_id and 'Restaurants'"),
        (lambda b, r: (b, b), "no review of these restaurants"),
        (lambda b, r: (b, b.with_name("missing.json")), "missing.json can't be read: No such file"),
    ],
    ids=["swapped", "of another kind", "missing"],
)
def test_wrong_files_are_named_and_nothing_is_overwritten(yelp, swap, words):
    business, review, target = yelp
    target.write_bytes(b"what was there before")
    with pytest.raises(StorageError, match=words):
        convert_yelp(*swap(business, review), target)
    assert target.read_bytes() == b"what was there before"
    assert not target.with_suffix(".names.npz").exists()


def test_tables_with_and_without_headings_and_times(tmp_path):
    target = tmp_path / "out.npy"
    text = (
        "user,item,rating,timestamp\nann,pizza,2,1000\nann,pizza,4,999\nbob,sushi,4.5,7\nbroken\n"
    )
    (tmp_path / "a.csv").write_text(text)
    kept = convert_table(tmp_path / "a.csv", target)
    assert as_dictionary(target) == {("ann", "pizza"): 2, ("bob", "sushi"): 4.5}
    assert kept["lines skipped"] == 1
    (tmp_path / "b.tsv").write_text("1\t10\t5\n1\t10\t3\n2\t10\t1\n")
    convert_table(tmp_path / "b.tsv", target)
    assert as_dictionary(target) == {("1", "10"): 3, ("2", "10"): 1}


def test_tables_of_something_else_are_named(tmp_path):
    (tmp_path / "a.csv").write_text("name,street\nann,5\n")
    with pytest.raises(StorageError, match="no row of user, item and rating"):
        convert_table(tmp_path / "a.csv", tmp_path / "out.npy")
    (tmp_path / "b.csv").write_text("ann,pizza,80\n")
    with pytest.raises(StorageError, match="stars outside 1 … 5; nothing was written"):
        convert_table(tmp_path / "b.csv", tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()


def test_arrays_are_never_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1, 2, None]]), allow_pickle=True)
    with pytest.raises(StorageError, match=r"a\.npy does not hold ratings: .*allow_pickle=False"):
        read_array(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "is not in"), (b"", "does not hold"), (b"\x93NUMPY half", "does not hold")],
)
def test_missing_and_damaged_arrays_are_named(tmp_path, content, words):
    if content is not None:
        (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(StorageError, match=words):
        read_array(tmp_path / "a.npy")


def test_command(yelp, monkeypatch, capsys):
    business, review, target = yelp
    monkeypatch.setattr(convert_yelp, "__defaults__", (target,))
    monkeypatch.setattr(sys, "argv", ["ratings_files", "yelp", str(business), str(review)])
    main()
    assert "3 ratings kept" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["ratings_files", "yelp", str(review), str(review)])
    with pytest.raises(SystemExit, match=r"yelp: .*Restaurants"):
        main()
    monkeypatch.setattr(sys, "argv", ["ratings_files", "table", "a", "b"])
    with pytest.raises(SystemExit, match="2"):
        main()


# ---- what the notebooks call


def test_own_ratings_come_before_generated_ones(tmp_path):
    own = tmp_path / "yelp-dataset.npy"
    np.save(own, np.array([[0, 0, 5], [0, 0, 4], [2, 1, 3]]))
    ratings, truth, source = load_ratings(path=own)
    assert ratings.stars.tolist() == [4, 3]
    assert truth is None
    assert source == "ratings from yelp-dataset.npy, 1 rows replaced by a later one"


def test_without_own_ratings_they_are_generated(tmp_path):
    ratings, truth, source = load_ratings(seed=3, path=tmp_path / "none.npy")
    expected, _ = generate_ratings(np.random.default_rng(3))
    np.testing.assert_array_equal(ratings.stars, expected.stars)
    assert len(truth.user_bias) == ratings.shape[0]
    assert source == "generated ratings"


def test_damaged_own_ratings_are_not_passed_over(tmp_path):
    own = tmp_path / "yelp-dataset.npy"
    own.write_bytes(b"not an array")
    with pytest.raises(StorageError, match="does not hold ratings"):
        load_ratings(path=own)


# ---- a file of the real format and a fair size


def test_many_reviews_are_read_a_line_at_a_time(tmp_path):
    """50,000 reviews with all fields of the real file: memory holds the numbers, not the text."""
    count, restaurants = 50_000, 300
    business = write_lines(
        tmp_path / "business.json",
        [
            {
                "business_id": f"business-{i:013d}",
                "name": f"Restaurant no. {i}",
                "address": "1 Main Street",
                "stars": 4.0,
                "attributes": {"GoodForKids": "True"},
                "categories": "Bars, Restaurants" if i % 3 else "Bars",
                "hours": None,
            }
            for i in range(restaurants)
        ],
    )
    rng = np.random.default_rng(0)
    columns = rng.integers(0, (2_000, restaurants, 5), (count, 3))
    text = "The soup was cold, but the waiter was kind. " * 16
    review = tmp_path / "review.json"
    with review.open("w") as lines:
        for n, (user, item, stars) in enumerate(columns.tolist()):
            record = {
                "review_id": f"review-{n:015d}",
                "user_id": f"user-{user:017d}",
                "business_id": f"business-{item:013d}",
                "stars": stars + 1.0,
                "useful": 0,
                "funny": 0,
                "cool": 0,
                "text": text,
                "date": f"2020-{1 + n % 12:02d}-{1 + n % 28:02d} {n % 24:02d}:00:00",
            }
            lines.write(json.dumps(record) + "\n")
    assert review.stat().st_size > 40e6
    target = tmp_path / "yelp-dataset.npy"
    tracemalloc.start()
    kept = convert_yelp(business, review, target)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6
    of_restaurants = columns[columns[:, 1] % 3 > 0]
    pairs = len(np.unique(of_restaurants[:, :2], axis=0))
    assert kept["ratings kept"] == pairs == len(np.load(target))
    assert kept["ratings replaced by a later one"] == len(of_restaurants) - pairs
    assert kept["lines skipped"] == 0
