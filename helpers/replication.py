"""What the paper says of its Figures 2 and 3, and what our own runs say of each claim.

Source: Jing, Zbontar and LeCun, "Implicit rank-minimizing autoencoder", 2020.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from helpers.intervals import mean_interval
from helpers.spectrum import summarise_spectrum

# Shares of the largest value at some indices, from 0: read off the figures by eye.
PAPER = {
    "AE": {7: 0.21, 10: 0.135, 15: 0.025},
    "AE + L1": {7: 0.245, 10: 0.19, 15: 0.09},
    "AE + L2": {7: 0.24, 10: 0.175, 15: 0.04},
    "l = 2": {4: 0.083, 7: 0.01, 10: 0, 15: 0},
    "l = 4": {4: 0, 7: 0, 10: 0, 15: 0},
}
STUDENT = {  # a replication in public: the network as the paper writes it, read before the layers
    "AE": {7: 0.06},
    "AE + L1": {7: 0.065},
    "AE + L2": {7: 0.07},
    "l = 2": {7: 0.005},
}
MODELS = {
    "AE": "ae",
    "AE + L1": "ae-l1",
    "AE + L2": "ae-l2",
    "l = 2": "irmae-2",
    "l = 4": "irmae-4",
}
PAPERS_GROUP = "authors' network"  # the paper's own experiment
GROUPS = {  # experiments that the chapter compares, and the runs of each
    PAPERS_GROUP: {model: f"shapes-corner-{run}-authors" for model, run in MODELS.items()},
    "small start": {
        model: f"shapes-corner-{MODELS[model]}-small" for model in ("AE", "l = 2", "l = 4")
    },
    "He's start": {model: f"shapes-corner-{run}" for model, run in MODELS.items()},
    "He's start, centre": {model: f"shapes-centre-{run}" for model, run in MODELS.items()},
}
FORMATS = {  # of what row_at gives, for tables
    "error": ".5f",
    "hue": ".5f",
    "index 4": ".3f",
    "index 7": ".4f",
    "effective rank": ".1f",
}
FULL = 100  # epochs of a full run
TOLERANCE = 2.0  # a height replicates within this factor

Run = Mapping[str, object]
Runs = Mapping[str, Run]
Verdict = tuple[str, str]  # numbers in words; "yes", "no", "can't tell" or "–"


def row_at(run: Run, epoch: int) -> dict[str, float | str | None]:
    """What a recorded run had reached after some epochs, on held-out images.

    At its end these are 10,000 test images, before that 2,000 validation images.

    Parameters
    ----------
    run : mapping
        A manifest of a network of shapes.
    epoch : int
        From 1 to the last one recorded.

    Returns
    -------
    dict
        "epoch", "error" and the part of it that is "hue" (None where it was not recorded), and what
        :func:`helpers.spectrum.summarise_spectrum` says of the spectrum of the code.

    Raises
    ------
    ValueError
        If the run has no such epoch.
    """
    judged = _at_epoch(run, epoch)
    if epoch == run["epochs"]:
        judged |= run["results"]["test"]
    errors = {"epoch": epoch, "error": judged["error"], "hue": judged.get("hue")}
    return errors | summarise_spectrum(judged["spectrum"])


def row_of_seeds(runs: Sequence[Run], epoch: int) -> dict[str, str | None]:
    """What one experiment had reached after some epochs with each seed, on 2,000 validation images.

    Parameters
    ----------
    runs : sequence of mappings
        Manifests of networks of shapes that differ in their seed.
    epoch : int
        From 1 to the last one recorded.

    Returns
    -------
    dict
        "error × 1000", "hue × 1000" (None where errors were not recorded), "above 1 %" and "edges
        after" (:func:`helpers.spectrum.edges`): those of all seeds in a row. A code that is the
        same for all images has none above 1 %, and no edge.

    Raises
    ------
    ValueError
        If a run has no such epoch.
    """
    judged = [_at_epoch(run, epoch) for run in runs]
    row: dict[str, str | None] = {}
    for name in ("error", "hue"):
        known = all(name in one for one in judged)
        told = " and ".join(f"{1000 * one[name]:.2f}" for one in judged) if known else None
        row[f"{name} × 1000"] = told
    spectra = [one["spectrum"] for one in judged]
    found = [summarise_spectrum(of) if max(of) > 0 else {"above 1 %": 0} for of in spectra]
    row["above 1 %"] = " and ".join(str(one["above 1 %"]) for one in found)
    row["edges after"] = "; ".join(one.get("edges after") or "–" for one in found)
    return row


def _at_epoch(run: Run, epoch: int) -> dict:
    """What was recorded after an epoch, from 1."""
    last = run["epochs"]
    if not 1 <= epoch <= last:
        raise ValueError(f"epoch must lie in 1 … {last}, the last one of the run; got {epoch}")
    return {name: values[epoch - 1] for name, values in run["history"].items()}


def first_epoch(values: Sequence[float], goal: float) -> int | None:
    """The first epoch, from 1, after which a value is at most ``goal``; None if there is none."""
    reached = np.asarray(values) <= goal
    return int(reached.argmax()) + 1 if reached.any() else None


def compare_heights(runs: Runs) -> list[dict[str, float | str | None]]:
    """Heights of the spectra in our runs at their end, in the paper and in the student's replication.

    Parameters
    ----------
    runs : mapping from model to manifest
        Runs of the paper's experiment, named as in :data:`PAPER`.

    Returns
    -------
    list of dict
        For each model "index 4", "paper's 4", "index 7", "paper's 7" and "student's 7"; None where
        no value could be read.
    """
    rows = []
    for model, run in runs.items():
        row, ours = {"height": model}, row_at(run, run["epochs"])
        for index in (4, 7):
            row |= {f"index {index}": ours[f"index {index}"]}
            row |= {f"paper's {index}": PAPER[model].get(index)}
        rows.append(row | {"student's 7": STUDENT.get(model, {}).get(7)})
    return rows


def judge_claims(runs: Runs, *, of_paper: bool = False) -> list[dict[str, str]]:
    """Set what one group of runs shows beside what the paper claims.

    Parameters
    ----------
    runs : mapping from model to manifest
        Models are named as in :data:`PAPER`; not all need be there. Each claim compares its models
        after as many epochs, those of the shortest of their runs.
    of_paper : bool
        Whether these are runs of the paper's own experiment. Heights in its figure are set beside
        no other.

    Returns
    -------
    list of dict
        For each claim "claim", "found" (numbers in words) and "replicated": "yes", "no", "can't
        tell" where an interval holds zero, and "–" where a model is missing, its record stops at
        another epoch, or the claim is about the paper's experiment alone.
    """
    judged = []
    for claim, models, judge in CLAIMS:
        found, said = "", "–"
        if set(models) <= runs.keys() and (of_paper or judge is not _heights_agree):
            found, said = judge([runs[name] for name in models])
        judged.append({"claim": claim, "found": found, "replicated": said})
    return judged


def table_of_claims(groups: Mapping[str, Runs]) -> list[dict[str, str]]:
    """The claims as rows of a table, with a column for each group of runs, named as in GROUPS."""
    judged = {
        name: judge_claims(runs, of_paper=name == PAPERS_GROUP) for name, runs in groups.items()
    }
    rows = []
    for i, (claim, *_) in enumerate(CLAIMS):
        row = {"the paper's claim": claim}
        for name, of_group in judged.items():
            found, said = of_group[i]["found"], of_group[i]["replicated"]
            row[name] = f"**{said}**: {found}" if found else said
        rows.append(row)
    return rows


def _yes_or_no(holds: bool) -> str:
    return "yes" if holds else "no"


def _at_equal_epochs(runs: Sequence[Run]) -> tuple[list[dict], str]:
    epochs = min(run["epochs"] for run in runs)
    told = "" if epochs == FULL else f" (after {epochs} epochs)"
    return [row_at(run, epochs) for run in runs], told


def _ranks_fall(runs: Sequence[Run]) -> Verdict:
    rows, when = _at_equal_epochs(runs)
    ranks = [row["effective rank"] for row in rows]
    return " → ".join(f"{rank:.1f}" for rank in ranks) + when, _yes_or_no(
        ranks[0] > ranks[1] > ranks[2]
    )


def _first_is_narrowest(runs: Sequence[Run]) -> Verdict:
    rows, when = _at_equal_epochs(runs)
    plain, *others = (row["effective rank"] for row in rows)
    told = f"{plain:.1f} against " + " and ".join(f"{rank:.1f}" for rank in others)
    return told + when, _yes_or_no(plain < min(others))


def _counts_within(low: int, high: int) -> Callable[[Sequence[Run]], Verdict]:
    def judge(runs: Sequence[Run]) -> Verdict:
        (row,), when = _at_equal_epochs(runs)
        counts = row["above 1 %"], row["above 0.1 %"]
        told = f"{counts[0]} above 1 %, {counts[1]} above 0.1 %"
        return told + when, _yes_or_no(all(low <= count <= high for count in counts))

    return judge


def _heights_agree(runs: Sequence[Run]) -> Verdict:
    rows, when = _at_equal_epochs(runs)
    heights = [row["index 7"] for row in rows]
    published = PAPER["AE"][7], PAPER["l = 2"][7]
    pairs = zip(heights, published, strict=True)
    near = all(value / TOLERANCE <= height <= TOLERANCE * value for height, value in pairs)
    return " and ".join(f"{height:.2g}" for height in heights) + when, _yes_or_no(near)


def _first_is_larger(measure: str, words: str) -> Callable[[Sequence[Run]], Verdict]:
    def judge(runs: Sequence[Run]) -> Verdict:
        if len({run["epochs"] for run in runs}) > 1:
            return "", "–"
        first, second = (np.array(run["results"]["halfway"][measure]) for run in runs)
        mean, low, high = mean_interval(first - second)
        told = f"{words} by {mean:.3f} ({low:.3f} … {high:.3f})"
        return told, "yes" if low > 0 else "no" if high < 0 else "can't tell"

    return judge


# claim, the models that it is about, and what judges their runs
CLAIMS = (
    ("linear layers lower the rank of the code", ("AE", "l = 2", "l = 4"), _ranks_fall),
    ("L1 and L2 penalties leave it wider", ("AE", "AE + L1", "AE + L2"), _first_is_narrowest),
    ("l = 2 keeps about seven directions", ("l = 2",), _counts_within(6, 8)),
    ("l = 4 keeps fewer than seven", ("l = 4",), _counts_within(1, 6)),
    ("at index 7, AE is at 0.21 and l = 2 at 0.01", ("AE", "l = 2"), _heights_agree),
    (
        "half-way, l = 2 is closer to a shape than AE",
        ("AE", "l = 2"),
        _first_is_larger("distance", "closer"),
    ),
    (
        "half-way, l = 4 is closer to a shape than AE",
        ("AE", "l = 4"),
        _first_is_larger("distance", "closer"),
    ),
    (
        "with l = 4 colours wander, with l = 2 less",
        ("l = 4", "l = 2"),
        _first_is_larger("hue", "further off"),
    ),
)
