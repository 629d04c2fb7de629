"""The path of 45 minutes through a chapter: the cells that are not tagged ``if-time`` (◇).

A lecture shows only these. So they run by themselves, and they fit.
"""

import builtins
import re

from tests.notebooks.names import assigned_names, used_names

MINUTES = 45
WORDS_A_MINUTE = 130
MINUTES_A_CODE_CELL = 0.7
MINUTES_A_PICTURE = 1.0
MINUTES_A_DERIVATION = 2.0  # a cell tagged "derivation", besides its words
NAMES_OF_A_KERNEL = set(dir(builtins)) | {"display", "get_ipython"}
NO_WORD = re.compile(
    r"\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|<[^>]+>", re.DOTALL
)  # formulas, links, tags


def on_path(notebook) -> list:
    """Cells of a notebook that a lecture of 45 minutes shows, in order."""
    return [c for c in notebook.cells if "if-time" not in c.metadata.get("tags", [])]


def minutes(notebook) -> float:
    """Minutes that the path takes: reading, running code, looking at pictures, following derivations.

    A formula counts as one word.
    """
    cells = on_path(notebook)
    code = [c for c in cells if c.cell_type == "code"]
    text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    words = len(NO_WORD.sub(" x ", text).split())
    pictures = sum(
        "<img" in o.get("data", {}).get("text/html", "") for c in code for o in c.outputs
    )
    derivations = sum("derivation" in c.metadata.get("tags", []) for c in cells)
    return (
        words / WORDS_A_MINUTE
        + MINUTES_A_CODE_CELL * len(code)
        + MINUTES_A_PICTURE * pictures
        + MINUTES_A_DERIVATION * derivations
    )


def names_missing(notebook) -> dict[str, set[str]]:
    """By cell of the path, the names that it uses and that no cell before it on the path defines."""
    known, missing = set(NAMES_OF_A_KERNEL), {}
    for cell in on_path(notebook):
        if cell.cell_type == "code":
            own = assigned_names(cell)
            if unknown := used_names(cell) - known - own:
                missing[cell.id] = unknown
            known |= own
    return missing
