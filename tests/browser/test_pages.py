"""The course as pages, opened from a disk without a network."""

import subprocess
import sys

import pytest
from playwright.sync_api import expect

from helpers.storage import ROOT
from tests.browser.conftest import RAW
from tests.browser.test_notebooks import assert_changes, count_pictures

for needed in ("latex2mathml", "sphinx", "myst_nb", "sphinx_book_theme"):
    pytest.importorskip(needed, reason="needs the extra: pip install '.[site]'")

CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BY_CHAPTER = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of all pages, made as the command makes it."""
    folder = tmp_path_factory.mktemp("site") / "pages"
    command = [sys.executable, "-m", "helpers.pages", str(ROOT / "notebooks"), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert "ERROR" not in done.stderr
    return folder


def test_every_page_opens_without_a_network(watched, site):
    page, complaints = watched
    paths = sorted(site.rglob("*.html"))
    paths = [path for path in paths if "_static" not in path.parts]
    assert len(paths) > 2 * len(CHAPTERS)
    for path in paths:
        page.goto(path.as_uri(), wait_until="load")
        assert page.evaluate(RAW) == [], path
        expect(page.locator("img:not([alt]), img[alt='']")).to_have_count(0)
        assert complaints == [], path


@BY_CHAPTER
def test_every_static_control_moves_its_picture(page, site, chapter):
    page.goto((site / f"{chapter.stem}.html").as_uri())
    assert page.locator(".cell_output img").count() == count_pictures(chapter)
    outputs = page.locator("div:has(> img):has(> script)")
    assert outputs.count() > 0
    for output in outputs.all():
        image = output.locator("img")
        for slider in output.locator("input[type=range]").all():
            slider.focus()
            page.keyboard.press("Home")
            assert_changes(image, lambda: page.keyboard.press("ArrowRight"))
            page.keyboard.press("Home")
            box = slider.bounding_box()
            at = {"x": box["width"] * 0.95, "y": box["height"] / 2}
            assert_changes(image, lambda s=slider, p=at: s.click(position=p))
        for menu in output.locator("select").all():
            menu.select_option(index=0)
            menu.focus()
            assert_changes(image, lambda: page.keyboard.press("ArrowDown"))


@BY_CHAPTER
def test_links_of_a_page_lead_somewhere(page, site, chapter):
    page.goto((site / f"{chapter.stem}.html").as_uri())
    links = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
    files = {link.split("#")[0].split("?")[0] for link in links if link.startswith("file:")}
    existing = {path.as_uri() for path in site.rglob("*")}
    assert files - existing == set()
    assert any(link.endswith(f"notebooks/{chapter.name}") for link in files)


def test_solutions_and_hints_are_folded(page, site):
    for chapter in CHAPTERS:
        page.goto((site / "exercises" / chapter.name).with_suffix(".html").as_uri())
        folded = page.locator("details:has-text('your code here')")
        assert folded.count() > 0
        assert page.locator("details[open]").count() == 0


def test_search_finds_a_word(page, site):
    page.goto((site / "search.html").as_uri() + "?q=eigenvector")
    expect(page.locator("#search-results li").first).to_be_visible(timeout=20_000)


def test_dark_theme_can_be_chosen(page, site):
    page.emulate_media(color_scheme="dark")
    page.goto((site / "index.html").as_uri())
    expect(page.locator("html[data-theme=dark]")).to_have_count(1)


# What sticks out of the paper, or of a box that a screen would scroll.
CUT = """() => [...document.querySelectorAll("pre, table, img, math, input, select")].filter(part => {
  if (!part.checkVisibility()) return false;
  const {right} = part.getBoundingClientRect(), box = part.parentElement;
  return right > innerWidth + 1 || part.scrollWidth > part.clientWidth + 1 && part.tagName == "PRE" ||
    box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX != "visible";
}).map(part => part.tagName + ": " + part.textContent.slice(0, 80))"""


@BY_CHAPTER
@pytest.mark.parametrize(("media", "width"), [("print", 680), ("screen", 1300)])
def test_nothing_is_cut_on_paper_and_on_a_laptop(page, site, chapter, media, width):
    page.set_viewport_size({"width": width, "height": 1000})  # A4 less its margins is 680 wide
    page.emulate_media(media=media)
    page.goto((site / f"{chapter.stem}.html").as_uri())
    assert page.evaluate(CUT) == []
