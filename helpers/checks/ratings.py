"""What the exercises of chapter 2 ask: each function checks one answer and says what is wrong with it."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.sparse import csr_array

from helpers.checks.parts import check_array, passed, require, require_right
from helpers.rating_models import RatingModel
from helpers.ratings import Ratings, prune
from helpers.recommendation import fold_in, predict_new
from helpers.ridge import ridge_rows

# 95 % of RMSE(3) − RMSE(2) on the validation ratings, as exercise 4 asks for them
EACH_AT_ITS_BEST = (-0.00025, 0.00462)
AT_THE_BEST_OF_TWO = (0.00271, 0.00683)
ROUNDED = 1e-5  # answers may be in single precision
CLOSE = 3e-4  # stars; another processor ends a fit elsewhere


# ---- 1


def check_item_means(item_means: np.ndarray, matrix: csr_array) -> None:
    """Exercise 1: the mean of each item's observed entries, shape (items,).

    Raises
    ------
    WrongAnswer
        If it is another mean, or has another shape.
    """
    answer = check_array("item_means", item_means, (matrix.shape[1],))
    counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
    sums = np.bincount(matrix.indices, matrix.data, matrix.shape[1])
    not_zero = np.bincount(matrix.indices[matrix.data != 0], minlength=matrix.shape[1])
    right = sums / np.maximum(counts, 1)
    wrong = {
        "divided by the number of all users; only those count who rated the item": sums
        / matrix.shape[0],
        "divided by the number of entries that aren't 0; a stored 0 is observed, too": sums
        / np.maximum(not_zero, 1),
        "these are sums; divide by the number of ratings of each item": sums,
        "these are means of the ratings themselves; matrix has 4 stars taken off": right + 4,
        "these are the numbers of ratings, not their means": counts,
    }
    first = int(np.argmax(~np.isclose(answer, right, atol=1e-5)))
    words = f"item {first} has another mean; add up its stored entries, and count them"
    require_right("item_means", answer, right, wrong, words, atol=ROUNDED)
    most = int(counts.argmax())
    own = matrix[:, [most]].tocoo().data
    passed(f"item {most}: {answer[most]:.3f}; its {len(own):,} entries have {own.mean():.3f}")


# ---- 2


def check_avalanche(limit: int, users_left: int, ratings: Ratings) -> None:
    """Exercise 2: the largest limit at which pruning leaves anybody, and how many users it leaves.

    Raises
    ------
    WrongAnswer
        If pruning at ``limit`` leaves nobody, one more leaves somebody, or the users are miscounted.
    """
    limit = int(_whole("limit", limit))
    users_left = int(_whole("users_left", users_left))
    left = _pruned(ratings, limit)
    require(left is not None, f"limit: with more than {limit} ratings each, nobody is left.")
    more = _pruned(ratings, limit + 1)
    require(more is None, f"limit: with more than {limit + 1}, somebody is left, too. Go on.")
    wrong = {
        "that is how many users there are before pruning": ratings.shape[0],
        "that is how many restaurants are left": left.shape[1],
        "that is how many ratings are left": len(left.stars),
    }
    require_right("users_left", users_left, left.shape[0], wrong, "prune at limit, and count again")
    passed(f"more than {limit}: {users_left:,} users; more than {limit + 1}: nobody")


def _whole(name: str, answer: float) -> float:
    number = float(check_array(name, answer, ()))
    require(number >= 0 and number == round(number), f"{name} should be a whole number.")
    return number


def _pruned(ratings: Ratings, limit: int) -> Ratings | None:
    try:
        return prune(ratings, limit)[0]
    except ValueError:
        return None


# ---- 3


def check_als_epoch(als_epoch: Callable) -> None:
    """Exercise 3: one epoch of ALS with the plain penalty: new Q from P, then new P from the new Q.

    Raises
    ------
    WrongAnswer
        If Q or P is none of that; says which of the usual mistakes it looks like.
    """
    rng = np.random.default_rng(0)
    observed = rng.random((12, 9)) < 0.5
    observed[0] = False  # a user without ratings
    observed[1:, 0] = True
    users, items = np.nonzero(observed)
    matrix = csr_array((rng.integers(-2, 3, len(users)).astype(float), (users, items)), (12, 9))
    P, penalty = rng.normal(size=(9, 2)), 0.7
    answer = als_epoch(matrix.copy(), P.copy(), penalty)
    two = isinstance(answer, tuple | list) and len(answer) == 2
    require(two, "als_epoch should return two arrays, Q and P.")
    new_Q, new_P = check_array("Q", answer[0], (12, 2)), check_array("P", answer[1], (9, 2))
    by_users = {words: _solve(matrix, P, penalty, how) for how, words in MISTAKES.items()}
    by_users["the restaurants were solved first; begin with the users, from the given P"] = _solve(
        matrix, _solve(matrix.T.tocsr(), _solve(matrix, P, penalty), penalty), penalty
    )
    right = _solve(matrix, P, penalty)
    require_right(
        "Q", new_Q, right, by_users, "for some user the gradient of J by q_u isn't 0.", atol=ROUNDED
    )
    turned = matrix.T.tocsr()
    by_items = {words: _solve(turned, right, penalty, how) for how, words in MISTAKES.items()}
    by_items["P came back as it went in; solve for the restaurants, too"] = P
    expected = _solve(turned, right, penalty)
    require_right("P", new_P, expected, by_items, "is it solved from the *new* Q?", atol=ROUNDED)
    passed(f"‖Q‖ {np.linalg.norm(new_Q):.4f}; by the course's solver {np.linalg.norm(right):.4f}")
    passed(
        f"‖P‖ {np.linalg.norm(new_P):.4f}; by the course's solver {np.linalg.norm(expected):.4f}"
    )


MISTAKES = {
    "no penalty": "this is the solution without the penalty",
    "weighted": "this is the weighted penalty; the plain one is the same λ for all",
    "dense": "missing entries were taken for 0; use the stored ones alone",
    "no zeros": "ratings of 0 were left out; what is stored is observed",
    "half": "this is half of λ; both terms of the gradient have a factor 2",
}


def _solve(matrix: csr_array, factors: np.ndarray, penalty: float, how: str = "") -> np.ndarray:
    """Ridge solves for all rows, right or with one of ``MISTAKES``."""
    counts = np.diff(matrix.indptr)
    if how == "dense":
        values, at = matrix.toarray().ravel(), np.indices(matrix.shape).reshape(2, -1)
        matrix = csr_array((values, at), matrix.shape)
    if how == "no zeros":
        matrix = matrix.copy()
        matrix.eliminate_zeros()
    penalties = {
        "weighted": penalty * counts,
        "no penalty": 1e-12 + 0 * counts,
        "half": penalty / 2,
    }
    each = np.broadcast_to(penalties.get(how, penalty), counts.shape)
    return ridge_rows(matrix, factors, each)


# ---- 4


def check_third_factor(interval: Sequence[float], unfair: Sequence[float]) -> None:
    """Exercise 4: paired intervals of RMSE(3) − RMSE(2): each at its best λ, and both at the best of two.

    Raises
    ------
    WrongAnswer
        If one of them is another interval.
    """
    fair = check_array("interval", interval, (2,))
    other = check_array("unfair", unfair, (2,))
    for name, found, right in (
        ("interval", fair, EACH_AT_ITS_BEST),
        ("unfair", other, AT_THE_BEST_OF_TWO),
    ):
        low, high = right
        require(found[0] <= found[1], f"{name}: the lower end comes first.")
        require(
            abs(found).max() < 0.5, f"{name}: this is an interval of an RMSE, not of a difference."
        )
        wrong = {
            "this is RMSE(2) − RMSE(3); turn it round": np.array([-high, -low]),
            "this belongs to the other of the two questions": np.array(
                AT_THE_BEST_OF_TWO if right == EACH_AT_ITS_BEST else EACH_AT_ITS_BEST
            ),
        }
        words = (
            "another interval. Validation ratings, 40 epochs, no early stopping, the λ of the "
            "question, a new default_rng(0) for each start and each bootstrap?"
        )
        require_right(name, found, right, wrong, words, atol=CLOSE)
    passed(f"each at its best: three factors win at most {max(-fair[0], 0):.3f} stars")
    passed(f"both at the best of two: three factors lose at least {other[0]:.3f} stars")


# ---- 5


def check_bias_epoch(
    bias_epoch: Callable,
    users: Sequence[int],
    items: Sequence[int],
    stars: Sequence[float],
    mean: float,
) -> None:
    """Exercise 5: an epoch of SGD for the biases, in the given order and in place.

    Parameters
    ----------
    users, items, stars, mean
        What the student's function reads.

    Raises
    ------
    WrongAnswer
        If the biases end elsewhere; says which of the usual mistakes it looks like.
    """
    first = list(range(40))
    pair = [n for n in range(len(users)) if items[n] == items[0]][:40]
    order = [*pair, *first[::-1], *first]
    sizes = max(users) + 1, max(items) + 1
    rng = np.random.default_rng(0)
    begin = rng.normal(0, 0.3, sizes[0]), rng.normal(0, 0.3, sizes[1])
    found = tuple(each.copy() for each in begin)
    bias_epoch(order, *found, 0.3, 0.2)
    same = all(np.array_equal(a, b) for a, b in zip(begin, found, strict=True))
    require(not same, "the biases are as they were: change the arrays in place, as in b[u] += …")
    data = users, items, stars, mean

    def by(order=order, how="", rate=0.3, penalty=0.2):
        return np.concatenate(_bias_epoch(order, begin, data, rate, penalty, how))

    wrong = {
        "the order is not followed; visit the ratings as order says": by(range(len(stars))),
        "the order is not followed; it may name a rating twice": by(sorted(set(order))),
        "b_i's step has to use the error from before b_u's step": by(how="new error"),
        "the penalty is missing": by(penalty=0),
        "the penalty isn't multiplied by the learning rate": by(penalty=0.2 / 0.3),
        "the learning rate is missing": by(rate=1),
        "the steps go uphill; look at their sign": by(how="uphill"),
        "only the users' biases move": by(how="users"),
        "μ isn't subtracted": by(how="no mean"),
    }
    answer, right = np.concatenate(found), by()
    words = "after some steps the biases are elsewhere; try a single rating by hand"
    require_right("bias_epoch", answer, right, wrong, words, atol=ROUNDED)
    u, i = users[order[-1]], items[order[-1]]
    passed(f"after {len(order)} steps: b_u {found[0][u]:.4f}, b_i {found[1][i]:.4f};")
    passed(f"by the course's loop:  b_u {right[u]:.4f}, b_i {right[sizes[0] + i]:.4f}")


def _bias_epoch(order, begin, data, rate, penalty, how):
    users, items, stars, mean = data
    b_u, b_i = (each.copy() for each in begin)
    sign = -1 if how == "uphill" else 1
    for n in order:
        u, i = users[n], items[n]
        error = stars[n] - (0 if how == "no mean" else mean) - b_u[u] - b_i[i]
        b_u[u] += sign * rate * (error - penalty * b_u[u])
        if how == "new error":
            error = stars[n] - mean - b_u[u] - b_i[i]
        if how != "users":
            b_i[i] += sign * rate * (error - penalty * b_i[i])
    return b_u, b_i


# ---- 6


def check_newcomers(
    errors: Mapping[int, float],
    sizes: Sequence[int],
    model: RatingModel,
    train: Ratings,
    validation: Ratings,
    newcomers: Sequence[int],
    penalty: float,
) -> None:
    """Exercise 6: RMSE of newcomers' validation ratings, folded in from their first m training ratings.

    Raises
    ------
    WrongAnswer
        If an m is missing, or an error is another one; says which mistake it looks like.
    """
    require(isinstance(errors, Mapping), "errors should be a dictionary from m to an RMSE.")
    missing = [m for m in sizes if m not in errors]
    require(not missing, f"errors has no entry for m = {missing[:1]}.")
    answer = check_array("errors", [errors[m] for m in sizes], (len(sizes),))
    data = model, train, validation, newcomers, penalty

    def by(how=""):
        return np.array([_newcomers_error(m, *data, how) for m in sizes])

    squares = by()
    right = np.sqrt(squares)
    wrong = {
        "these are mean squared errors; take the root": squares,
        "this is the mean of the users' RMSEs; take the root of the mean over all ratings": by(
            "each"
        ),
        "the weighted penalty was used; this model has the plain one": np.sqrt(by("weighted")),
        "all training ratings of a user were used, whatever m": np.sqrt(by("all")),
        "the last m ratings were used, not the first": np.sqrt(by("last")),
        "training ratings were predicted, not validation ratings": np.sqrt(by("training")),
        "the user's bias is missing": np.sqrt(by("no bias")),
    }
    words = "elsewhere for some m; fold in one user by hand, and compare"
    require_right("errors", answer, right, wrong, words, atol=1e-3)
    for m in (sizes[0], sizes[-1]):
        passed(
            f"first {m} ratings: {errors[m]:.3f}; by the course's loop {right[list(sizes).index(m)]:.3f}"
        )


def _newcomers_error(m, model, train, validation, newcomers, penalty, how) -> float:
    """Mean squared error over all ratings asked of; with "each", the mean of the users' RMSEs."""
    squares = []
    asked_of = train if how == "training" else validation
    for user in newcomers:
        own, asked = (np.flatnonzero(part.users == user) for part in (train, asked_of))
        used = own if how == "all" else own[len(own) - m :] if how == "last" else own[:m]
        given = train.items[used], train.stars[used]
        bias, factors = fold_in(model, *given, penalty=penalty, weighted=how == "weighted")
        predicted = predict_new(model, 0 if how == "no bias" else bias, factors)
        squares.append((asked_of.stars[asked] - predicted[asked_of.items[asked]]) ** 2)
    if how == "each":
        return float(np.mean([np.sqrt(each.mean()) for each in squares if len(each)]))
    return float(np.mean(np.concatenate(squares)))


# ---- the stretch goal


def check_dual(dual: Callable) -> None:
    """The coefficients Aᵀ(AAᵀ + λI)⁻¹y, by a system of n equations.

    Raises
    ------
    WrongAnswer
        If they aren't the coefficients of the ridge regression, or come from k equations.
    """
    rng = np.random.default_rng(0)
    for n, k in ((1, 30), (4, 30), (5, 6)):
        A, y = rng.normal(size=(n, k)), rng.normal(size=n)
        answer = check_array(f"dual(A, y, 0.3) with A of shape ({n}, {k})", dual(A, y, 0.3), (k,))
        right = np.linalg.solve(A.T @ A + 0.3 * np.eye(k), A.T @ y)
        gram = A @ A.T
        wrong = {
            "this is the solution without the penalty": A.T @ np.linalg.solve(gram, y),
            "the penalty is squared": A.T @ np.linalg.solve(gram + 0.09 * np.eye(n), y),
            "the sign of the penalty is wrong": A.T @ np.linalg.solve(gram - 0.3 * np.eye(n), y),
            "the penalty is added to every entry, not to the diagonal": A.T
            @ np.linalg.solve(gram + 0.3, y),
            "the system isn't solved, only multiplied": A.T @ ((gram + 0.3 * np.eye(n)) @ y),
        }
        require_right(
            "dual", answer, right, wrong, "these are not the ridge coefficients", atol=ROUNDED
        )
    A, y = rng.normal(size=(3, 500)), np.ones(3)
    try:  # k equations are all but singular, n are not
        found = dual(A, y, 1e-13)
    except np.linalg.LinAlgError:
        found = np.full(500, np.inf)
    exact = np.allclose(found, np.linalg.lstsq(A, y, rcond=None)[0], rtol=1e-6, atol=1e-9)
    require(exact, "dual: right, but by k equations; solve the system of n equations.")
    passed(f"n = 5, k = 6: first coefficient {answer[0]:.4f}; by k equations {right[0]:.4f}")
