"""Rows from tables and JSON lines: columns, separators, quotes, encodings, and what is refused."""

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers import rating_rows
from helpers.rating_rows import Options, find_columns, read_name, read_rating, table_rows, yelp_kind
from helpers.storage import StorageError


def rows_of(path, content, **options):
    """The rows of a file with this content, the lines skipped, and the notes."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    skipped, notes = {}, []
    rows = [tuple(row[1:]) for row in table_rows(path, Options(**options), skipped, notes)]
    return rows, {reason: count for reason, (count, _) in skipped.items()}, "\n".join(notes)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ratings.txt"


# ---- which column is what


@pytest.mark.parametrize(
    ("headings", "columns"),
    [
        (",user,item,rating", {"user": 1, "item": 2, "rating": 3}),
        ("asin,reviewerID,overall", {"user": 1, "item": 0, "rating": 2}),
        (
            "userId,movieId,rating,timestamp",
            {"user": 0, "item": 1, "rating": 2, "time": 3},
        ),
        ("date,stars,business_id,user_id", {"user": 3, "item": 2, "rating": 1, "time": 0}),
        (
            "reviewerID,asin,reviewerName,overall,unixReviewTime,reviewTime",
            {"user": 0, "item": 1, "rating": 3, "time": 4},
        ),
        ("Book ID,User ID,Score", {"user": 1, "item": 0, "rating": 2}),
    ],
)
def test_columns_are_known_by_their_headings(tmp_path, headings, columns):
    found = find_columns(tmp_path, headings.split(","), {})
    assert found == (columns, True)
    assert [*found[0]] == [role for role in rating_rows.ROLES if role in columns]


def test_stated_columns_override_headings_and_positions(tmp_path, file):
    first = ["user", "rating", "score", "thing", "date"]
    stated = {"item": "thing", "rating": "score", "time": ""}
    assert find_columns(tmp_path, first, stated) == ({"user": 0, "item": 3, "rating": 2}, True)
    stated = {"user": "3", "item": "2", "rating": "1"}
    assert rows_of(file, "5,a,b,x,y\n4,c,d,x,y\n", columns=stated)[0] == [
        ("b", "a", "5"),
        ("d", "c", "4"),
    ]
    assert rows_of(file, "mark,what,who\n4,c,d\n", columns=stated)[0] == [("d", "c", "4")]
    stated = {"user": "1", "item": "2", "rating": "3"}  # which also stand in the first row
    assert rows_of(file, "1,2,3\n4,5,4\n", columns=stated)[0] == [("1", "2", "3"), ("4", "5", "4")]
    assert rows_of(file, "a,b,5,9\n", columns={"time": ""})[0] == [("a", "b", "5")]


def test_without_headings_columns_go_by_position_and_it_is_said(file):
    rows, _, notes = rows_of(file, "a,b,5,10\nc,d,4,11\n")
    assert rows == [("a", "b", "5", "10"), ("c", "d", "4", "11")]
    assert "user = (column 1), item = (column 2), rating = (column 3)" in notes
    assert "no headings" in notes


@pytest.mark.parametrize(
    ("content", "stated", "words"),
    [
        ("name,street\nann,5\n", {}, r"which column is the user\?\nIts first row: name"),
        ("a,b,5,x,y\n", {}, r"which column is the user\?"),
        ("user,item,rating,stars\na,b,5,4\n", {}, r"which is the rating: rating, stars\?"),
        ("user,item,mark\na,b,5\n", {}, r"which column is the rating\?"),
        ("user,item,rating\na,b,5\n", {"user": "who"}, r"has no column 'who'.*\n.*user \| item"),
        ("user,item,rating\na,b,5\n", {"user": "4"}, "has no column '4'"),
        ("user,item,rating\na,b,5\n", {"user": "2"}, "a column can't be two things"),
    ],
)
def test_columns_that_are_not_clear_are_asked_about(file, content, stated, words):
    with pytest.raises(StorageError, match=f"(?s){words}.*--columns user=1"):
        rows_of(file, content, columns=stated)


# ---- separators and quotes


@pytest.mark.parametrize(
    ("separator", "name"),
    [
        ("\t", "tab"),
        (";", "semicolon"),
        (",", "comma"),
        ("::", "double colon"),
        ("|", "bar"),
        ("  ", "spaces"),
    ],
)
def test_separators_are_found(file, separator, name):
    lines = [separator.join(row) for row in (("u-1", "i-1", "4.5", "7"), ("u-2", "i-1", "3", "8"))]
    rows, skipped, notes = rows_of(file, "\r\n".join(lines))
    assert rows == [("u-1", "i-1", "4.5", "7"), ("u-2", "i-1", "3", "8")]
    assert skipped == {}
    assert f"separator {name}" in notes


def test_a_stated_separator_is_used(file):
    assert rows_of(file, "a~b~5\n", separator="~")[0] == [("a", "b", "5")]
    assert rows_of(file, "a<>b<>5\n", separator="<>")[0] == [("a", "b", "5")]


def test_an_open_quote_swallows_no_row(file):
    lines = ["a\tx\t5", 'b\t"Heroes\t4', "c\tz\t3", 'd\t"Heroes\t2', 'e\t"Q" (2016)\t1']
    rows, skipped, _ = rows_of(file, "\n".join(lines) + "\n")
    assert rows == [tuple(line.split("\t")) for line in lines]
    assert skipped == {}
    rows, skipped, _ = rows_of(file, 'a\tx\t5\nb\t"\t4\nc\t"\t3\nd\t"Heroes\ne\ty\t2\nf\t"z\t1\n')
    assert rows == [
        ("a", "x", "5"),
        ("b", '"', "4"),
        ("c", '"', "3"),
        ("e", "y", "2"),
        ("f", '"z', "1"),
    ]
    assert skipped == {"not 3 columns": 1}


def test_a_long_open_quote_swallows_no_row(file):
    lines = ["user,item,rating,text", 'a,x,5,"' + 200_000 * "y", *(1_000 * ["b,z,4,nice"])]
    rows, skipped, _ = rows_of(file, "\n".join(lines))
    assert rows == [("a", "x", "5"), *(1_000 * [("b", "z", "4")])]
    assert skipped == {}


def test_quoted_fields_may_hold_separators_quotes_and_lines(file):
    content = 'text,user,item,rating\n"good, but\n""cold""\n\nhm",ann, "a, b",5\n,bob,c,4\n'
    rows, skipped, _ = rows_of(file, content)
    assert rows == [("ann", "a, b", "5"), ("bob", "c", "4")]
    assert skipped == {}
    rows, skipped, _ = rows_of(file, 'user,item,rating,text\nann,a,5,"b\nc"\nbob,"c\nd",4,\n')
    assert rows == [("ann", "a", "5"), ("bob", "c\nd", "4")]
    assert skipped == {}


def test_lines_of_another_width_are_counted(file):
    rows, skipped, _ = rows_of(file, "user,item,rating\na,b,5\n\nc,d\ne,f,4,9\ng,h,1\n")
    assert rows == [("a", "b", "5"), ("g", "h", "1")]
    assert skipped == {"empty line": 1, "not 3 columns": 2}


# "\r" alone is left unquoted by the csv module of Python 3.11
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=8
)


@given(
    names=st.lists(st.tuples(NAMES, NAMES, NAMES), min_size=1, max_size=6),
    separator=st.sampled_from("\t;,|"),
    order=st.permutations(["user", "item", "rating", "remark"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.sampled_from(["", "\ufeff"]),
)
@example([('a"', "\n5", "x")], ",", ["remark", "user", "item", "rating"], 0, "\n", "")
def test_what_a_table_writer_writes_is_read_back(
    tmp_path_factory, names, separator, order, quoting, end, bom
):
    records = [
        {"user": user, "item": item, "rating": 1 + n / 2, "remark": remark}
        for n, (user, item, remark) in enumerate(names)
    ]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, order, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writeheader()
    writer.writerows(records)
    path = tmp_path_factory.mktemp("table") / "a.csv"
    rows, skipped, _ = rows_of(path, bom + text.getvalue())
    read = [(read_name(user), read_name(item), read_rating(stars)) for user, item, stars in rows]
    assert read == [
        (r["user"].strip() or None, r["item"].strip() or None, r["rating"]) for r in records
    ]
    assert skipped == {}


# ---- encodings, packing, other files


def test_names_stay_what_they_are(file):
    content = "user,item,rating\nJosé,a,5\nJosè,a,4\n"
    expected = [("José", "a", "5"), ("Josè", "a", "4")]
    for encoding in ("utf-8", "utf-8-sig"):
        assert rows_of(file, content.encode(encoding))[0] == expected
    for encoding in ("latin-1", "utf-16"):
        assert rows_of(file, content.encode(encoding), encoding=encoding)[0] == expected


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        (
            "a,b,5\nJosé,a,5\n".encode("latin-1"),
            None,
            "line 2, has the byte 0xe9, .* not UTF-8.*--enc",
        ),
        (b"a,b,5\n\x81,a,5\n", "cp1252", "line 2, has the byte 0x81, which is not cp1252"),
        ("a,b,5\n".encode("utf-16"), None, "UTF-16: say so by --encoding utf-16"),
        (b"\xff\xfea", "utf-16", "can't be read as utf-16"),
        (b"a,b,5\n", "klingon", "can't be read as klingon: unknown encoding"),
        (b"", None, "is empty"),
        (b"a,b\0,5\n", None, "has zero bytes"),
        (b"PK\x03\x04...", None, "a zip archive or an Excel workbook"),
        (b"\x93NUMPY...", None, "a NumPy array"),
        (
            gzip.compress(b"a,b,5\n" * 99, mtime=0)[:-9],
            None,
            "can't be read: Compressed file ended",
        ),
        (b"\x1f\x8bnothing", None, "can't be read"),
        (b' [{"user": 1}]', None, "one JSON array; needed is one object a line"),
        (b"[\n1]", None, "one JSON array"),
    ],
)
def test_files_that_are_no_ratings_are_named_for_what_they_are(file, content, encoding, words):
    with pytest.raises(StorageError, match=words):
        rows_of(file, content, encoding=encoding)


def test_missing_files_folders_and_tars_are_named(tmp_path, file):
    with pytest.raises(StorageError, match="can't be read: No such file"):
        [*table_rows(file, Options(), {}, [])]
    with pytest.raises(StorageError, match="can't be read: Is a directory"):
        [*table_rows(tmp_path, Options(), {}, [])]
    file.write_text("a,b,5\n")
    for mode in ("w", "w:gz"):
        with tarfile.open(tmp_path / "a.tar", mode) as archive:
            archive.add(file, "a.csv")
        with pytest.raises(StorageError, match="is a tar archive: unpack it"):
            [*table_rows(tmp_path / "a.tar", Options(), {}, [])]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_read_as_they_are(file, pack):
    assert rows_of(file, pack(b"a,b,5\n"))[0] == [("a", "b", "5")]


def test_progress_is_shown(file, monkeypatch, capsys):
    monkeypatch.setattr(rating_rows, "REPORT_EVERY", 2)
    rows_of(file, "a,b,5\n" * 5)
    assert "ratings.txt: 4 rows …" in capsys.readouterr().out


# ---- JSON lines


def test_json_lines_go_by_their_keys(file):
    records = [
        {"overall": 5.0, "asin": "a", "reviewerID": "ann", "unixReviewTime": 7},
        {"reviewerID": 3, "asin": "b", "overall": None, "unixReviewTime": "8"},
    ]
    lines = ["\ufeff" + json.dumps(records[0]), "{", "", "[1]", 9_000 * "[", '{"asin": "a"}']
    rows, skipped, notes = rows_of(file, "\n".join([*lines, json.dumps(records[1])]))
    assert rows == [("ann", "a", 5.0, 7), (3, "b", None, "8")]
    assert skipped == {"no JSON": 2, "empty line": 1, "no JSON object": 1, "no reviewerID": 1}
    assert "JSON lines" in notes
    assert "item = asin" in notes


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({"business_id": "a", "categories": None, "stars": 3.5}, "businesses"),
        ({"business_id": "a", "user_id": "b", "stars": 3.0, "date": ""}, "reviews"),
        ({"user_id": "b", "yelping_since": ""}, "users"),
        ({"user_id": "b", "business_id": "a", "date": "", "compliment_count": 0}, "tips"),
        ({"business_id": "a", "date": ""}, "check-ins"),
        ({"a": 1}, "something else"),
    ],
)
def test_yelp_files_are_told_from_one_another(file, record, kind):
    file.write_text(json.dumps(record) + "\n")
    assert yelp_kind(file) == kind
    if kind not in ("reviews", "something else"):
        with pytest.raises(StorageError, match=f"holds Yelp's {kind}, no ratings"):
            [*table_rows(file, Options(), {}, [])]


# ---- values


@pytest.mark.parametrize(
    ("value", "rating"),
    [
        *(("4.5", 4.5), (" 4 ", 4), ("4,5", 4.5), ("-1", -1), (".5", 0.5), ("1e1", 10), (3, 3)),
        *(("1,000", None), ("nan", None), ("inf", None), ("1_0", None), ("", None), ("five", None)),
        *((None, None), (True, None), (float("nan"), None), (10**400, None), ([5], None)),
    ],
)
def test_ratings_are_finite_numbers(value, rating):
    assert read_rating(value) == rating


def test_names_are_text_or_whole_numbers():
    assert [read_name(v) for v in (" a b ", 5, "5", "", " ", None, 5.0, True, ["a"])] == [
        *("a b", 5, "5"),
        *(6 * [None]),
    ]
