"""Ratings from files, whole and broken ones: what is kept, told, written and refused."""

import gzip
import json
import os
import sys
import tracemalloc

import numpy as np
import pytest

from helpers import ratings_files
from helpers.generated_ratings import generate_ratings
from helpers.rating_rows import Options
from helpers.ratings import ratings_from_triples
from helpers.ratings_files import (
    load_ratings,
    main,
    read_rating_array,
    read_table,
    read_yelp,
    summary,
    write_found,
)
from helpers.storage import StorageError

BUSINESSES = [
    {"business_id": "pizza", "categories": "Restaurants, Italian"},
    {"business_id": "garage", "categories": "Automotive"},
    {"business_id": "sushi", "categories": "Sushi,Restaurants"},
    {"business_id": "tapas", "categories": ["Spanish", "Restaurants"]},
    {"business_id": "shop", "categories": "Restaurants Supplies"},
    {"business_id": "nothing", "categories": None},
]
REVIEWS = [
    {"user_id": "ann", "business_id": "pizza", "stars": 2.0, "date": "2020-05-01 10:00:00"},
    {"user_id": "bob", "business_id": "sushi", "stars": 5.0, "date": "2019-01-01 10:00:00"},
    {"user_id": "ann", "business_id": "pizza", "stars": 4.0, "date": "2019-05-01"},
    {"user_id": "bob", "business_id": "garage", "stars": 1.0, "date": "2019-01-01 10:00:00"},
    {"user_id": "ann", "business_id": "tapas", "stars": 3, "date": "2018-05-01 10:00:00"},
]
YELP_RATINGS = {("ann", "pizza"): 2, ("ann", "tapas"): 3, ("bob", "sushi"): 5}


def write_lines(path, records):
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def yelp(tmp_path):
    return (
        write_lines(tmp_path / "business.json", BUSINESSES),
        write_lines(tmp_path / "review.json", REVIEWS),
    )


@pytest.fixture
def table(tmp_path):
    """Reads a table from its text."""

    def read(text, **options):
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8")
        return read_table(path, Options(**options))

    return read


def as_dictionary(found):
    """Ratings by (user, item), under the names of the source."""
    users = [found.user_names[user] for user in found.users]
    items = [found.item_names[item] for item in found.items]
    return dict(zip(zip(users, items, strict=True), found.stars.tolist(), strict=True))


def counts(found):
    return {reason: count for reason, (count, _) in found.skipped.items()}


# ---- tables: which rating counts


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("12/31/2015", "01/02/2016"),
        ("2015-12-31", "2016-01-01 00:00"),
        ("2016-01-01T10:00:00+05:00", "2016-01-01T06:00:00+00:00"),
        ("2016-01-01 10:00:00", "2016-01-01 10:00:00.25"),
        ("30 Nov 2015", "1 Dec 2015"),
        ("999", "1000"),
    ],
)
def test_of_two_ratings_the_newer_is_kept(table, old, new):
    for lines in (("ann\tpizza\t4\t" + new, "ann\tpizza\t2\t" + old), ("b\tc\t1\t" + old,) * 2):
        found = table("\n".join(lines))
        assert found.replaced == 1
        assert len(found.stars) == 1
    assert as_dictionary(table(f"ann\tpizza\t4\t{new}\nann\tpizza\t2\t{old}\n")) == {
        ("ann", "pizza"): 4
    }
    assert as_dictionary(table(f"ann\tpizza\t2\t{old}\nann\tpizza\t4\t{new}\n")) == {
        ("ann", "pizza"): 4
    }


def test_without_times_or_at_the_same_time_the_later_line_is_kept(table):
    assert as_dictionary(table("a,b,5\na,b,3\nc,b,1\n")) == {("a", "b"): 3, ("c", "b"): 1}
    assert as_dictionary(table("a,b,5,7\na,b,3,7\n")) == {("a", "b"): 3}


def test_the_newest_agrees_with_a_dictionary(table):
    rows = np.random.default_rng(0).integers(0, (8, 6, 9, 20), (300, 4))
    found = table("\n".join(",".join(map(str, row)) for row in rows))
    in_time = rows[np.argsort(rows[:, 3], kind="stable")].tolist()
    expected = {(str(user), str(item)): rating for user, item, rating, _ in in_time}
    assert as_dictionary(found) == expected
    assert found.replaced == 300 - len(expected)


def test_a_time_of_another_form_refuses_the_file_and_names_the_line(table):
    for text, words in [
        ("a,b,5,2015-12-31\nc,b,4,12/31/2015\n", r"line 2, has the time '12/31/2015', .*%Y-%m-%d"),
        ("a,b,5,soon\n", "line 1, has the time 'soon', in no form known"),
        ("a,b,5,3/4/2015\n", "fit '%m/%d/%Y' and '%d/%m/%Y'; say which by --time-format"),
    ]:
        with pytest.raises(StorageError, match=words):
            table(text)
    assert len(table("a,b,5,3/4/2015\n", time_format="%d/%m/%Y").stars) == 1
    assert len(table("a,b,5,soon\n", columns={"time": ""}).stars) == 1


# ---- tables: what is skipped, and scales


def test_every_line_left_out_is_counted_with_its_number_and_reason(table):
    found = table(
        "user,item,rating,time\nann,pizza,2,1\n,pizza,3,1\nann, ,3,1\nann,a,good,1\nann,b,,1\n"
        "ann,c,nan,1\nann,d,1e7,1\nann,e,0,1\nann,f,5,\n\nann\nbob,pizza,4,2\n",
        not_rated=(0,),
    )
    assert as_dictionary(found) == {("ann", "pizza"): 2, ("bob", "pizza"): 4}
    assert counts(found) == {
        "no user": 1,
        "no item": 1,
        "the rating is no number": 3,
        "the rating is beyond ±1,000,000": 1,
        "not rated (0)": 1,
        "no time": 1,
        "empty line": 1,
        "not 4 columns": 1,
    }
    told = summary(found)
    assert "3 × the rating is no number (line 5: 'good'; line 6: ''; line 7: 'nan')" in told
    assert "1 × not rated (0) (line 9)" in told


@pytest.mark.parametrize(
    ("ratings", "words"),
    [
        ("0.5 3 4.5", "from 0.5 to 4.5 in steps of 0.5 (0.5: 1, 3: 1, 4.5: 1)"),
        ("1 7 10", "from 1 to 10 in steps of 3"),
        ("0 10 5", "from 0 to 10 in steps of 5 (0: 1, 5: 1, 10: 1)"),
        ("2 100", "from 2 to 100 in steps of 98"),
        ("4 4", "all 4 (4: 2)"),
        ("1 3.14159265 2", "from 1 to 3.14159 without a common step"),
    ],
)
def test_the_scale_is_told(table, ratings, words):
    lines = [f"u{n},i,{rating}" for n, rating in enumerate(ratings.split())]
    assert f"scale       {words}" in summary(table("\n".join(lines)))


@pytest.mark.parametrize("lowest", [0, -1])
def test_whether_the_lowest_means_not_rated_is_asked_not_guessed(table, lowest):
    text = f"a,x,{lowest}\nb,x,10\nc,x,4\n"
    assert f"Does {lowest} mean 'not rated'?" in summary(table(text))
    assert len(table(text).stars) == 3
    found = table(text, not_rated=(lowest,))
    assert "not rated'?" not in summary(found)
    assert found.stars.tolist() == [10, 4]


def test_a_table_without_a_rating_is_refused_with_the_reasons(table):
    with pytest.raises(
        StorageError, match=r"(?s)has no rating.*1 × the rating is no number \(line 2"
    ):
        table("user,item,rating\na,b,c\n")


# ---- Yelp


def test_yelp_keeps_the_latest_rating_of_restaurants_and_counts_the_rest(yelp):
    found = read_yelp(*yelp)
    assert as_dictionary(found) == YELP_RATINGS
    assert found.replaced == 1
    assert counts(found) == {"of no restaurant": 1}
    assert "restaurants 3 in business.json" in summary(found)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"stars": None}, "the rating is no number"),
        ({"stars": float("nan")}, "the rating is no number"),
        ({"stars": "five"}, "the rating is no number"),
        ({"stars": 0}, "the rating is not in 1 … 5"),
        ({"user_id": None}, "no user"),
        ({"business_id": None}, "no item"),
        ({"business_id": ["pizza"]}, "no item"),
        ({"date": None}, "no time"),
        ('{"user_id": "ann", "bus', "no JSON"),
        ("", "empty line"),
        ("[1, 2]", "no JSON object"),
        ('{"user_id": "ann", "business_id": "pizza", "stars": 1}', "no date"),
    ],
)
def test_a_bad_review_is_skipped_and_counted_wherever_it_stands(yelp, fault, reason):
    business, review = yelp
    bad = fault if isinstance(fault, str) else REVIEWS[0] | fault
    for place in (0, 2, 5):
        if place == 0 and bad == "[1, 2]":
            continue  # then it is an array
        write_lines(review, [*REVIEWS[:place], bad, *REVIEWS[place:]])
        found = read_yelp(business, review)
        assert as_dictionary(found) == YELP_RATINGS
        assert counts(found) == {"of no restaurant": 1, reason: 1}
        assert found.skipped[reason][1][0].startswith(f"line {place + 1}")


def test_bad_businesses_are_counted(yelp):
    business, review = yelp
    bad = [{"business_id": None, "categories": "Restaurants"}, {"business_id": "a"}, "{", {}]
    bad += [{"business_id": "a", "categories": 5}]
    write_lines(business, [*bad, *BUSINESSES])
    found = read_yelp(business, review)
    assert as_dictionary(found) == YELP_RATINGS
    assert found.skipped["no business_id or categories, in business.json"][0] == 4
    assert found.skipped["no JSON, in business.json"][0] == 1


def test_packed_files_and_a_byte_order_mark(yelp):
    packed = []
    for path in yelp:
        packed.append(path.with_suffix(".json.gz"))
        packed[-1].write_bytes(gzip.compress(b"\xef\xbb\xbf" + path.read_bytes()))
    assert as_dictionary(read_yelp(*packed)) == YELP_RATINGS


def test_wrong_files_are_named(yelp, tmp_path):
    business, review = yelp
    user = write_lines(tmp_path / "user.json", [{"user_id": "ann", "yelping_since": "2010"}])
    array = write_lines(tmp_path / "array.json", ["[", *map(json.dumps, REVIEWS), "]"])
    garages = write_lines(tmp_path / "garages.json", BUSINESSES[1:2])
    csv = write_lines(tmp_path / "a.csv", ["a,b,5"])
    for first, second, words in [
        (review, business, r"review.json holds reviews, not Yelp's businesses"),
        (business, business, r"business.json holds businesses, not Yelp's reviews"),
        (business, user, r"user.json holds users, not Yelp's reviews"),
        (business, csv, r"a.csv holds no JSON lines, not Yelp's reviews"),
        (business, array, r"array.json is one JSON array"),
        (business, tmp_path / "missing.json", "missing.json can't be read: No such file"),
        (garages, review, "garages.json has no business with 'Restaurants'"),
    ]:
        with pytest.raises(StorageError, match=words):
            read_yelp(first, second)


# ---- writing


def test_what_is_written_is_read_back_by_chapter_2(table, tmp_path):
    target = tmp_path / "yelp-dataset.npy"
    found = table("José,a,5\nJosè,a,1\nJosé,b c,3\n")
    write_found(found, target)
    assert np.load(target).dtype == np.int32
    ratings, truth, source = load_ratings(path=target)
    assert (truth, source) == (None, "ratings from yelp-dataset.npy")
    names = json.loads(target.with_suffix(".names.json").read_text())
    assert names["scale"] == {"lowest": 1, "highest": 5, "step": 2}
    assert ratings.scale == (1, 5, 2)
    users = [names["users"][user] for user in ratings.user_ids[ratings.users]]
    items = [names["items"][item] for item in ratings.item_ids[ratings.items]]
    read = dict(zip(zip(users, items, strict=True), ratings.stars.tolist(), strict=True))
    assert read == as_dictionary(found) == {("José", "a"): 5, ("Josè", "a"): 1, ("José", "b c"): 3}


def test_half_stars_and_zeros_are_written_as_they_are(table, tmp_path):
    target = tmp_path / "yelp-dataset.npy"
    write_found(table("a,b,0\nc,b,10\nd,b,4.5\n"), target)
    assert np.load(target).tolist() == [[0, 0, 0], [1, 0, 10], [2, 0, 4.5]]
    assert read_rating_array(target)[0].scale == (0, 10, 0.5)
    assert load_ratings(path=target)[0].scale == (0, 10, 0.5)


def test_a_disk_that_refuses_leaves_what_was_there(table, tmp_path, monkeypatch):
    target = tmp_path / "yelp-dataset.npy"
    write_found(table("a,b,5\n"), target)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("yelp*")}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(StorageError, match=r"can't be written: .*No space left.*\nMake room"):
        write_found(table("a,b,1\n"), target)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("yelp*")} == before
    assert not [*tmp_path.glob(".incoming*")]


# ---- arrays


def test_arrays_with_times_keep_the_newest(tmp_path):
    rows = np.array([[7, 3, 5, 20], [7, 3, 1, 10], [8, 3, 2, 5]])
    np.save(tmp_path / "a.npy", rows)
    ratings, replaced = read_rating_array(tmp_path / "a.npy")
    assert replaced == 1
    assert ratings.user_ids[ratings.users].tolist() == [7, 8]
    assert ratings.stars.tolist() == [5, 2]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([[1, 2, None]]), "allow_pickle=False"),
        (np.ones((3, 3), np.float32), "float32 can't tell large user and item numbers apart"),
        (np.ones((3, 3), np.float16), "float16 can't tell"),
        (np.array([[2.0**53 + 2, 1, 5]]), "row 0 .* beyond 9,007,199,254,740,992"),
        (np.array([[2**63, 1, 5]], np.uint64), "beyond 9,223,372,036,854,775,807"),
        (np.array([[0.5, 1, 5]]), "isn't whole"),
        (np.array([[0, 1, 5, 1], [0, 1, 5, np.inf]]), "row 1 has a time that isn't finite"),
        (np.array([[0, 0, 1, 9], [0, -1, 1, 5.0]]), "row 1 .*negative"),
        (np.ones((2, 5)), r"shape \(n, 3\)"),
    ],
)
def test_arrays_that_are_no_ratings_are_refused_with_the_reason(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(StorageError, match=rf"a\.npy does not hold ratings: .*{words}"):
        read_rating_array(tmp_path / "a.npy")


def test_archives_and_masked_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", ratings=np.ones((2, 3)))
    with pytest.raises(StorageError, match=r"archive of arrays \(.npz\)"):
        read_rating_array(tmp_path / "a.npz")
    with pytest.raises(TypeError, match="no mask"):
        ratings_from_triples(np.ma.masked_equal([[0, 0, 5], [0, 1, 0]], 0))


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "is not in"), (b"", "does not hold"), (b"\x93NUMPY half", "does not hold")],
)
def test_missing_and_damaged_arrays_are_named(tmp_path, content, words):
    if content is not None:
        (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(StorageError, match=words):
        read_rating_array(tmp_path / "a.npy")


# ---- the command


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs the command line; returns what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ratings_files", *map(str, arguments)])
        main(tmp_path / "yelp-dataset.npy")
        return capsys.readouterr().out

    return run


def test_check_tells_and_writes_nothing(command, tmp_path):
    path = write_lines(
        tmp_path / "a.csv", ["item;user;stars;date", "x;a;3;2015-01-01", "x;a;4,5;2016"]
    )
    path = write_lines(
        path, ["item;user;stars;date", "x;a;3;2015-01-01", "x;a;4,5;2016-02-01", "x"]
    )
    assert command("check", path).splitlines() == [
        "format      table, separator semicolon",
        "encoding    UTF-8",
        "columns     user = user (column 2), item = item (column 1), rating = stars (column 3), "
        "time = date (column 4)",
        "first row   user a, item x, rating 3, time 2015-01-01",
        "times       %Y-%m-%d without a time zone",
        "span        2015-01-01 00:00:00 to 2016-02-01 00:00:00",
        "users       1",
        "items       1",
        "ratings     1",
        "replaced    1 by a newer rating of the same user and item",
        "scale       all 4.5 (4.5: 1)",
        "skipped     1 × not 4 columns (line 4: 'x')",
    ]
    assert [*tmp_path.iterdir()] == [path]


def test_check_tells_of_arrays_and_of_reviews(command, tmp_path, yelp):
    np.save(tmp_path / "a.npy", np.array([[0, 0, 5, 10], [0, 0, 4, 20], [3, 1, 1, 15]]))
    told = command("check", tmp_path / "a.npy")
    assert "span        10 to 20" in told
    assert "replaced    1 by" in told
    assert "scale       from 1 to 4 in steps of 3" in told
    assert "ratings     4" in command("check", yelp[1])


def test_options_reach_the_reader(command, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("31/1/2015~José~x~0\n1/2/2015~José~x~5\n".encode("latin-1"))
    options = ["--encoding", "latin-1", "--separator", "~", "--not-rated", "0"]
    columns = ["--columns", "user=2,item=3,rating=4,time=1", "--time-format", "%d/%m/%Y"]
    told = command("table", path, *options, *columns)
    assert "first row   user José, item x, rating 5, time 1/2/2015" in told
    assert "written to" in told
    assert np.load(tmp_path / "yelp-dataset.npy").tolist() == [[0, 0, 5]]


def test_yelp_writes_the_ratings_of_restaurants(command, tmp_path, yelp):
    assert "ratings     3" in command("yelp", *yelp)
    assert len(np.load(tmp_path / "yelp-dataset.npy")) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["yelp", "a", "b"], "yelp: a can't be read: No such file"),
        (["table", "a"], "table: a can't be read"),
        (["table", "a", "b"], "2"),
        (["check", "a", "--columns", "who=1"], "2"),
        (["check", "a", "--separator", ""], "2"),
    ],
)
def test_wrong_commands_end_with_a_sentence(command, arguments, words):
    with pytest.raises(SystemExit, match=words):
        command(*arguments)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt, "interrupted; no file"),
        (OSError(5, "Input/output error"), "Input/output"),
    ],
)
def test_interrupts_and_disks_end_with_a_sentence(command, monkeypatch, tmp_path, error, words):
    def fail(*_):
        raise error

    monkeypatch.setattr(ratings_files, "read_table", fail)
    with pytest.raises(SystemExit, match=f"table: .*{words}"):
        command("table", tmp_path / "a.csv")


# ---- what the notebooks call


def test_own_ratings_come_before_generated_ones(tmp_path):
    own = tmp_path / "yelp-dataset.npy"
    np.save(own, np.array([[0, 0, 5], [0, 0, 4], [2, 1, 3]]))
    ratings, truth, source = load_ratings(path=own)
    assert ratings.stars.tolist() == [4, 3]
    assert truth is None
    assert source == "ratings from yelp-dataset.npy, 1 rows replaced by a later one"


def test_without_own_ratings_they_are_generated(tmp_path, capsys):
    ratings, truth, source = load_ratings(seed=3, path=tmp_path / "none.npy")
    expected, _ = generate_ratings(np.random.default_rng(3))
    np.testing.assert_array_equal(ratings.stars, expected.stars)
    assert len(truth.user_bias) == ratings.shape[0]
    assert source == "generated ratings"
    assert capsys.readouterr().out == ""


def test_a_table_beside_no_array_is_offered(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ratings_files, "generate_ratings", lambda rng: (None, None))
    write_lines(tmp_path / "yelp-dataset.csv", ["a,b,5"])
    assert load_ratings(path=tmp_path / "yelp-dataset.npy")[2] == "generated ratings"
    told = capsys.readouterr().out
    assert told.startswith(
        "yelp-dataset.csv is not used until `python -m helpers.ratings_files table "
    )


def test_a_variable_says_which_ratings_are_read(tmp_path, monkeypatch):
    own = tmp_path / "class.npy"
    np.save(own, np.array([[0, 0, 0.5], [2, 1, 3]]))
    monkeypatch.setattr(ratings_files, "YELP", own)
    monkeypatch.setattr(ratings_files, "generate_ratings", lambda rng: ("made", "truth"))
    assert os.environ["COURSE_RATINGS"] == "generated"  # in all tests
    assert load_ratings() == ("made", "truth", "generated ratings")
    monkeypatch.delenv("COURSE_RATINGS")
    assert load_ratings()[2] == "ratings from class.npy"
    monkeypatch.setattr(ratings_files, "YELP", tmp_path / "none.npy")
    assert load_ratings()[2] == "generated ratings"
    monkeypatch.setenv("COURSE_RATINGS", str(own))
    assert load_ratings()[2] == "ratings from class.npy"
    monkeypatch.setenv("COURSE_RATINGS", str(tmp_path / "gone.npy"))
    with pytest.raises(StorageError, match=r"gone.npy is not in"):
        load_ratings()


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
    found = read_yelp(business, review)
    write_found(found, target)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6
    of_restaurants = columns[columns[:, 1] % 3 > 0]
    pairs = len(np.unique(of_restaurants[:, :2], axis=0))
    assert pairs == len(found.stars) == len(np.load(target))
    assert found.replaced == len(of_restaurants) - pairs
    assert counts(found) == {"of no restaurant": count - len(of_restaurants)}
