"""Damaged files of every kind that the course reads: `python -m tests.fuzz 10000`.

Each file is spoiled in a few places and read. What comes out is data or one clear error that names the
file; anything else is a fault.
"""

import gzip
import json
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from helpers.checkpoints import read_tensors, write_tensors
from helpers.fashion_mnist import decode_idx, encode_idx
from helpers.ratings_files import read_rating_array, read_table, read_yelp
from helpers.storage import StorageError, read_json, write_json

Readers = dict[Path, Callable[[Path], object]]
TABLE = 'user\titem\trating\ttime\nann\t"the ""x"""\t5\t2015-01-01\nbob\ty\t4\t2016-01-01\n'
BUSINESSES = [{"business_id": f"b{i}", "categories": "Restaurants, Pizza"} for i in range(3)]
REVIEWS = [
    {
        "user_id": f"u{i}",
        "business_id": f"b{i % 3}",
        "stars": 1.0 + i % 5,
        "date": f"2015-01-0{i + 1}",
    }
    for i in range(6)
]


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, taken out or put in; now and then the file is cut short."""
    spoilt = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        place = int(rng.integers(len(spoilt) + 1))
        put = rng.choice([b"", b"\n", b'"', b",", b"\0", b"\xff", b"0", b"(", b"{", rng.bytes(3)])
        spoilt[place : place + int(rng.integers(0, 4))] = put
    return bytes(spoilt[: rng.integers(len(spoilt) + 1)] if rng.random() < 0.1 else spoilt)


def samples(folder: Path) -> Readers:
    """A whole file of each kind in ``folder``, and what reads it."""

    def idx(path: Path) -> np.ndarray:
        try:
            return decode_idx(path.read_bytes())
        except StorageError as error:
            raise StorageError(f"{path}: {error}") from None

    lines = {"business": BUSINESSES, "review": REVIEWS}
    for name, records in lines.items():
        (folder / f"{name}.json").write_text("".join(json.dumps(r) + "\n" for r in records))
    np.save(folder / "a.npy", np.array([[0, 0, 5], [0, 1, 4], [1, 0, 3.5]]))
    (folder / "a.tsv").write_text(TABLE)
    (folder / "a.csv.gz").write_bytes(gzip.compress(b"user,item,rating\na,b,5\n"))
    (folder / "a.idx").write_bytes(encode_idx(np.arange(12).reshape(3, 4)))
    write_tensors(folder / "a.safetensors", {"w": torch.ones(2, 3)}, {"epochs": 3})
    write_json(folder / "manifest.json", {"results": {"error": [0.1, 0.2]}, "epochs": 2})
    business, review = folder / "business.json", folder / "review.json"
    return {
        folder / "a.npy": read_rating_array,
        folder / "a.tsv": read_table,
        folder / "a.csv.gz": read_table,
        review: lambda path: read_yelp(business, path),
        business: lambda path: read_yelp(path, review),
        folder / "a.idx": idx,
        folder / "a.safetensors": read_tensors,
        folder / "manifest.json": lambda path: read_json(path, "Restore it."),
    }


def fuzz(count: int, seed: int, folder: Path) -> Counter:
    """Spoil and read ``count`` files; how many gave "data", were "refused", or what went wrong."""
    rng, readers, outcomes = np.random.default_rng(seed), samples(folder), Counter()
    whole = {path: path.read_bytes() for path in readers}
    for i in range(count):
        path = list(readers)[i % len(readers)]
        path.write_bytes(mutate(whole[path], rng))
        try:
            readers[path](path)
            outcomes["data"] += 1
        except StorageError as error:
            outcomes["refused" if str(folder) in str(error) else f"unnamed: {error}"] += 1
        except Exception:
            outcomes[f"{path.name}: {traceback.format_exc(limit=-2)}"] += 1
        path.write_bytes(whole[path])
    return outcomes


def main() -> None:
    """Command line: how many files, and the seed."""
    count, seed = [*map(int, sys.argv[1:]), *(10_000, 0)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        outcomes = fuzz(count, seed, Path(folder))
    for outcome, number in outcomes.most_common():
        print(f"{number:6}  {outcome}")
    raise SystemExit(bool(outcomes.keys() - {"data", "refused"}))


if __name__ == "__main__":
    main()
