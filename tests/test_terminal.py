"""Command lines speak to terminals of any encoding."""

import ast
import os
import subprocess
import sys

import pytest

from helpers.storage import ROOT

COMMANDS = [
    path
    for path in sorted((ROOT / "helpers").rglob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_every_command_line_begins_with_it(path):
    *_, block = ast.parse(path.read_text(encoding="utf-8")).body
    assert isinstance(block, ast.If)
    assert ast.unparse(block.body[0]) == "show_unknown_letters()"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_letters_that_a_terminal_does_not_know_are_escaped(stream):
    code = f"""
import sys
from helpers.terminal import show_unknown_letters
show_unknown_letters()
print("1 … 2, José", file=sys.{stream})
"""
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=ascii_only)
    assert done.returncode == 0, done.stderr
    assert getattr(done, stream).decode("ascii").strip() == r"1 \u2026 2, Jos\xe9"
