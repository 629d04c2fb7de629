"""Rows of user, item, rating and time from a table or from JSON lines, a line at a time.

Nothing is dropped in silence: a line that can't be read is counted under a reason. What is wrong with
the whole file (not text, another encoding, no columns) is a :class:`StorageError` that names it.
"""

import bz2
import csv
import gzip
import json
import lzma
import re
import sys
import zlib
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path

from helpers.storage import StorageError
from helpers.times import NUMBER

ROLES = ("user", "item", "rating", "time")
HEADINGS = {  # as they are without capitals, spaces and signs
    "user": "user userid uid reviewer reviewerid customer customerid member memberid profileid",
    "item": "item itemid iid movie movieid film filmid business businessid restaurant restaurantid asin "
    "parentasin book bookid isbn product productid anime animeid game gameid song songid track trackid "
    "artist artistid place placeid recipe recipeid beer beerid",
    "rating": "rating ratings stars star overall score userrating bookrating reviewscore",
    "time": "timestamp unixreviewtime unixtime datetime time date reviewtime reviewdate createdat ratedat",
}
SEPARATORS = {
    "\t": "tab",
    "::": "double colon",
    ";": "semicolon",
    "|": "bar",
    ",": "comma",
    " ": "spaces",
}
SAMPLE_LINES = 50  # from which the separator is found
QUOTED_LINES = 200  # over which a quoted field may go
REPORT_EVERY = 500_000  # rows
EXAMPLES = 3  # of lines skipped for one reason
UNPACKERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
NOT_TEXT = {
    b"PK\x03\x04": "a zip archive or an Excel workbook: unpack it, or save the sheet as CSV",
    b"\x93NUMPY": "a NumPy array: `check` reads it; chapter 2 does once it is data/yelp-dataset.npy",
    b"PAR1": "a Parquet file: write it as CSV",
    b"SQLite": "a database: write its table as CSV",
}
YELP_KINDS = {  # keys that tell Yelp's files from one another
    "businesses": {"business_id", "categories"},
    "reviews": {"business_id", "user_id", "stars"},
    "users": {"user_id", "yelping_since"},
    "tips": {"user_id", "compliment_count"},
    "check-ins": {"business_id", "date"},
}

Skipped = dict[str, tuple[int, list[str]]]  # of each reason, how many lines and the first ones
Line = tuple[int, str]


@dataclass(frozen=True)
class Options:
    """What the reader of a file says about it; None and empty: find out.

    Attributes
    ----------
    columns : mapping
        Role (user, item, rating, time) to a heading, or to a position from 1; "" for none.
    not_rated : tuple of float
        Ratings that mean "not rated".
    encoding, separator, time_format : str or None
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    not_rated: tuple[float, ...] = ()
    encoding: str | None = None
    separator: str | None = None
    time_format: str | None = None


AS_FOUND = Options()


def skip(skipped: Skipped, reason: str, number: int, seen: object = None) -> None:
    """Count a line under a reason; the first few are remembered with what was seen."""
    count, examples = skipped.get(reason, (0, []))
    if count < EXAMPLES:
        examples.append(f"line {number:,}" + ("" if seen is None else f": {str(seen)[:60]!r}"))
    skipped[reason] = count + 1, examples


# ---- lines


def text_lines(path: Path, encoding: str | None) -> Iterator[Line]:
    """Numbered lines of a text file, packed or not, without their ends.

    Raises
    ------
    StorageError
        If the file can't be read or isn't text in this encoding (None: UTF-8, with BOM or without).
    """
    try:
        with _unpacker(path)(path, "rb") as file:
            _check_text(path, file.read(512), encoding)
        codec = {"encoding": encoding or "utf-8-sig", "errors": "surrogateescape", "newline": ""}
        with _unpacker(path)(path, "rt", **codec) as lines:
            for number, line in enumerate(lines, 1):
                if not line.isascii():
                    _check_encoded(path, number, line, encoding)
                yield number, line
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"{path} can't be read: {reason}") from error
    except (LookupError, UnicodeError) as error:
        raise StorageError(f"{path} can't be read as {encoding}: {error}") from error


def _unpacker(path: Path):
    with path.open("rb") as file:
        head = file.read(6)
    return next((unpack for magic, unpack in UNPACKERS.items() if head.startswith(magic)), open)


def _check_text(path: Path, head: bytes, encoding: str | None) -> None:
    known = [text for magic, text in NOT_TEXT.items() if head.startswith(magic)]
    if not head:
        known = ["empty"]
    if head[257:262] == b"ustar":
        known = ["a tar archive: unpack it (`tar -xf`) and give the files in it"]
    if not encoding and head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        known = ["text in UTF-16: say so by --encoding utf-16"]
    if not encoding and b"\0" in head:
        known.append("no text: it has zero bytes")
    if known:
        raise StorageError(f"{path} is {known[0]}.")


def _check_encoded(path: Path, number: int, line: str, encoding: str | None) -> None:
    try:
        line.encode()
    except UnicodeEncodeError as error:
        byte = ord(line[error.start]) - 0xDC00  # where surrogateescape keeps it
        raise StorageError(
            f"{path}, line {number:,}, has the byte 0x{byte:02x}, which is not "
            f"{encoding or 'UTF-8'}. If the file is in another encoding, say which: "
            "--encoding latin-1 (Western Europe), cp1252 (Windows) …"
        ) from None


# ---- JSON lines


def is_json(path: Path, encoding: str | None = None) -> bool:
    """Whether a file holds JSON lines: one object a line.

    Raises
    ------
    StorageError
        If it is one JSON array; the message says how to turn that into lines.
    """
    first = next((line.strip() for _, line in text_lines(path, encoding) if line.strip()), "")
    if first.startswith("[") and first[1:].strip()[:1] in ("", "{", "["):
        raise StorageError(
            f"{path} is one JSON array; needed is one object a line (`jq -c '.[]'` makes that)."
        )
    return first.startswith("{")


def json_records(path: Path, skipped: Skipped, encoding: str | None = None) -> Iterator:
    """Line numbers and objects of a file of JSON lines; other lines are counted."""
    is_json(path, encoding)
    for number, line in text_lines(path, encoding):
        try:
            record = json.loads(line)
            if isinstance(record, dict):
                yield number, record
            else:
                skip(skipped, "no JSON object", number, line.strip())
        except (ValueError, RecursionError):
            skip(skipped, "no JSON" if line.strip() else "empty line", number, line.strip())


def yelp_kind(path: Path, encoding: str | None = None) -> str:
    """What a file of Yelp's holds, by the keys of its objects: "businesses", "reviews" …"""
    if not is_json(path, encoding):
        return "no JSON lines"
    keys = {*_keys(path, encoding)}
    kinds = [kind for kind, needed in YELP_KINDS.items() if needed <= keys]
    return kinds[0] if kinds else "something else"


def _keys(path: Path, encoding: str | None) -> list[str]:
    """Keys of the first objects, so that one that lacks some doesn't decide."""
    records = islice(json_records(path, {}, encoding), SAMPLE_LINES)
    return [*dict.fromkeys(key for _, record in records for key in record)]


# ---- tables


def table_rows(path: Path, options: Options, skipped: Skipped, notes: list[str]) -> Iterator:
    """Line numbers and (user, item, rating, time) as they stand in a table or in JSON lines.

    ``notes`` receives how the file was understood, before the first row comes.
    """
    read = _json_rows if is_json(path, options.encoding) else _text_rows
    for count, row in enumerate(read(path, options, skipped, notes), 1):
        if count % REPORT_EVERY == 0:
            print(f"{path.name}: {count:,} rows …", flush=True)
        yield row


def _json_rows(path: Path, options: Options, skipped: Skipped, notes: list[str]) -> Iterator:
    if (kind := yelp_kind(path, options.encoding)) not in ("reviews", "something else"):
        raise StorageError(f"{path} holds Yelp's {kind}, no ratings.")
    keys = _keys(path, options.encoding)
    columns, _ = find_columns(path, keys, options.columns)
    notes += ["format      JSON lines", _describe_columns(columns, keys)]
    names = [keys[place] for place in columns.values()]
    for number, record in json_records(path, skipped, options.encoding):
        missing = [name for name in names if name not in record]
        if missing:
            skip(skipped, f"no {missing[0]}", number)
        else:
            yield number, *(record[name] for name in names)


def _text_rows(path: Path, options: Options, skipped: Skipped, notes: list[str]) -> Iterator:
    lines = text_lines(path, options.encoding)
    sample = [*islice(lines, SAMPLE_LINES)]
    first = next((line for line in sample if line[1].strip()), (1, ""))
    separator = options.separator or find_separator([line for _, line in sample])
    heads = [name.strip() for name in _split(first[1], separator) or _cut(first[1], separator)]
    columns, headings = find_columns(path, heads, options.columns)
    notes += [
        f"format      table, separator {SEPARATORS.get(separator, separator)}",
        f"encoding    {options.encoding or 'UTF-8'}",
        _describe_columns(columns, heads if headings else None),
    ]
    for number, fields in _records(chain(sample, lines), separator, len(heads), columns["rating"]):
        if headings and number == first[0]:
            continue
        if len(fields) == len(heads):
            yield number, *(fields[place] for place in columns.values())
        elif not "".join(fields).strip():
            skip(skipped, "empty line", number)
        else:
            reason = f"not {len(heads)} columns"
            skip(skipped, reason, number, SEPARATORS.get(separator, separator).join(fields))


def find_separator(lines: list[str]) -> str:
    """The separator that cuts most lines into as many columns, three or more."""

    def regularity(separator: str) -> int:
        widths = Counter(len(_split(line, separator) or []) for line in lines)
        return max((n for width, n in widths.items() if width >= 3), default=0)

    return max(SEPARATORS, key=regularity)


def _cut(line: str, separator: str) -> list[str]:
    """Fields between separators; quotes count only around a whole field."""
    line = line.rstrip("\r\n")
    fields = line.split(None if separator == " " else separator)
    return [re.sub(r'^\s*"(.*)"\s*$', r"\1", text).replace('""', '"') for text in fields]


def _split(line: str, separator: str) -> list[str] | None:
    """Fields that may be quoted; None where quotes are open or don't surround a field."""
    if '"' not in line or len(separator) > 1:
        return line.rstrip("\r\n").split(None if separator == " " else separator)
    text = line.strip(" \r\n") if separator == " " else line.rstrip("\r\n")
    try:
        return next(csv.reader([text], delimiter=separator, strict=True, skipinitialspace=True), [])
    except csv.Error:
        return None


def _records(lines: Iterator[Line], separator: str, width: int, rating: int) -> Iterator:
    """Line numbers and fields. A quoted field may go over lines, but swallows no row."""
    waiting: deque[Line] = deque()
    while line := waiting.popleft() if waiting else next(lines, None):
        fields = _split(line[1], separator)
        if fields is None:
            waiting.extend(islice(lines, QUOTED_LINES - len(waiting)))
            fields, used = _close_quote(line[1], waiting, separator, width, rating)
            for _ in range(used):
                waiting.popleft()
        yield line[0], fields


def _close_quote(
    text: str, following: deque[Line], separator: str, width: int, rating: int
) -> tuple[list[str], int]:
    """Fields of a line with an open quote, and how many of the following lines are part of it.

    The quote is a mere sign if a complete row follows before it closes, or if this line and the
    closing one are both complete rows.
    """

    def is_row(fields: list[str]) -> bool:
        return len(fields) == width and NUMBER.fullmatch(_point(fields[rating])) is not None

    alone = _cut(text, separator)
    whole = is_row(alone)
    for used, (_, line) in enumerate(following, 1):
        text += line
        joined = _split(text, separator) if '"' in line else None
        closed = joined is not None and len(joined) == width
        row = is_row(_split(line, separator) or []) or (whole and is_row(_cut(line, separator)))
        if row and (whole or not closed):
            break
        if joined is not None:
            return (joined, used) if closed else (alone, 0)
    return alone, 0


# ---- which column is what


def find_columns(
    path: Path, first: list[str], stated: Mapping[str, str]
) -> tuple[dict[str, int], bool]:
    """Which column is what, by stated names or positions, by headings, else by position.

    Parameters
    ----------
    first : list of str
        The fields of the first row, or the keys of an object.
    stated : mapping
        Role to heading or position from 1; "" for none.

    Returns
    -------
    columns : dict
        Role to position from 0, in the order of ``ROLES``; there may be no time.
    headings : bool
        Whether the first row holds headings.

    Raises
    ------
    StorageError
        If two columns could have the same role, or a role has none.
    """
    found = {role: _stated_column(path, first, name) for role, name in stated.items() if name}
    headings = any(name and not name.isdecimal() for name in stated.values())
    for role in ROLES:
        if role not in stated:
            known = [(HEADINGS[role].split().index(name), i) for i, name in _known(first, role)]
            if len(known) > 1 and role != "time":
                names = ", ".join(first[i] for _, i in known)
                raise StorageError(f"{path}: which is the {role}: {names}?{_how(first)}")
            found |= {role: min(known)[1]} if known else {}
    headings |= any(role not in stated for role in found)
    if not found and len(first) in (3, 4) and NUMBER.fullmatch(_point(first[2])):
        found = {role: i for i, role in enumerate(ROLES[: len(first)]) if role not in stated}
    missing = [role for role in ROLES[:3] if role not in found]
    if missing:
        raise StorageError(f"{path}: which column is the {missing[0]}?{_how(first)}")
    if len({*found.values()}) < len(found):
        raise StorageError(f"{path}: a column can't be two things.{_how(first)}")
    headings |= not NUMBER.fullmatch(_point(first[found["rating"]]))
    return {role: found[role] for role in ROLES if role in found}, headings


def _known(first: list[str], role: str) -> list[tuple[int, str]]:
    plain = ["".join(filter(str.isalnum, heading.lower())) for heading in first]
    return [(i, name) for i, name in enumerate(plain) if name in HEADINGS[role].split()]


def _stated_column(path: Path, first: list[str], name: str) -> int:
    if name.isdecimal() and 1 <= int(name) <= len(first):
        return int(name) - 1
    if name in first:
        return first.index(name)
    raise StorageError(f"{path} has no column {name!r}.{_how(first)}")


def _how(first: list[str]) -> str:
    return (
        f"\nIts first row: {' | '.join(first)[:300]}\nSay which by headings or by positions from 1, "
        "as in --columns user=1,item=2,rating=3,time=4 (time= for none); --separator gives another separator."
    )


def _describe_columns(columns: dict[str, int], names: list[str] | None) -> str:
    parts = [
        f"{role} = {names[place] + ' ' if names else ''}(column {place + 1})"
        for role, place in columns.items()
    ]
    remarks = ("" if names else "; no headings") + ("" if "time" in columns else "; no time")
    return f"columns     {', '.join(parts)}{remarks}"


# ---- values


def _point(text: str) -> str:
    """A number with a decimal comma, if it has one, as a point (1,000 stays: it may be a thousand)."""
    return re.sub(r"^([^,.]*),(\d\d?)$", r"\1.\2", text.strip())


def read_rating(value: object) -> float | None:
    """A finite number from a field; None if it is none."""
    if isinstance(value, str):
        value = _number(value)
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good and abs(value) <= sys.float_info.max else None


@lru_cache(maxsize=10_000)  # millions of ratings share a few values
def _number(text: str) -> float | None:
    text = _point(text)
    return float(text) if NUMBER.fullmatch(text) else None


def read_name(value: object) -> str | int | None:
    """A name without spaces around, or a whole number of a JSON file; None if it is none."""
    if isinstance(value, str):
        return value.strip() or None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
