"""Every notebook keeps to the guards, and every guard notices what it is for."""

import base64
from functools import cache

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.notebooks import (
    LIVE_VIEW,
    course_notebooks,
    cover,
    cover_path,
    exercise_path,
    student_copy,
    tidy,
)
from helpers.picture import new_picture, to_png
from tests.notebooks import guards
from tests.notebooks.paths import minutes

saved = cache(guards.read)  # read once for all guards, which change nothing


@pytest.mark.parametrize("path", course_notebooks(), ids=lambda path: path.stem)
@pytest.mark.parametrize("guard", guards.GUARDS, ids=lambda guard: guard.__name__)
def test_notebook_keeps_to(guard, path):
    faults = guard(path, saved(path))
    assert not faults, "; ".join(faults)


def test_chapters_are_numbered_without_gaps():
    chapters = [p for p in course_notebooks() if p.parent.name == "notebooks"]
    assert chapters
    assert [path.name[:3] for path in chapters] == [f"{i + 1:02d}_" for i in range(len(chapters))]


def picture(alt="A curve that falls from left to right."):
    html = f'<img src="data:image/png;base64,iVBORw==" alt="{alt}">'
    return new_output("display_data", {"text/html": html, "text/plain": alt})


def test_guard_notices_a_missing_and_an_old_cover(tmp_path):
    path, notebook = tmp_path / "notebooks" / "01_good.ipynb", good_notebook()
    assert guards.chapters_have_a_cover(path, notebook) == ["no cell is tagged cover"]
    notebook.cells[2].metadata["tags"] = ["cover"]
    assert guards.chapters_have_a_cover(path, notebook) == ["01_good.png is old"]
    cover_path(path).parent.mkdir(parents=True)
    cover_path(path).write_bytes(cover(notebook))
    assert guards.chapters_have_a_cover(path, notebook) == []


def test_guard_notices_a_path_that_is_too_long_or_leans_on_what_is_left_out(tmp_path):
    path, notebook = tmp_path / "notebooks" / "01_good.ipynb", good_notebook()
    notebook.cells[1].source = "from x import draw"
    notebook.cells[2].source = "five = draw(len('five'))"
    assert guards.path_fits(path, notebook) == []
    notebook.cells.append(new_code_cell("print(five)"))
    assert guards.path_runs_by_itself(path, notebook) == []
    notebook.cells[1].metadata["tags"] = ["if-time"]
    faults = guards.path_runs_by_itself(path, notebook)
    assert faults == ["cell c2 needs draw, which the path doesn't define"]
    notebook.cells[2].metadata["tags"] = ["if-time"]
    faults = guards.path_runs_by_itself(path, notebook)
    assert faults == [f"cell {notebook.cells[3].id} needs five, which the path doesn't define"]
    notebook.cells[0].source = "word " * 130 * 45
    assert guards.path_fits(path, notebook) == ["the path takes 46 minutes, more than 45"]
    assert guards.path_fits(path.parent.parent / "solutions" / path.name, notebook) == []


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (new_markdown_cell("one two $x = 1$ three " * 65), 2.0),
        (new_code_cell("1 + 1"), 0.7),
        (new_code_cell("draw()", outputs=[picture()]), 1.7),
        (new_markdown_cell("one " * 130, metadata={"tags": ["derivation"]}), 3.0),
        (new_markdown_cell("one " * 130, metadata={"tags": ["if-time"]}), 0.0),
    ],
)
def test_minutes_of_a_path(part, expected):
    assert minutes(new_notebook(cells=[part])) == pytest.approx(expected)


def test_guard_notices_missing_and_old_exercises(tmp_path):
    path, notebook = tmp_path / "solutions" / "01_good.ipynb", good_notebook()
    faults = guards.exercises_follow_solutions(path, notebook)
    assert faults == ["exercises/01_good.ipynb is old", "no cell is tagged solution"]
    notebook.cells[1].metadata["tags"] = ["solution"]
    exercise_path(path).parent.mkdir()
    exercise_path(path).write_text(student_copy(notebook), encoding="utf-8")
    faults = guards.exercises_follow_solutions(path, notebook)
    assert faults == ["solution c1 does not begin with '# your code here'"]
    notebook.cells[1].source = "# your code here: x = …\nx = 42"
    assert guards.exercises_follow_solutions(path, notebook) == ["exercises/01_good.ipynb is old"]
    exercise_path(path).write_text(student_copy(notebook), encoding="utf-8")
    assert guards.exercises_follow_solutions(path, notebook) == []
    given = guards.read(exercise_path(path))
    assert given.cells[1].source == "# your code here: x = …"
    assert given.cells[2].source == "draw()"
    assert all(cell.get("outputs", []) == [] for cell in given.cells)


def good_notebook():
    cells = [
        new_markdown_cell("# Title\n\n[itself](good.ipynb)"),
        new_code_cell("1 + 1", execution_count=1, outputs=[]),
        new_code_cell("draw()", execution_count=2, outputs=[picture()]),
    ]
    for i, cell in enumerate(cells):
        cell.id = f"c{i}"
        cell.metadata = {"slideshow": {"slide_type": "-"}}
    return tidy(nbformat.from_dict(new_notebook(cells=cells)))


def faults_found(tmp_path, notebook):
    path = tmp_path / "good.ipynb"
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return {guard.__name__ for guard in guards.GUARDS if guard(path, guards.read(path))}


def test_good_notebook_passes(tmp_path):
    assert faults_found(tmp_path, good_notebook()) == set()


def too_large(notebook):
    notebook.cells[0].source = "x" * 3_000_001


def not_executed(notebook):
    notebook.cells[2].execution_count = None


def slider_of_a_name_that_changes(notebook):
    notebook.cells[1].source = "explore(lambda k: draw(table, k), k=range(3))"
    notebook.cells[2].source = "table = draw()"


def slider_of_a_function_whose_name_changes(notebook):
    notebook.cells[1].source = "def f(k):\n    return draw(table, k)\n\n\nexplore(f, k=range(3))"
    notebook.cells[2].source = "for table in draw():\n    pass"


def slider_of_a_function_that_calls_another(notebook):
    notebook.cells[1].source = (
        "def g(k):\n    return table[k]\n\n\ndef f(k):\n    return draw(g(k))\n\n\n"
        "explore(partial(f), k=range(3))"
    )
    notebook.cells[2].source = "table = draw()"


def out_of_order(notebook):
    notebook.cells[1].execution_count = 7


def warning(notebook):
    notebook.cells[1].outputs = [new_output("stream", name="stderr", text="careful")]


def error(notebook):
    notebook.cells[1].outputs = [new_output("error", ename="E", evalue="e", traceback=[])]


def ignored_by_tag(notebook):
    notebook.cells[1].metadata["tags"] = ["nbval-ignore-output"]


def ignored_by_comment(notebook):
    notebook.cells[1].source = "# NBVAL_SKIP"


def function_of_the_package(notebook):
    notebook.cells[1].source = "%matplotlib inline\ndef covariance(data):\n    return 1"


def undescribed_picture(notebook):
    notebook.cells[2].outputs[0].metadata = {}
    notebook.cells[2].outputs[0]["data"]["text/plain"] = "<Figure size 640x480 with 1 Axes>"


def cut_label(notebook):
    drawn = new_picture("A label that reaches over the right border.")
    drawn.text(0.9, 0.5, "the end of this is cut")
    url = base64.b64encode(to_png(drawn, small=True)).decode()
    notebook.cells[2].outputs[0]["data"]["text/html"] += f'<script>["{url}"]</script>'


def live_view(notebook):
    notebook.cells[2].outputs[0]["data"][LIVE_VIEW] = {"model_id": "1"}


def timer(notebook):
    notebook.cells[1].source = "%time 1 + 1"


def imported_timer(notebook):
    notebook.cells[1].source = "from time import monotonic"


def machine(notebook):
    notebook.metadata.language_info["version"] = "3.11.7"


def timing(notebook):
    notebook.cells[1].metadata["execution"] = {"iopub.execute_input": "2026"}


def long_cell(notebook):
    notebook.cells[1].source = "x = 1\n" * 13


def import_without_help(notebook):
    notebook.cells[1].source = "import numpy\nfrom helpers.pca import covariance"


def no_slide(notebook):
    del notebook.cells[1].metadata["slideshow"]


def dead_picture(notebook):
    notebook.cells[0].source = '<img src="missing.png">'


def dead_link(notebook):
    notebook.cells[0].source = "[there](missing.ipynb)"


@pytest.mark.parametrize(
    ("damage", "guard"),
    [
        (too_large, "size"),
        (not_executed, "executed_in_order"),
        (out_of_order, "executed_in_order"),
        (warning, "no_errors"),
        (error, "no_errors"),
        (ignored_by_tag, "ignored_outputs_are_listed"),
        (ignored_by_comment, "ignored_outputs_are_listed"),
        (function_of_the_package, "no_definition_stands_in_helpers"),
        (undescribed_picture, "pictures_have_alt_text"),
        (cut_label, "nothing_drawn_is_cut"),
        (live_view, "nothing_changes_from_run_to_run"),
        (timer, "nothing_changes_from_run_to_run"),
        (imported_timer, "nothing_changes_from_run_to_run"),
        (machine, "nothing_changes_from_run_to_run"),
        (timing, "nothing_changes_from_run_to_run"),
        (long_cell, "cells_are_short"),
        (import_without_help, "first_import_says_where_help_is"),
        (no_slide, "cells_are_slides"),
        (slider_of_a_name_that_changes, "sliders_keep_what_they_draw"),
        (slider_of_a_function_whose_name_changes, "sliders_keep_what_they_draw"),
        (slider_of_a_function_that_calls_another, "sliders_keep_what_they_draw"),
        (dead_link, "links_lead_somewhere"),
        (dead_picture, "links_lead_somewhere"),
    ],
)
def test_guard_notices(tmp_path, damage, guard):
    notebook = good_notebook()
    damage(notebook)
    assert guard in faults_found(tmp_path, notebook)


def test_a_slider_may_bind_what_it_draws_before_the_name_changes(tmp_path):
    notebook = good_notebook()
    notebook.cells[1].source = "explore(partial(draw, table), k=range(3))"
    notebook.cells[2].source = "table = [k for k in draw()]"
    assert faults_found(tmp_path, notebook) == set()
    notebook.cells[1].source = "explore(lambda k: draw(own, k), k=range(3))"
    assert faults_found(tmp_path, notebook) == set()
