"""Compiled functions: kept where a folder can be written, and there all the same where none can."""

import numba
import pytest
from numba.core import caching

from helpers.compiled import njit


def twice(x):
    return 2 * x


def test_what_was_compiled_is_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert njit(cache=True)(twice)(3) == 6
    assert list(tmp_path.rglob("*.nbi"))


def test_nothing_is_kept_unasked(monkeypatch, tmp_path):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert njit(fastmath=True)(twice)(3.5) == 7
    assert not list(tmp_path.rglob("*.nbi"))


def test_where_no_folder_can_be_written_it_goes_on_without(monkeypatch):
    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(twice)
    assert njit(cache=True, fastmath=True)(twice)(4) == 8
