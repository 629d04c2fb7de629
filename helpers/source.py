"""Shows in a notebook the code of a function that the course tests."""

import ast
import inspect
import textwrap
from collections.abc import Callable

from IPython.display import display


def source_without_docstring(function: Callable) -> str:
    """Source code of a function or class, without its docstring; comments stay."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    lines = source.splitlines()
    first = ast.parse(source).body[0].body[0]
    if ast.get_docstring(ast.parse(source).body[0]) is not None:
        del lines[first.lineno - 1 : first.end_lineno]
    return "\n".join(lines)


def show_source(*functions: Callable) -> None:
    """Display functions as the package has them: highlighted, without their docstrings."""
    source = "\n\n\n".join(map(source_without_docstring, functions))
    display({"text/markdown": f"```python\n{source}\n```", "text/plain": source}, raw=True)
