"""Ridge regressions for all rows of a sparse matrix: readable versions, and compiled ones.

Exact solutions, without and with a bias of its own in each row; and a few steps of conjugate
gradients (CG), which come near the exact solution for less.
"""

import math

import numba
import numpy as np
from numba import prange
from scipy.sparse import csr_array

from helpers.compiled import njit

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
    return _solve_rows(matrix.indptr, matrix.indices, matrix.data, factors, penalties, 0.0)


# ---- with a bias in each row


def joint_ridge_rows(
    matrix: csr_array, factors: np.ndarray, penalties: np.ndarray, bias_penalty: float
) -> np.ndarray:
    """A bias and the coefficients of a ridge regression for each row, fitted together.

    The bias is the coefficient of a column of ones, with a penalty of its own.

    Parameters
    ----------
    matrix, factors, penalties
        As of :func:`ridge_rows`.
    bias_penalty : float
        λ of the biases, the same in each row.

    Returns
    -------
    ndarray of shape (rows, 1 + k)
        The bias, then the coefficients; zeros for a row without ratings.
    """
    columns = with_ones(factors)
    solved = np.zeros((matrix.shape[0], columns.shape[1]))
    for row in range(matrix.shape[0]):
        rated = slice(matrix.indptr[row], matrix.indptr[row + 1])
        A, y = columns[matrix.indices[rated]], matrix.data[rated]
        if len(y) > 0:
            cost = np.full(A.shape[1], penalties[row])
            cost[0] = bias_penalty
            solved[row] = np.linalg.solve(A.T @ A + np.diag(cost), A.T @ y)
    return solved


def fast_joint_ridge_rows(
    matrix: csr_array, factors: np.ndarray, penalties: np.ndarray, bias_penalty: float
) -> np.ndarray:
    """What :func:`joint_ridge_rows` computes, compiled, on all cores; all λ must be positive.

    The column of ones is scaled by c = √(λ/λ_b). Its coefficient is then b/c, and λ weighs it exactly
    as λ_b would weigh b. So one λ a row is enough for all columns.
    """
    columns = with_ones(factors)
    return _solve_rows(
        matrix.indptr, matrix.indices, matrix.data, columns, penalties, float(bias_penalty)
    )


def with_ones(factors: np.ndarray) -> np.ndarray:
    """Factors behind a column of ones, shape (columns, 1 + k)."""
    return np.column_stack([np.ones(len(factors), factors.dtype), factors])


# ---- conjugate gradients


def cg_ridge_rows(
    matrix: csr_array, factors: np.ndarray, penalties: np.ndarray, start: np.ndarray, steps: int
) -> np.ndarray:
    """Steps of conjugate gradients towards each row's ridge regression.

    A step costs a row with n ratings two products with its factors, 4nk operations; the exact
    solution costs about nk² + k³/3. Each step lowers the row's penalised sum of squares; with k
    steps it would be exact (Hestenes and Stiefel 1952).

    Parameters
    ----------
    matrix, factors, penalties
        As of :func:`ridge_rows`.
    start : ndarray of shape (rows, k)
        Where to start from, such as the coefficients of the epoch before.
    steps : int

    Returns
    -------
    ndarray of shape (rows, k)
        Zeros for a row without ratings.
    """
    found = np.zeros((matrix.shape[0], factors.shape[1]))
    for row in range(matrix.shape[0]):
        rated = slice(matrix.indptr[row], matrix.indptr[row + 1])
        A, y = factors[matrix.indices[rated]], matrix.data[rated]
        if len(y) == 0:
            continue
        x = start[row].astype(float)
        gradient = A.T @ (y - A @ x) - penalties[row] * x  # minus half of it: downhill
        direction, size = gradient, gradient @ gradient
        for _ in range(steps):
            if size == 0:
                break
            bent = A.T @ (A @ direction) + penalties[row] * direction
            length = size / (direction @ bent)
            x, gradient = x + length * direction, gradient - length * bent
            before, size = size, gradient @ gradient
            direction = gradient + size / before * direction
        found[row] = x
    return found


def fast_cg_ridge_rows(
    matrix: csr_array, factors: np.ndarray, penalties: np.ndarray, start: np.ndarray, steps: int
) -> np.ndarray:
    """What :func:`cg_ridge_rows` computes, compiled, on all cores, in single precision."""
    values, *single = (
        np.ascontiguousarray(each, np.float32) for each in (matrix.data, factors, penalties, start)
    )
    return _cg_rows(matrix.indptr, matrix.indices, values, *single, steps)


# ---- compiled


@njit(cache=True, parallel=True, fastmath=True)
def _solve_rows(starts, columns, targets, factors, penalties, bias_penalty):
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
            if bias_penalty > 0:
                of_ones = math.sqrt(penalties[row] / bias_penalty)
                for i in range(n):
                    A[i, 0] *= of_ones
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
            if bias_penalty > 0:
                solved[row, 0] *= of_ones
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


@njit(cache=True, parallel=True, fastmath=True)
def _cg_rows(starts, columns, targets, factors, penalties, start, steps):
    rows, k = len(starts) - 1, factors.shape[1]
    found = np.zeros((rows, k), np.float32)
    if rows == 0:
        return found
    longest = np.max(starts[1:] - starts[:-1])
    for chunk in prange(CHUNKS):
        A = np.empty((longest, k), np.float32)
        gradient = np.empty(k, np.float32)
        direction = np.empty(k, np.float32)
        bent = np.empty(k, np.float32)
        for row in range(chunk, rows, CHUNKS):
            first, n = starts[row], starts[row + 1] - starts[row]
            for i in range(n):
                for f in range(k):
                    A[i, f] = factors[columns[first + i], f]
            if n == 0:
                continue
            x, penalty = found[row], penalties[row]
            x[:] = start[row]
            _bend(A, n, penalty, x, bent)
            for f in range(k):
                gradient[f] = -bent[f]
            for i in range(n):
                for f in range(k):
                    gradient[f] += targets[first + i] * A[i, f]
            direction[:] = gradient
            size = _dot(gradient, gradient)
            for _ in range(steps):
                if size < 1e-20:  # there, as far as single precision can tell
                    break
                _bend(A, n, penalty, direction, bent)
                length = size / _dot(direction, bent)
                for f in range(k):
                    x[f] += length * direction[f]
                    gradient[f] -= length * bent[f]
                before, size = size, _dot(gradient, gradient)
                share = size / before
                for f in range(k):
                    direction[f] = gradient[f] + share * direction[f]
    return found


@njit(cache=True, fastmath=True)
def _bend(A, n, penalty, x, bent):
    """(AᵀA + penalty · I) x into ``bent``, by the first n rows of A, without computing AᵀA."""
    for f in range(len(x)):
        bent[f] = penalty * x[f]
    for i in range(n):
        total = _dot(A[i], x)
        for f in range(len(x)):
            bent[f] += total * A[i, f]


@njit(cache=True, fastmath=True)
def _dot(a, b):
    total = np.float32(0)
    for f in range(len(a)):
        total += a[f] * b[f]
    return total
