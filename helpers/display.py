"""What notebooks show beside pictures: the code of tested functions, and tables."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
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


def show_table(columns: Mapping[str, tuple[Sequence, str]]) -> None:
    """Display columns of equal length as a table.

    Parameters
    ----------
    columns : mapping from heading to (values, format)
        A format like ".3f", or "" for values as they are. Print no more digits than are the same
        on every machine: saved notebooks are compared.

    Raises
    ------
    ValueError
        If the columns differ in length.
    """
    lengths = {heading: len(values) for heading, (values, _) in columns.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"columns differ in length: {lengths}")
    cells = [[format(value, spec) for value in values] for values, spec in columns.values()]
    rows = [list(columns), ["--:"] * len(columns), *zip(*cells, strict=True)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    display({"text/markdown": table, "text/plain": table}, raw=True)


def training_bar(epochs: int) -> Callable[[int, float, Mapping[str, float]], None]:
    """Display a bar that follows a training, for the ``progress`` of ``helpers.training.train``.

    A saved notebook keeps a sentence in its place.
    """
    bar = widgets.FloatProgress(max=epochs, layout={"width": "400px"})
    words = widgets.Label()
    line = f"A network was trained here for {epochs} epochs."
    view = widgets.HBox([bar, words])._repr_mimebundle_()
    display(view | {"text/html": f"<p>{line}</p>", "text/plain": line}, raw=True)

    def progress(done: int, share: float, losses: Mapping[str, float]) -> None:
        bar.value = done + share
        told = (f"{name} {value:.4f}" for name, value in losses.items() if name != "epoch")
        words.value = f"{done} of {epochs} epochs, {', '.join(told)}"

    return progress
