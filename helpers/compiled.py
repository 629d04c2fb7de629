"""Numba's compiler, which keeps what it compiled where it can, and goes on where it can't."""

from collections.abc import Callable

import numba


def njit(*, cache: bool = False, **options) -> Callable[[Callable], Callable]:
    """Decorator: compile a function at its first call, as ``numba.njit`` does.

    Parameters
    ----------
    cache : bool
        Keep the result for the next session: beside the file, else in the reader's home, else
        nowhere. Numba alone refuses to import the file in the last case; an environment variable,
        ``NUMBA_CACHE_DIR``, names another folder.
    **options
        Passed to Numba.
    """

    def compile_(function: Callable) -> Callable:
        try:
            return numba.njit(cache=cache, **options)(function)
        except RuntimeError:  # no folder can be written
            return numba.njit(**options)(function)

    return compile_
