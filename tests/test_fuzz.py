"""Damaged files of every kind give data or one clear error; a reader that fails otherwise is noticed."""

from tests import fuzz


def test_damaged_files_give_data_or_a_clear_error(tmp_path):
    outcomes = fuzz.fuzz(300, 0, tmp_path)
    assert {*outcomes} == {"data", "refused"}, outcomes
    assert outcomes.total() == 300


def test_a_reader_that_fails_otherwise_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"whole")

    def read(path):
        if path.read_bytes() != b"whole":
            raise KeyError("no such thing")

    monkeypatch.setattr(fuzz, "samples", lambda folder: {folder / "a": read})
    outcomes = fuzz.fuzz(20, 0, tmp_path)
    assert any("a: Traceback" in outcome and "KeyError" in outcome for outcome in outcomes)
