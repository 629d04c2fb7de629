"""The reader's own ratings: from Yelp's files, from a table, or as an array in ``data/``::

    python -m helpers.ratings_files check FILE       tells what a table, JSON lines or .npy hold
    python -m helpers.ratings_files table FILE       writes them for chapter 2
    python -m helpers.ratings_files yelp BUSINESS.json REVIEW.json
                                                     writes the ratings of Yelp's restaurants

What is written is ``data/yelp-dataset.npy``, which chapter 2 uses as soon as it is there. The
environment variable ``COURSE_RATINGS`` names another file, or says ``generated``.
"""

import argparse
import json
import os
import warnings
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.generated_ratings import Truth, generate_ratings
from helpers.rating_rows import (
    AS_FOUND,
    ROLES,
    SEPARATORS,
    Options,
    Skipped,
    json_records,
    read_name,
    read_rating,
    skip,
    table_rows,
    yelp_kind,
)
from helpers.ratings import (
    LARGEST_RATING,
    Ratings,
    Scale,
    rating_scale,
    ratings_from_triples,
)
from helpers.storage import DATA, StorageError, incoming
from helpers.terminal import show_unknown_letters
from helpers.times import Times, add_time, describe, new_times, settle, show_time

YELP = DATA / "yelp-dataset.npy"
WHICH_RATINGS = "COURSE_RATINGS"  # an environment variable
GENERATED = "generated"
YELP_STARS = (1, 5)
MEND_ARRAY = "It should be what `numpy.save` writes of an (n, 3) array: user, item, stars; or (n, 4) with time."
MEND_WRITE = "Make room there or mend its permissions, then once more; nothing was changed."
MOST_VALUES = 21  # of a scale, counted one by one


@dataclass(frozen=True)
class Found:
    """What a file holds: of each user and item one rating, sorted by user and item.

    Attributes
    ----------
    user_names, item_names : list
        In the order in which they first appear.
    users, items : ndarray of shape (n,), int32
        Positions in the names.
    stars : ndarray of shape (n,), float64
    replaced : int
        How many ratings a newer one of the same user and item has replaced.
    notes : list of str
        How the file was understood.
    skipped : dict
        Reason to the number of lines skipped for it, and the first few of them.
    """

    user_names: list
    item_names: list
    users: np.ndarray
    items: np.ndarray
    stars: np.ndarray
    replaced: int
    notes: list[str]
    skipped: Skipped


# ---- what chapter 2 reads


def read_rating_array(path: Path = YELP) -> tuple[Ratings, int]:
    """Ratings saved as an (n, 3) or (n, 4) array, and how many rows a later one has replaced.

    Later is what has the greater time in the fourth column; without times, what stands below.

    Raises
    ------
    StorageError
        If the file is missing, isn't an array of numbers, or holds something else than ratings.
    """
    try:
        with warnings.catch_warnings():  # written by Python 2, says NumPy; the numbers are right
            warnings.simplefilter("ignore", UserWarning)
            rows = np.load(path, allow_pickle=False)
        return _ratings_of(rows)
    except FileNotFoundError:
        raise StorageError(f"{path.name} is not in {path.parent}.") from None
    except Exception as error:  # a damaged header raises whatever Python's parser can
        raise StorageError(f"{path} does not hold ratings: {error}\n{MEND_ARRAY}") from error


def _ratings_of(rows: np.ndarray) -> tuple[Ratings, int]:
    if not isinstance(rows, np.ndarray):
        rows.close()
        raise TypeError("it is an archive of arrays (.npz)")
    if rows.ndim != 2 or rows.shape[1] != 4:
        return ratings_from_triples(rows)
    found = ratings_from_triples(rows[:, :3])  # so that errors name the file's own rows
    times = rows[:, 3]
    if not np.isfinite(times).all():
        raise ValueError(f"row {int(np.argmin(np.isfinite(times)))} has a time that isn't finite")
    in_order = np.argsort(times, kind="stable")
    return ratings_from_triples(rows[in_order, :3]) if found[1] else found


def load_ratings(seed: int = 0, path: Path | None = None) -> tuple[Ratings, Truth | None, str]:
    """The reader's own ratings where ``data/yelp-dataset.npy`` is there, else generated ones.

    A file of the same name with another ending is offered, not read. Where the environment variable
    ``COURSE_RATINGS`` is set, it decides: a file's path, or ``generated`` whatever lies in ``data/``.
    Tests and ``make run`` set it, so that what they show doesn't depend on the reader's ratings.

    Parameters
    ----------
    seed : int
        Of the generated ratings.
    path : Path, optional
        Read this file if it is there, whatever the variable says.

    Returns
    -------
    ratings : Ratings
    truth : Truth or None
        What generated ratings were made from; nobody knows it of real ones.
    source : str
        "generated ratings" or "ratings from …", for captions.

    Raises
    ------
    StorageError
        If the file doesn't hold ratings, or the variable names one that is missing.
    """
    named = os.environ.get(WHICH_RATINGS) if path is None else None
    if named == GENERATED:
        return *generate_ratings(np.random.default_rng(seed)), "generated ratings"
    path = Path(named) if named else path or YELP
    if named or path.exists():
        ratings, replaced = read_rating_array(path)
        note = f", {replaced:,} rows replaced by a later one" if replaced else ""
        return ratings, None, f"ratings from {path.name}{note}"
    for other in sorted(path.parent.glob(f"{path.stem}.*")):
        if ".names." not in other.name:
            print(f"{other.name} is not used until `python -m helpers.ratings_files table {other}`")
    ratings, truth = generate_ratings(np.random.default_rng(seed))
    return ratings, truth, "generated ratings"


# ---- reading


def read_table(path: Path, options: Options = AS_FOUND) -> Found:
    """Ratings of a table (any separator) or of JSON lines; see :class:`Options`.

    Of each user and item the newest rating counts; without times, or at the same time, the later line.

    Raises
    ------
    StorageError
        If the file can't be read, or has no rating. What is wrong with single lines is counted.
    """
    skipped, notes = {}, []
    return _gather(table_rows(path, options, skipped, notes), path, options, skipped, notes)


def read_yelp(business: Path, review: Path, options: Options = AS_FOUND) -> Found:
    """Ratings of restaurants in the Yelp Open Dataset; packed files (.gz) are read as they are.

    Parameters
    ----------
    business, review : Path
        ``yelp_academic_dataset_business.json`` and ``yelp_academic_dataset_review.json``.

    Raises
    ------
    StorageError
        As :func:`read_table`; and if a file is another one of Yelp's, or has no restaurant.
    """
    for path, kind in ((business, "businesses"), (review, "reviews")):
        if (found := yelp_kind(path, options.encoding)) != kind:
            raise StorageError(
                f"{path} holds {found}, not Yelp's {kind}; give the file of businesses, then that of reviews."
            )
    not_read: Skipped = {}
    restaurants = set(_restaurants(json_records(business, not_read, options.encoding), not_read))
    if not restaurants:
        raise StorageError(f"{business} has no business with 'Restaurants' among its categories.")
    skipped, notes = {}, []
    columns = {"user": "user_id", "item": "business_id", "rating": "stars", "time": "date"}
    given = Options(columns | {**options.columns}, options.not_rated, options.encoding)
    rows = table_rows(review, given, skipped, notes)
    found = _gather(_of(restaurants, rows, skipped), review, given, skipped, notes, YELP_STARS)
    notes.insert(0, f"restaurants {len(restaurants):,} in {business.name}")
    skipped |= {f"{reason}, in {business.name}": lines for reason, lines in not_read.items()}
    return found


def _restaurants(records: Iterable, skipped: Skipped) -> Iterator[str | int]:
    for number, record in records:
        name, categories = read_name(record.get("business_id")), record.get("categories", 0)
        if isinstance(categories, str):
            categories = categories.split(",")
        if name is None or not isinstance(categories, list | None):
            skip(skipped, "no business_id or categories", number, record)
        elif "Restaurants" in [str(category).strip() for category in categories or []]:
            yield name


def _of(restaurants: set, rows: Iterable, skipped: Skipped) -> Iterator:
    """Rows of restaurants, and those without a name; the others are counted."""
    for row in rows:
        name = read_name(row[2])
        if name is None or name in restaurants:
            yield row
        else:
            skip(skipped, "of no restaurant", row[0])


def _gather(
    rows: Iterable[tuple],
    path: Path,
    options: Options,
    skipped: Skipped,
    notes: list[str],
    allowed: tuple[float, float] | None = None,
) -> Found:
    users, items, times = {}, {}, new_times(options.time_format)
    columns = array("i"), array("i"), array("d")  # millions: 16 bytes a rating, and 8 for its time
    for number, *fields in rows:
        fault = _fault(fields, options.not_rated, allowed)
        if fault:
            skip(skipped, fault[0], number, fault[1])
            continue
        if len(fields) == 4 and not add_time(times, str(fields[3]).strip()):
            raise StorageError(_time_fault(path, number, fields[3], times))
        user, item, rating = read_name(fields[0]), read_name(fields[1]), read_rating(fields[2])
        if not columns[0]:
            shown = zip(ROLES, (user, item, f"{rating:g}", *fields[3:]), strict=False)
            notes.append(f"first row   {', '.join(f'{role} {value!s}' for role, value in shown)}")
        columns[0].append(users.setdefault(user, len(users)))
        columns[1].append(items.setdefault(item, len(items)))
        columns[2].append(rating)
    if not columns[0]:
        raise StorageError("\n".join([f"{path} has no rating.", *notes, *_show_skipped(skipped)]))
    in_time = _in_time(path, times, notes)
    newest = _newest(*map(np.asarray, columns), in_time)
    return Found([*users], [*items], *newest, len(columns[0]) - len(newest[0]), notes, skipped)


def _fault(fields: list, not_rated: tuple, allowed: tuple | None) -> tuple[str, object] | None:
    """Why a row is skipped, and what was seen; None if it is good."""
    for role, value in zip(ROLES, fields[:2], strict=False):
        if read_name(value) is None:
            return f"no {role}", value
    rating = read_rating(fields[2])
    if rating is None:
        return "the rating is no number", fields[2]
    if abs(rating) > LARGEST_RATING:
        return f"the rating is beyond ±{LARGEST_RATING:,.0f}", fields[2]
    if rating in not_rated:
        return f"not rated ({rating:g})", None
    if allowed and not allowed[0] <= rating <= allowed[1]:
        return f"the rating is not in {allowed[0]} … {allowed[1]}", fields[2]
    no_time = len(fields) == 4 and (fields[3] is None or not str(fields[3]).strip())
    return ("no time", fields[3]) if no_time else None


def _time_fault(path: Path, number: int, value: object, times: Times) -> str:
    one = f", which is not of the form {describe(next(iter(times)))} of the lines before"
    seen = f"{path}, line {number:,}, has the time {value!r}"
    return (
        f"{seen}{one if any(times.values()) else ', in no form known here'}.\nWrite all times in one "
        "form; or state it, as in --time-format '%d/%m/%Y %H:%M'; or leave times out: --columns time="
    )


def _in_time(path: Path, times: Times, notes: list[str]) -> np.ndarray | None:
    """Times as numbers that grow with them, or None where the file has none."""
    if not any(times.values()):
        return None
    try:
        form = settle(times)
    except ValueError as error:
        raise StorageError(f"{path}: {error}; say which by --time-format.") from None
    notes.append(f"times       {describe(form)}")
    values = np.asarray(times[form])
    notes.append(f"span        {' to '.join(show_time(int(f(values)), form) for f in (min, max))}")
    return values


def _newest(
    users: np.ndarray, items: np.ndarray, stars: np.ndarray, times: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, items and stars with the newest rating of each pair alone."""
    keys = (items, users) if times is None else (times, items, users)
    order = np.lexsort(keys)  # stable: of the same time, the later line stays behind
    users, items = users[order], items[order]
    last = np.append((users[1:] != users[:-1]) | (items[1:] != items[:-1]), True)
    return users[last], items[last], stars[order[last]]


# ---- writing and telling


def write_found(found: Found, target: Path = YELP) -> None:
    """Write ratings as an array, and the names of users and items beside it (``….names.json``).

    The array has rows of user, item and rating: int32 if all ratings are whole, else float64.

    Raises
    ------
    StorageError
        If that can't be written; what was there before stays.
    """
    whole = (found.stars == np.rint(found.stars)).all()
    rows = np.empty((len(found.stars), 3), np.int32 if whole else np.float64)
    rows[:, 0], rows[:, 1], rows[:, 2] = found.users, found.items, found.stars
    scale = rating_scale(found.stars)._asdict()
    record = {"scale": scale, "users": found.user_names, "items": found.item_names}
    names = target.with_suffix(".names.json")
    try:
        with incoming(target.parent) as folder:
            np.save(folder / target.name, rows)
            (folder / names.name).write_text(json.dumps(record), encoding="utf-8")
            names.unlink(missing_ok=True)  # never the names of one file beside another's ratings
            os.replace(folder / target.name, target)
            os.replace(folder / names.name, names)
    except OSError as error:
        raise StorageError(f"{target} can't be written: {error}.\n{MEND_WRITE}") from error


def show_scale(scale: Scale) -> str:
    """A scale in words."""
    if scale.lowest == scale.highest:
        return f"all {scale.lowest:g}"
    step = f"in steps of {scale.step:g}" if scale.step else "without a common step"
    return f"from {scale.lowest:g} to {scale.highest:g} {step}"


def _show_skipped(skipped: Skipped) -> list[str]:
    return [
        f"skipped     {count:,} × {reason} ({'; '.join(lines)}{'; …' if count > len(lines) else ''})"
        for reason, (count, lines) in skipped.items()
    ] or ["skipped     nothing"]


def summary(found: Found) -> str:
    """What a file holds, how it was understood, and what was left out."""
    values, counts = np.unique(found.stars, return_counts=True)
    scale = rating_scale(found.stars)
    each = ", ".join(f"{v:g}: {n:,}" for v, n in zip(values, counts, strict=True))
    lines = [
        *found.notes,
        f"users       {len(found.user_names):,}",
        f"items       {len(found.item_names):,}",
        f"ratings     {len(found.stars):,}",
        f"replaced    {found.replaced:,} by a newer rating of the same user and item",
        f"scale       {show_scale(scale)}{f' ({each})' if len(values) <= MOST_VALUES else ''}",
        *_show_skipped(found.skipped),
    ]
    if scale.lowest <= 0:
        lowest = f"{scale.lowest:g}"
        lines.append(f"Does {lowest} mean 'not rated'? Then once more with --not-rated {lowest}")
    return "\n".join(lines)


def _read_npy(path: Path) -> Found:
    ratings, replaced = read_rating_array(path)
    notes, rows = ["format      NumPy array"], np.load(path, mmap_mode="r")
    if rows.shape[1] == 4:
        notes.append(f"span        {rows[:, 3].min():.15g} to {rows[:, 3].max():.15g}")
    names = ratings.user_ids.tolist(), ratings.item_ids.tolist()
    return Found(*names, ratings.users, ratings.items, ratings.stars, replaced, notes, {})


def _columns(text: str) -> dict[str, str]:
    """``user=a,item=2`` as a dictionary."""
    columns = dict(part.partition("=")[::2] for part in text.split(","))
    if "=" not in text or not columns.keys() <= {*ROLES}:
        raise argparse.ArgumentTypeError(f"{text!r} is not like user=1,item=2,rating=3,time=4")
    return columns


def _separator(text: str) -> str:
    """A separator from its name or itself."""
    named = {name: separator for separator, name in SEPARATORS.items()} | {"\\t": "\t"}
    if text in ("", '"', "\n", "\r"):
        raise argparse.ArgumentTypeError(f"columns can't be separated by {text!r}")
    return named.get(text, text)


def _arguments() -> tuple[str, list[Path], Options]:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.ratings_files",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("command", choices=["check", "table", "yelp"])
    add("files", nargs="+", type=Path, metavar="FILE")
    add(
        "--columns",
        type=_columns,
        default={},
        help="user=…,item=…,rating=…,time=… (heading or 1, 2 …)",
    )
    add(
        "--not-rated",
        type=float,
        action="append",
        default=[],
        help="a rating that is none, such as 0",
    )
    add("--encoding", help="such as latin-1; else UTF-8")
    add("--separator", type=_separator, help="between columns, if it isn't found: tab, comma, ; …")
    add("--time-format", help="such as %%d/%%m/%%Y, if it isn't found")
    given = parser.parse_args()
    count = 2 if given.command == "yelp" else 1
    if len(given.files) != count:
        parser.error(f"{given.command} takes {count} file(s), got {len(given.files)}")
    not_rated = tuple(given.not_rated)
    options = Options(given.columns, not_rated, given.encoding, given.separator, given.time_format)
    return given.command, given.files, options


def main(target: Path = YELP) -> None:
    """Command line."""
    command, files, options = _arguments()
    try:
        if command == "check" and files[0].suffix == ".npy":
            found = _read_npy(files[0])
        else:
            found = read_yelp(*files, options) if command == "yelp" else read_table(*files, options)
        print(summary(found))
        if command != "check":
            write_found(found, target)
            print(f"written to  {target}")
    except (StorageError, OSError) as error:
        raise SystemExit(f"{command}: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(f"{command}: interrupted; no file in data/ is half written.") from None


if __name__ == "__main__":
    show_unknown_letters()
    main()
