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


def show_table(
    rows: Sequence[Mapping[str, object]], formats: Mapping[str, str] | None = None
) -> None:
    """Display rows as a table.

    Parameters
    ----------
    rows : sequence of mapping from heading to value
        All with the same headings in the same order.
    formats : mapping from heading to format, optional
        Such as ".3f"; other values are shown as they are, None as a dash. Show no more digits than
        are the same on every machine: saved notebooks are compared.

    Raises
    ------
    ValueError
        If there is no row, rows have different headings, or a format belongs to none.
    """
    formats, headings = formats or {}, list(rows[0]) if rows else []
    if not headings or any(list(row) != headings for row in rows):
        raise ValueError(f"rows must have the same headings, got {[list(row) for row in rows]}")
    if unknown := formats.keys() - set(headings):
        raise ValueError(f"formats names {sorted(unknown)}, but the headings are {headings}")
    cells = [
        [
            "–" if value is None else format(value, formats.get(name, ""))
            for name, value in row.items()
        ]
        for row in rows
    ]
    lines = [headings, ["--:"] * len(headings), *cells]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
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
