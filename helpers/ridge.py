"""Ridge regressions for all rows of a sparse matrix: a readable version, and a compiled one."""

import math

import numba
import numpy as np
from numba import njit, prange
from scipy.sparse import csr_array

# Its threads sleep while they wait; those of the default (OpenMP) spin, which costs a busy machine dear.
numba.config.THREADING_LAYER = "workqueue"

CHUNKS = 64  # of the rows, shared out among the cores


def ridge_rows(matrix: csr_array, factors: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Coefficients of a ridge regression for each row: its ratings on their columns' factors.

    Parameters
    ----------
    matrix : csr_array of shape (rows, columns)
        The ratings: all of a user, or, transposed, all of an item.
    factors : ndarray of shape (columns, k)
    penalties : ndarray of shape (rows,)
        λ of each row.

    Returns
    -------
    ndarray of shape (rows, k)
        (AᵀA + λI)⁻¹ Aᵀy for each row, where y has its n ratings and A, of shape (n, k), their
        factors; zeros for a row without ratings.
    """
    solved = np.zeros((matrix.shape[0], factors.shape[1]))
    for row in range(matrix.shape[0]):
        rated = slice(matrix.indptr[row], matrix.indptr[row + 1])
        A, y = factors[matrix.indices[rated]], matrix.data[rated]
        if len(y) > 0:
            ridge = A.T @ A + penalties[row] * np.eye(A.shape[1])
            solved[row] = np.linalg.solve(ridge, A.T @ y)
    return solved


def fast_ridge_rows(matrix: csr_array, factors: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """What :func:`ridge_rows` computes, compiled, on all cores.

    A row with fewer ratings than factors takes the dual form Aᵀ(AAᵀ + λI)⁻¹y, whose system is
    smaller. The penalties of rows with ratings must be positive.
    """
    return _solve_rows(matrix.indptr, matrix.indices, matrix.data, factors, penalties)


# ---- compiled


@njit(cache=True, parallel=True, fastmath=True)
def _solve_rows(starts, columns, targets, factors, penalties):
    rows, k = len(starts) - 1, factors.shape[1]
    solved = np.zeros((rows, k))
    if rows == 0:
        return solved
    longest = np.max(starts[1:] - starts[:-1])
    for chunk in prange(CHUNKS):
        A = np.empty((longest, k))
        gram = np.empty((k, k))
        y = np.empty(k)
        for row in range(chunk, rows, CHUNKS):
            first, n = starts[row], starts[row + 1] - starts[row]
            for i in range(n):
                for f in range(k):
                    A[i, f] = factors[columns[first + i], f]
            if n < k:
                for i in range(n):
                    y[i] = targets[first + i]
                    for j in range(i + 1):
                        total = 0.0
                        for f in range(k):
                            total += A[i, f] * A[j, f]
                        gram[i, j] = total
                _solve_ridge(gram, y, n, penalties[row])
                for i in range(n):
                    for f in range(k):
                        solved[row, f] += A[i, f] * y[i]
            else:
                _gram(A, n, gram)
                y[:] = 0
                for i in range(n):
                    for f in range(k):
                        y[f] += targets[first + i] * A[i, f]
                _solve_ridge(gram, y, k, penalties[row])
                solved[row] = y
    return solved


@njit(cache=True, fastmath=True)
def _gram(A, n, gram):
    """Lower triangle of AᵀA for the first n rows; four at a time, to write ``gram`` less often."""
    k = A.shape[1]
    gram[:] = 0
    whole = n - n % 4
    for i in range(0, whole, 4):
        for f in range(k):
            a, b, c, d = A[i, f], A[i + 1, f], A[i + 2, f], A[i + 3, f]
            for g in range(f + 1):
                gram[f, g] += a * A[i, g] + b * A[i + 1, g] + c * A[i + 2, g] + d * A[i + 3, g]
    for i in range(whole, n):
        for f in range(k):
            for g in range(f + 1):
                gram[f, g] += A[i, f] * A[i, g]


@njit(cache=True, fastmath=True)
def _solve_ridge(gram, y, n, penalty):
    """Solve (gram + penalty · I) x = y in place by Cholesky's method; lower triangle, first n rows."""
    for j in range(n):
        gram[j, j] += penalty
        for p in range(j):
            total = gram[j, p]
            for q in range(p):
                total -= gram[j, q] * gram[p, q]
            gram[j, p] = total * gram[p, p]
        for q in range(j):
            gram[j, j] -= gram[j, q] ** 2
            y[j] -= gram[j, q] * y[q]
        gram[j, j] = 1 / math.sqrt(gram[j, j])  # as a reciprocal: dividing is slow
        y[j] *= gram[j, j]
    for j in range(n - 1, -1, -1):
        y[j] *= gram[j, j]
        for q in range(j):
            y[q] -= gram[j, q] * y[j]
