"""A small planted matrix with holes, for the tests of chapter 4."""

import numpy as np

from helpers.planted_matrices import planted_matrix, sample_entries


def problem(seed=0, n=12, rank=2, seen=80):
    rng = np.random.default_rng(seed)
    truth = planted_matrix(rng, n, rank)
    return truth, sample_entries(rng, truth, seen), rng
