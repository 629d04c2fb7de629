"""What can be read off codes by a straight line: linear probes.

Source: Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016.
"""

from collections.abc import Mapping

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score

from helpers.arrays import as_points

PENALTIES = np.logspace(-6, 3, 10)  # of which ridge regression chooses, without the judged samples


def probe_scores(
    inputs: np.ndarray, factors: Mapping[str, np.ndarray], train: int
) -> dict[str, float]:
    """How well ridge regression predicts each factor: R² on samples that it was not fitted to.

    1 is perfect, 0 no better than the factor's mean; a fit that misleads is below 0.

    Parameters
    ----------
    inputs : ndarray of shape (N, D)
        Codes, pixels, or any other numbers of each sample.
    factors : mapping from name to ndarray of shape (N,)
    train : int
        The regression is fitted to the first ``train`` samples and judged on the others.

    Raises
    ------
    ValueError
        If ``inputs`` are no finite matrix, a factor has another length, or ``train`` leaves fewer than two
        samples on either side.
    """
    inputs = as_points("inputs", inputs)
    if not 2 <= train <= len(inputs) - 2:
        raise ValueError(f"train must be from 2 to {len(inputs) - 2}, got {train}")
    for name, values in factors.items():
        if np.shape(values) != (len(inputs),):
            raise ValueError(f"{name} must have shape ({len(inputs)},), got {np.shape(values)}")
    targets = np.column_stack(list(factors.values()))
    fit = RidgeCV(PENALTIES, alpha_per_target=True).fit(inputs[:train], targets[:train])
    predicted = fit.predict(inputs[train:]).reshape(targets[train:].shape)
    scores = r2_score(targets[train:], predicted, multioutput="raw_values")
    return dict(zip(factors, scores.tolist(), strict=True))
