"""What the checks of exercises are made of: say what is wrong, and print both numbers when all is well."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike


class WrongAnswer(AssertionError):
    """An answer that is not right yet; a notebook shows its message alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"Not yet: {self}"]


def require(condition: bool, message: str) -> None:
    """Raise unless a condition holds.

    Parameters
    ----------
    condition : bool
    message : str
        What is wrong with the answer, and what to look at; not the answer itself.

    Raises
    ------
    WrongAnswer
        With this message, if the condition doesn't hold.
    """
    if not condition:
        raise WrongAnswer(message)


def check_array(name: str, answer: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """An answer as an array of floats, if it has this shape and is finite.

    Parameters
    ----------
    name : str
        What the exercise calls the answer.
    answer : array_like
        Anything that NumPy takes for numbers: arrays of any type, lists, tensors on the CPU.
    shape : tuple of int
        The shape asked for; () for a number.

    Returns
    -------
    ndarray of float64, with this shape

    Raises
    ------
    WrongAnswer
        If the answer holds no numbers, has another shape, or holds NaN or infinity.
    """
    try:
        array = np.asarray(answer, dtype=np.float64)
    except RuntimeError:  # PyTorch's
        raise WrongAnswer(f"{name} is a tensor with a gradient; give {name}.detach().") from None
    except (TypeError, ValueError):
        raise WrongAnswer(f"{name} should hold numbers; it is {type(answer).__name__}.") from None
    words = f"{name} should have the shape {shape}; it has {array.shape}"
    turned = len(shape) > 1 and array.shape == shape[::-1] != shape
    require(
        array.shape == shape, f"{words}: rows and columns are swapped." if turned else f"{words}."
    )
    require(bool(np.isfinite(array).all()), f"{name} holds NaN or infinity.")
    return array


def require_right(
    name: str,
    answer: ArrayLike,
    right: ArrayLike,
    mistakes: Mapping[str, ArrayLike] | Callable[[], Mapping[str, ArrayLike]],
    otherwise: str,
    rtol: float = 1e-5,
    atol: float = 1e-8,
) -> np.ndarray:
    """An answer as an array, if it agrees with the right one; else the usual mistake behind it is named.

    Parameters
    ----------
    name : str
        What the exercise calls the answer.
    answer, right : array_like
        Of one shape.
    mistakes : mapping from words to array_like, or a function without arguments that returns it
        What usual mistakes lead to. The first that agrees with a wrong answer gives the words.
        A function is called only if the answer is wrong.
    otherwise : str
        The words for every other wrong answer.
    rtol, atol : float
        Tolerances, as in :func:`numpy.isclose`.

    Returns
    -------
    ndarray of float64, with the shape of ``right``

    Raises
    ------
    WrongAnswer
        If the answer is wrong, or no array of this shape.
    """
    array = check_array(name, answer, np.shape(right))
    if np.allclose(array, right, rtol, atol):
        return array
    usual = mistakes() if callable(mistakes) else mistakes
    alike = (
        words
        for words, wrong in usual.items()
        if np.shape(wrong) == array.shape and np.allclose(array, wrong, rtol, atol)
    )
    value = f" is {array:.5g}" if array.ndim == 0 else ""
    words = next(alike, otherwise)
    raise WrongAnswer(f"{name}{value}: {words}{'' if words.endswith(('.', '?')) else '.'}")


def passed(message: str) -> None:
    """Print that a check has passed, and what was compared."""
    print(f"✓ {message}")
