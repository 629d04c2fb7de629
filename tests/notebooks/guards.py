"""What every notebook of the course keeps to: each guard returns the faults it finds, in words."""

import ast
import base64
import copy
import html
import io
import re
import symtable
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

from helpers.notebooks import (
    LIVE_VIEW,
    cover,
    cover_path,
    exercise_path,
    student_copy,
    tidy,
)
from helpers.storage import ROOT
from tests.notebooks.names import defined_names, function_tables, names_looked_up, plain_source
from tests.notebooks.paths import MINUTES, minutes, names_missing

MAX_BYTES = 3_000_000
MAX_LINES = 12  # of a lesson; a solution may have a few more
MAX_LINES_OF_SOLUTION = 15
# Cells whose pictures are not compared, as what a training here draws differs between processors:
# "notebook: cell id", and the cell whose assertion says how good the training must have been.
MAX_IGNORED = 6
IGNORED_OUTPUTS: dict[str, str] = {
    "03_fashion_mnist_autoencoder.ipynb: c08": "c08",
    "03_fashion_mnist_autoencoder.ipynb: c24": "c25",
    "03_fashion_mnist_autoencoder.ipynb: c91": "c91",
    "05_irmae.ipynb: c17a": "c17a",
    "05_irmae.ipynb: c20": "c20",
    "06_degrees_of_freedom.ipynb: c52": "c52",
}
SLIDE_TYPES = {"slide", "subslide", "fragment", "skip", "notes", "-"}
PNG = re.compile(r"iVBORw0KGgo[A-Za-z0-9+/=]+")  # as base64, which begins like this
TIMERS = re.compile(r"%time|\btimeit\b|\b(?:import|from) (?:time|datetime)\b")


def size(path: Path, notebook) -> list[str]:
    """At most 3 MB: light to load, and history grows by every version."""
    length = path.stat().st_size
    return [f"{length:,} bytes, more than {MAX_BYTES:,}"] if length > MAX_BYTES else []


def executed_in_order(path: Path, notebook) -> list[str]:
    """Saved after a run from top to bottom: nbval compares nothing in a cell that was not run."""
    counts = [cell.execution_count for cell in _code(notebook)]
    return [] if counts == list(range(1, len(counts) + 1)) else [f"execution counts are {counts}"]


def no_errors(path: Path, notebook) -> list[str]:
    """No error and no warning for every reader to see."""
    return [
        f"cell {cell.id} has an {output.output_type} output {output.get('name', '')}".strip()
        for cell, output in _outputs(notebook)
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


def ignored_outputs_are_listed(path: Path, notebook) -> list[str]:
    """Outputs that nbval ignores stand in IGNORED_OUTPUTS, each with an assertion that bounds it."""
    faults = []
    for cell in _code(notebook):
        marked = {"nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", []))
        marked |= set(re.findall(r"NBVAL_(?:IGNORE_OUTPUT|SKIP)", cell.source))
        if marked and f"{path.name}: {cell.id}" not in IGNORED_OUTPUTS:
            faults.append(f"cell {cell.id} is marked {sorted(marked)} and not listed")
    return faults


def no_definition_stands_in_helpers(path: Path, notebook) -> list[str]:
    """What is in the package is shown from there, not written a second time."""
    return [
        f"cell {cell.id} defines {node.name}, which helpers/ has"
        for cell in _code(notebook)
        for node in ast.walk(_tree(cell))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in helper_names()
    ]


def pictures_have_alt_text(path: Path, notebook) -> list[str]:
    """Every figure is an HTML image that says in words what it shows: a PNG output can't say it."""
    faults = []
    for cell, output in _outputs(notebook):
        data = output.get("data", {})
        if kinds := [kind for kind in data if kind.startswith("image/")]:
            faults.append(f"cell {cell.id} shows a figure as {kinds[0]}, which has no description")
        for image in re.findall(r"<img\b[^>]*>", data.get("text/html", "")):
            words = re.search(r'\balt="([^"]*)"', image)
            alt = html.unescape(words.group(1)) if words else ""
            if len(alt) < 20 or data.get("text/plain") != alt:
                faults.append(f"cell {cell.id} shows a figure described as {alt!r}")
    return faults


def nothing_drawn_is_cut(path: Path, notebook) -> list[str]:
    """No picture, nor any frame of a slider, has ink on its border: there a label would be cut."""
    return [
        f"cell {cell.id} draws over the border of picture {i}"
        for cell, output in _outputs(notebook)
        for i, png in enumerate(PNG.findall(output.get("data", {}).get("text/html", "")))
        if ink_on_border(Image.open(io.BytesIO(base64.b64decode(png))))
    ]


def ink_on_border(image: Image.Image) -> bool:
    """Whether a picture is darker than its white ground somewhere on its outermost pixels."""
    grey = np.asarray(image.convert("L"))
    return min(grey[[0, -1]].min(), grey[:, [0, -1]].min()) < 235


def nothing_changes_from_run_to_run(path: Path, notebook) -> list[str]:
    """No timings, no live views, nothing of the machine: as `make run` saves it."""
    faults = [
        f"cell {cell.id} was saved with a live view"
        for cell, output in _outputs(notebook)
        if LIVE_VIEW in output.get("data", {})
    ]
    faults += [
        f"cell {cell.id} times itself" for cell in _code(notebook) if TIMERS.search(cell.source)
    ]
    if path.read_text(encoding="utf-8") != nbformat.writes(tidy(copy.deepcopy(notebook))) + "\n":
        faults.append("not as `make run` saves it")
    return faults


def cells_are_short(path: Path, notebook) -> list[str]:
    """At most about a dozen lines: what is longer belongs into the package."""
    most = MAX_LINES_OF_SOLUTION if path.parent.name == "solutions" else MAX_LINES
    lengths = {cell.id: len(cell.source.splitlines()) for cell in _code(notebook)}
    return [f"cell {id_} has {n} lines" for id_, n in lengths.items() if n > most]


def first_import_says_where_help_is(path: Path, notebook) -> list[str]:
    """A kernel without the course fails at its first import, and shows that line."""
    lines = [line for cell in _code(notebook) for line in cell.source.splitlines()]
    first = next((line for line in lines if line.startswith("from helpers")), "")
    return [] if not first or "README.md" in first else [f"{first!r} doesn't say where help is"]


def cells_are_slides(path: Path, notebook) -> list[str]:
    """Every cell says where it stands in a lecture."""
    return [
        f"cell {cell.id} has no slide type"
        for cell in notebook.cells
        if cell.metadata.get("slideshow", {}).get("slide_type") not in SLIDE_TYPES
    ]


def sliders_keep_what_they_draw(path: Path, notebook) -> list[str]:
    """No later cell gives another meaning to a name that a slider's function looks up when moved.

    ``functools.partial`` binds the values there and then.
    """
    cells = _code(notebook)
    functions = {
        table.get_name(): table for cell in cells for table in function_tables(plain_source(cell))
    }
    faults = []
    for place, cell in enumerate(cells):
        later = {name for after in cells[place + 1 :] for name in defined_names(after)}
        for node in ast.walk(_tree(cell)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "explore" and node.args:
                for name in sorted(_names_when_moved(node.args[0], functions) & later):
                    words = f"a later cell changes {name}; bind it with partial"
                    faults.append(f"cell {cell.id}: {words}")
    return faults


def _names_when_moved(drawn: ast.expr, functions: dict[str, symtable.SymbolTable]) -> set[str]:
    """Names that a function looks up outside of itself when called, and that its callees look up."""
    if isinstance(drawn, ast.Call) and drawn.args:  # partial(function, …)
        drawn = drawn.args[0]
    found: set[str] = set()
    if isinstance(drawn, ast.Lambda):
        todo = function_tables(ast.unparse(drawn))
    else:
        todo = [functions[name] for name in {ast.unparse(drawn)} & functions.keys()]
    while todo:
        names = names_looked_up(todo.pop()) - found
        found |= names
        todo += [functions[name] for name in names & functions.keys()]
    return found


def links_lead_somewhere(path: Path, notebook) -> list[str]:
    """Links to files of the course exist."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    targets = re.findall(r"\]\(([^)#\s]+)", text) + re.findall(r'src="([^"]+)"', text)
    files = [target for target in targets if "://" not in target]
    return [f"no file {name}" for name in files if not (path.parent / name).exists()]


def chapters_have_a_cover(path: Path, notebook) -> list[str]:
    """A chapter has one picture for the README, saved as the notebook shows it."""
    if path.parent.name != "notebooks":
        return []
    picture = cover(notebook)
    saved = cover_path(path)
    if picture is None:
        return ["no cell is tagged cover"]
    return [] if saved.exists() and saved.read_bytes() == picture else [f"{saved.name} is old"]


def path_fits(path: Path, notebook) -> list[str]:
    """What a chapter shows in a lecture (all but ◇) takes 45 minutes at most."""
    taken = minutes(notebook)
    if path.parent.name != "notebooks" or taken <= MINUTES:
        return []
    return [f"the path takes {taken:.0f} minutes, more than {MINUTES}"]


def path_runs_by_itself(path: Path, notebook) -> list[str]:
    """No cell of the path needs a name that only a cell beside it (◇) defines."""
    if path.parent.name != "notebooks":
        return []
    return [
        f"cell {id_} needs {', '.join(sorted(names))}, which the path doesn't define"
        for id_, names in names_missing(notebook).items()
    ]


def exercises_follow_solutions(path: Path, notebook) -> list[str]:
    """The students' copy is made from the solutions, and each of these begins with a request."""
    if path.parent.name != "solutions":
        return []
    solutions = [c for c in _code(notebook) if "solution" in c.metadata.get("tags", [])]
    faults = [
        f"solution {cell.id} does not begin with '# your code here'"
        for cell in solutions
        if not cell.source.startswith("# your code here")
    ]
    copied = exercise_path(path)
    if not copied.exists() or copied.read_text(encoding="utf-8") != student_copy(notebook):
        faults.append(f"exercises/{path.name} is old")
    return faults if solutions else [*faults, "no cell is tagged solution"]


GUARDS = (
    size,
    executed_in_order,
    no_errors,
    ignored_outputs_are_listed,
    no_definition_stands_in_helpers,
    pictures_have_alt_text,
    nothing_drawn_is_cut,
    nothing_changes_from_run_to_run,
    cells_are_short,
    first_import_says_where_help_is,
    cells_are_slides,
    sliders_keep_what_they_draw,
    links_lead_somewhere,
    chapters_have_a_cover,
    path_fits,
    path_runs_by_itself,
    exercises_follow_solutions,
)


@cache
def helper_names() -> set[str]:
    """Names of all functions and classes of the package."""
    return {
        node.name
        for path in (ROOT / "helpers").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def read(path: Path):
    """A notebook as it was saved."""
    return nbformat.read(path, as_version=4)


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _tree(cell) -> ast.Module:
    return ast.parse(plain_source(cell))


def _outputs(notebook):
    return [(cell, output) for cell in _code(notebook) for output in cell.outputs]
