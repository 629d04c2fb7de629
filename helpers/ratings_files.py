"""The reader's own ratings: from Yelp's JSON, from a table, or as an array in ``data/``.

``python -m helpers.ratings_files yelp BUSINESS.json REVIEW.json`` turns the Yelp Open Dataset into
``data/yelp-dataset.npy``, ``… table FILE`` a table of user, item, rating and perhaps time. Notebooks
use that file as soon as it is there.
"""

import argparse
import csv
import json
import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from helpers.generated_ratings import Truth, generate_ratings
from helpers.ratings import Ratings, ratings_from_triples
from helpers.storage import DATA, StorageError, incoming

YELP = DATA / "yelp-dataset.npy"
REPORT_EVERY = 500_000  # lines
MEND_ARRAY = "It should be what `numpy.save` writes of an (n, 3) array: user, item, stars."


def read_array(path: Path = YELP) -> tuple[Ratings, int]:
    """Ratings saved as an (n, 3) array, and how many rows a later one has replaced.

    Raises
    ------
    StorageError
        If the file is missing, isn't an array of numbers, or holds something else than ratings.
    """
    try:
        return ratings_from_triples(np.load(path, allow_pickle=False))
    except FileNotFoundError:
        raise StorageError(f"{path.name} is not in {path.parent}.") from None
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise StorageError(f"{path} does not hold ratings: {error}\n{MEND_ARRAY}") from error


def load_ratings(seed: int = 0, path: Path = YELP) -> tuple[Ratings, Truth | None, str]:
    """The reader's own ratings where ``data/yelp-dataset.npy`` is there, else generated ones.

    Returns
    -------
    ratings : Ratings
    truth : Truth or None
        What generated ratings were made from; nobody knows it of real ones.
    source : str
        "generated ratings" or "ratings from …", for captions.
    """
    if path.exists():
        ratings, replaced = read_array(path)
        note = f", {replaced:,} rows replaced by a later one" if replaced else ""
        return ratings, None, f"ratings from {path.name}{note}"
    ratings, truth = generate_ratings(np.random.default_rng(seed))
    return ratings, truth, "generated ratings"


def convert_yelp(business: Path, review: Path, target: Path = YELP) -> dict[str, int]:
    """Write the ratings of restaurants in the Yelp Open Dataset as an array.

    Lines are read one at a time. Of each user and restaurant the latest rating counts; lines
    that can't be read are skipped and counted.

    Parameters
    ----------
    business, review : Path
        ``yelp_academic_dataset_business.json`` and ``yelp_academic_dataset_review.json``.
    target : Path
        The array; the users' and restaurants' names go beside it, into ``….names.npz``.

    Returns
    -------
    dict of int
        What was read, skipped and kept.

    Raises
    ------
    StorageError
        If a file is missing or has no restaurant, or no review of one. Nothing is written then.
    """
    skipped = {"lines skipped": 0}
    restaurants: dict[str, int] = {}
    for line in _json_lines(business, ("business_id", "categories"), skipped):
        if "Restaurants" in str(line["categories"]).split(", "):
            restaurants.setdefault(line["business_id"], len(restaurants))
    if not restaurants:
        raise StorageError(
            f"{business} has no line with a business_id and 'Restaurants' among its categories: "
            "is it yelp_academic_dataset_business.json?"
        )
    fields = ("user_id", "business_id", "stars", "date")
    reviews = (
        tuple(line.values())
        for line in _json_lines(review, fields, skipped)
        if line["business_id"] in restaurants
    )
    kept = _write_latest(reviews, target, f"{review} has no review of these restaurants")
    return {"restaurants": len(restaurants), **kept, **skipped}


def convert_table(path: Path, target: Path = YELP) -> dict[str, int]:
    """Write the ratings of a table (CSV or TSV: user, item, rating[, time]) as an array.

    A first line of headings is recognised and left out. Of each user and item the rating with
    the latest time counts; without times, the last one. Errors as for :func:`convert_yelp`.
    """
    skipped = {"lines skipped": 0}
    rows = _table_rows(path, skipped)
    kept = _write_latest(rows, target, f"{path} has no row of user, item and rating from 1 to 5")
    return {**kept, **skipped}


def _json_lines(path: Path, fields: tuple[str, ...], skipped: dict[str, int]) -> Iterator[dict]:
    """The objects in a file of JSON lines that have these fields; others are counted."""
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            if number % REPORT_EVERY == 0:
                print(f"{path.name}: {number:,} lines …", flush=True)
            try:
                record = json.loads(line)
                yield {field: record[field] for field in fields}
            except (ValueError, KeyError, TypeError):
                skipped["lines skipped"] += 1


def _table_rows(path: Path, skipped: dict[str, int]) -> Iterator[tuple[str, str, str, str]]:
    with _open(path) as lines:
        first = lines.readline()
        lines.seek(0)
        for number, row in enumerate(csv.reader(lines, delimiter="\t" if "\t" in first else ",")):
            if len(row) in (3, 4) and _is_number(row[2]):
                yield (*row, "0")[:4]  # without times, all are equal
            elif number > 0:  # the first line may hold headings
                skipped["lines skipped"] += 1


def _is_number(text: str) -> bool:
    try:
        return np.isfinite(float(text))
    except ValueError:
        return False


def _time_number(time: str) -> float:
    """A time as a number that grows with it: seconds stay, of a date its digits remain."""
    return float(time) if _is_number(time) else float("0" + "".join(filter(str.isdigit, time)))


def _open(path: Path):
    try:
        return path.open(encoding="utf-8", errors="replace", newline="")
    except OSError as error:
        raise StorageError(f"{path} can't be read: {error.strerror}") from error


def _write_latest(rows: Iterable[tuple], target: Path, empty: str) -> dict[str, int]:
    """Write rows of (user, item, stars, time) as triples in order of time, with names beside."""
    users, items = {}, {}
    triples, times = array("d"), array("d")  # millions of them: 8 bytes a number
    for user, item, stars, time in rows:
        place = users.setdefault(user, len(users)), items.setdefault(item, len(items))
        triples.extend((*place, float(stars)))
        times.append(_time_number(time))
    if not times:
        raise StorageError(f"{empty}; nothing was written.")
    in_order = np.frombuffer(triples).reshape(-1, 3)[np.argsort(times, kind="stable")]
    try:
        ratings, replaced = ratings_from_triples(in_order)
    except ValueError as error:
        raise StorageError(f"{error}; nothing was written.") from error
    whole = np.column_stack([ratings.users, ratings.items, ratings.stars])
    if (whole == np.rint(whole)).all():
        whole = whole.astype(np.int32)
    names = target.with_suffix(".names.npz")
    with incoming(target.parent) as folder:
        np.save(folder / target.name, whole)
        np.savez_compressed(folder / names.name, users=np.array([*users]), items=np.array([*items]))
        os.replace(folder / names.name, names)
        os.replace(folder / target.name, target)
    return {
        "users": len(users),
        "items": len(items),
        "ratings kept": len(whole),
        "ratings replaced by a later one": replaced,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m helpers.ratings_files", description=__doc__)
    parser.add_argument("kind", choices=["yelp", "table"])
    parser.add_argument("files", nargs="+", type=Path)
    arguments = parser.parse_args()
    convert, count = (convert_yelp, 2) if arguments.kind == "yelp" else (convert_table, 1)
    if len(arguments.files) != count:
        parser.error(f"{arguments.kind} takes {count} file(s), got {len(arguments.files)}")
    try:
        kept = convert(*arguments.files)
    except StorageError as error:
        raise SystemExit(f"{arguments.kind}: {error}") from None
    for what, number in kept.items():
        print(f"{number:>12,} {what}")
    print(f"written to {os.path.relpath(YELP)}")


if __name__ == "__main__":
    main()
