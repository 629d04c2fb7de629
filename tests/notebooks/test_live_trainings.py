"""What is drawn of a live training isn't compared; an assertion beside it stops a broken one."""

import ast
from dataclasses import replace

import matplotlib
import pytest

from helpers import display, training
from helpers.storage import ROOT
from tests.notebooks import guards
from tests.notebooks.names import (
    cells_needed,
    defined_names,
    names_taken,
    plain_source,
    statements,
    used_names,
)


def test_few_outputs_are_ignored():
    assert len(guards.IGNORED_OUTPUTS) <= guards.MAX_IGNORED


@pytest.fixture
def broken_training(monkeypatch):
    """`train` takes a step an epoch at a learning rate of 0, and pictures are not drawn."""
    train = training.train

    def without_learning(model, images, options, **more):
        images = images[: options.batch_size]
        return train(model, images, replace(options, learning_rate=0.0), **more)

    monkeypatch.setattr(training, "train", without_learning)
    monkeypatch.setattr(display, "display", lambda *_, **__: None)
    matplotlib.use("agg")


@pytest.mark.parametrize(("place", "bound"), guards.IGNORED_OUTPUTS.items())
def test_a_broken_training_fails_the_assertion_beside_its_picture(place, bound, broken_training):
    name, id_ = place.split(": ")
    notebook = guards.read(ROOT / "notebooks" / name)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    by_id = {cell.id: cell for cell in cells}
    assert "train(" in "".join(cell.source for cell in cells_needed(cells, by_id[id_]))
    *before, bounded = cells_needed(cells, by_id[bound])
    space = {"display": lambda *_, **__: None}
    for cell in before:
        tree = ast.parse(plain_source(cell))
        # another assertion must not be the one that stops it
        tree.body = [node for node in tree.body if not isinstance(node, ast.Assert)]
        exec(compile(tree, f"{name} {cell.id}", "exec"), space)
    with pytest.raises(AssertionError) as failed:
        exec(compile(plain_source(bounded), f"{name} {bound}", "exec"), space)
    assert str(failed.traceback[-1].path).endswith(f"{name} {bound}")


def test_names_of_a_cell():
    from nbformat.v4 import new_code_cell

    cells = [
        new_code_cell("import numpy as np\nfrom a.b import c"),
        new_code_cell("x = np.ones(3)\ny: int = 2\nfor i in range(2):\n    z = [c(j) for j in x]"),
        new_code_cell("def f(u, v=y):\n    w = u + x\n    return w\n\n\nx += 1"),
        new_code_cell("%matplotlib inline\nf(z)"),
    ]
    assert defined_names(cells[0]) == {"np", "c"}
    assert defined_names(cells[1]) == {"x", "y", "z", "i"}
    assert used_names(cells[1]) >= {"np", "range", "c", "x"}
    assert defined_names(cells[2]) == {"f", "x"}
    assert {"y", "x"} <= used_names(cells[2])
    assert not {"u", "w", "v"} & used_names(cells[2])
    assert cells_needed(cells, cells[3]) == cells
    assert cells_needed(cells, cells[1]) == cells[:2]


@pytest.mark.parametrize(
    ("source", "taken"),
    [
        ("x = 1\nprint(x)", {"print"}),
        ("print(x)\nx = 1", {"print", "x"}),
        ("x = x + 1", {"x"}),
        ("x += 1", {"x"}),
        ("for x in y:\n    z = x\n    w = z", {"y"}),
        ("for x in y:\n    w = z\n    z = x", {"y", "z"}),
        ("if a:\n    b = 1\nelif c:\n    b = d\nb", {"a", "c", "d"}),
        ("with a() as b:\n    c = b", {"a"}),
        ("y = 1\nf = lambda x: x + y + z", {"z"}),
        ("[x for x in y]", {"y"}),
        ("rows = []\nfor i in k:\n    row = {i}\n    row |= {i}\n    rows += [row]", {"k"}),
        ("x: int = 1\nx[0] = y", {"int", "y"}),
    ],
)
def test_a_cell_takes_from_others_what_it_looks_up_before_it_gives_it_a_value(source, taken):
    from nbformat.v4 import new_code_cell

    assert names_taken(new_code_cell(source)) == taken


def test_a_cell_that_changes_an_object_is_needed_by_those_that_use_it_later():
    from nbformat.v4 import new_code_cell

    sources = ["found, rows = {}, []", "found['a'].b = 1", "rows.append(2)", "5", "print(found)"]
    cells = [new_code_cell(source) for source in [*sources, "print(rows)"]]
    assert cells_needed(cells, cells[4]) == [cells[0], cells[1], cells[4]]
    assert cells_needed(cells, cells[5]) == [cells[0], cells[2], cells[5]]


def test_of_a_cell_only_the_statements_that_are_needed_are_kept():
    from nbformat.v4 import new_code_cell

    cells = [
        new_code_cell(
            "x, rows = 1, []\nslow = x + 1\nassert slow == 2\nfor i in range(x):\n    rows.append(i)"
        ),
        new_code_cell("print(slow)\nexplore(rows)"),
    ]
    parts = [part for cell in cells for part in statements(cell)]
    assert len(parts) == 5
    kept = [part.source for part in cells_needed(parts, parts[-1])]
    assert kept == ["x, rows = (1, [])", "for i in range(x):\n    rows.append(i)", "explore(rows)"]
    assert [part.cell for part in parts] == [cells[0].id] * 3 + [cells[1].id] * 2
