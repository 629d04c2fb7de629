"""Every notebook as a reader meets it: opened, run, its sliders moved; and as a page without kernel.

A chapter joins these tests by being in notebooks/. Here only the statements run that its sliders
need: nbval runs them all.
"""

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import expect

from helpers.copies import update_copies
from helpers.notebooks import course_notebooks
from helpers.storage import ROOT
from tests.browser.conftest import CLOSE_ALL, LAB_TIMEOUT
from tests.notebooks.names import cells_needed, statements

RUN_TIMEOUT = 600_000  # milliseconds for all cells of a notebook, on a busy machine
DRAWN_TIMEOUT = 60_000  # for a picture; tests wait for what happens, these only end a wait in vain
ERRORS = (
    '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"], '
    '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]'
)
EXPLORERS = ".jp-RenderedHTML:has(img):has-text('Run this cell to move')"  # as saved


def count_explorers(path) -> int:
    """How many slider outputs a notebook was saved with."""
    return sum("<script>" in page for page in saved_html(path))


def count_pictures(path) -> int:
    """How many pictures stand in the outputs that a notebook was saved with."""
    return sum("<img " in page for page in saved_html(path))


def saved_html(path) -> list[str]:
    outputs = [o for c in nbformat.read(path, 4).cells for o in c.get("outputs", [])]
    return [output.get("data", {}).get("text/html", "") for output in outputs]


def is_explorer(cell) -> bool:
    """Whether a cell was saved with a slider."""
    return any(
        "<script>" in o.get("data", {}).get("text/html", "") for o in cell.get("outputs", [])
    )


def sliders_only(path):
    """A notebook with only those statements that its sliders need."""
    notebook = nbformat.read(path, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    parts = [part for cell in code for part in statements(cell)]
    sliders = {cell.id for cell in filter(is_explorer, code)}
    shown = [part for part in parts if part.cell in sliders and part.source.startswith("explore(")]
    assert {part.cell for part in shown} == sliders
    needed = [part for slider in shown for part in cells_needed(parts, slider)]
    for cell in code:
        cell.source = "\n".join(p.source for p in parts if p.cell == cell.id and p in needed)
    notebook.cells = [c for c in notebook.cells if c.cell_type != "code" or c.source]
    return notebook


NOTEBOOKS = pytest.mark.parametrize("path", course_notebooks(), ids=lambda path: path.stem)
WITH_SLIDERS = pytest.mark.parametrize(
    "path", list(filter(count_explorers, course_notebooks())), ids=lambda path: path.stem
)


def open_in_lab(page, file):
    """Show a notebook alone, with a new kernel that is ready."""
    page.evaluate(CLOSE_ALL)
    page.wait_for_function(
        """async path => {
          const opened = await jupyterapp.commands.execute("docmanager:open", {path});
          await opened.revealed;
          await opened.sessionContext.ready;
          await opened.sessionContext.session.kernel.info;
          return true;
        }""",
        arg=file,
        timeout=LAB_TIMEOUT,
    )
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=LAB_TIMEOUT)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Idle", timeout=LAB_TIMEOUT)


def run_all(page):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    # all cells have been numbered anew and none is left waiting
    page.wait_for_function(
        """() => {
            const prompts = [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")];
            return prompts.every(p => /^\\[\\d+\\]:$/.test(p.textContent)) && prompts.length;
        }""",
        timeout=RUN_TIMEOUT,
    )
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Idle", timeout=RUN_TIMEOUT)


def assert_changes(image, act):
    """The picture is another one after ``act``, however long a busy machine takes to draw it."""
    before = image.get_attribute("src")
    act()
    expect(image).not_to_have_attribute("src", before, timeout=DRAWN_TIMEOUT)
    assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") > 0


def assert_speaks(handle):
    """A screen reader hears the slider's name, and the label that stands beside it."""
    row = handle.locator('xpath=ancestor::div[contains(@class, "widget-slider")][1]')
    for attribute, place in (
        ("aria-valuetext", ".widget-readout"),
        ("aria-label", ".widget-label"),
    ):
        shown = row.locator(place)
        expect(shown).not_to_be_empty()
        expect(handle).to_have_attribute(attribute, shown.text_content())


def move_to_the_left(page, handle, image):
    """Bring a live slider to its first value, and wait for the picture if that is another value."""
    handle.focus()
    before, picture = handle.get_attribute("aria-valuenow"), image.get_attribute("src")
    page.keyboard.press("Home")
    if handle.get_attribute("aria-valuenow") != before:
        expect(image).not_to_have_attribute("src", picture, timeout=DRAWN_TIMEOUT)


@NOTEBOOKS
def test_saved_notebook_shows_its_pictures_before_anything_is_run(lab, path):
    open_in_lab(lab, path.relative_to(ROOT).as_posix())
    images = lab.locator(".jp-OutputArea-output img")
    expect(images).to_have_count(count_pictures(path))
    for image in images.all():
        image.scroll_into_view_if_needed()
        assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") > 0
        assert len(image.get_attribute("alt")) > 20
    saved = lab.locator(EXPLORERS)
    expect(saved).to_have_count(count_explorers(path))
    for output in saved.all():
        expect(output.locator("img")).to_have_count(1)
        expect(output.locator("input, select").first).to_be_hidden()
    expect(lab.get_by_text("Jupyter news")).to_have_count(0)


def test_a_copy_is_not_marked_as_changed_by_opening_it(lab, lab_folder):
    update_copies(ROOT / "notebooks", lab_folder / "work")
    for path in course_notebooks():
        open_in_lab(lab, f"work/{path.relative_to(ROOT / 'notebooks').as_posix()}")
        shown = "[...jupyterapp.shell.widgets('main')].at(-1).context.model"
        assert lab.evaluate(f"{shown}.getMetadata('language_info').version")
        expect(lab.locator(".jp-mod-dirty")).to_have_count(0)


@WITH_SLIDERS
def test_every_control_changes_its_picture_and_what_is_saved_keeps_its_pictures(
    lab, lab_folder, path
):
    file = f"notebooks/sliders-{path.name}"
    nbformat.write(sliders_only(path), lab_folder / file)
    open_in_lab(lab, file)
    run_all(lab)
    images = lab.locator("img.widget-image")
    expect(images).to_have_count(count_explorers(path), timeout=30_000)
    expect(lab.locator(ERRORS)).to_have_count(0)
    for image in images.all():
        explorer = image.locator('xpath=ancestor::div[contains(@class, "widget-vbox")][1]')
        explorer.scroll_into_view_if_needed()
        handles, tracks = (explorer.locator(c).all() for c in (".noUi-handle", ".noUi-target"))
        for handle, track in zip(handles, tracks, strict=True):
            assert_speaks(handle)
            move_to_the_left(lab, handle, image)
            assert_speaks(handle)
            assert_changes(image, lambda: lab.keyboard.press("ArrowRight"))
            move_to_the_left(lab, handle, image)
            box = track.bounding_box()
            place = {"x": box["width"] * 0.9, "y": box["height"] / 2}
            assert_changes(image, lambda t=track, p=place: t.click(position=p, force=True))
        for menu in explorer.locator("select").all():
            labels = menu.locator("option").all_inner_texts()
            for label in (labels[0], labels[-1]):
                if label != menu.locator("option:checked").inner_text():
                    assert_changes(image, lambda m=menu, at=label: m.select_option(label=at))
        expect(explorer.locator("pre")).to_have_count(0)
    expect(lab.locator(ERRORS)).to_have_count(0)
    lab.get_by_role("button", name="Save and create checkpoint").click()
    expect(lab.locator(".jp-mod-dirty")).to_have_count(0)
    open_in_lab(lab, file)
    # run here, it is trusted: its scripts have replaced the words by controls
    shown = lab.locator(".jp-RenderedHTML:has(img):has(input, select)")
    expect(shown).to_have_count(count_explorers(path), timeout=LAB_TIMEOUT)


@NOTEBOOKS
def test_exported_page_moves_without_a_kernel(page, path, tmp_path):
    exported, _ = HTMLExporter().from_filename(str(path))
    (tmp_path / "page.html").write_text(exported, encoding="utf-8")
    faults = []
    page.on("pageerror", lambda fault: faults.append(fault))
    page.goto((tmp_path / "page.html").as_uri(), wait_until="domcontentloaded")
    outputs = page.locator("div:has(> img):has(> script)")
    expect(outputs).to_have_count(count_explorers(path))
    expect(page.locator("img:not([alt]), img[alt^='No description']")).to_have_count(0)
    for output in outputs.all():
        image = output.locator("img")
        for slider in output.locator('input[type="range"]').all():
            slider.focus()
            page.keyboard.press("Home")
            assert_changes(image, lambda: page.keyboard.press("End"))
            last = slider.evaluate("s => JSON.parse(s.dataset.labels).at(-1)")
            assert last == slider.locator("+ output").inner_text()
            assert last == slider.get_attribute("aria-valuetext")
            assert slider.evaluate("s => getComputedStyle(s).outlineWidth") == "3px"
        for menu in output.locator("select").all():
            menu.select_option(index=0)
            assert_changes(image, lambda m=menu: m.select_option(index=1))
        expect(output).not_to_contain_text("Run this cell to move")
    assert [str(fault) for fault in faults if "Require" not in str(fault)] == []
