"""Every deck as a lecturer meets it: on a screen of 1280 × 720, without a network."""

import pytest
from playwright.sync_api import expect

from helpers.storage import ROOT
from tests.browser.conftest import RAW
from tests.browser.test_notebooks import assert_changes

pytest.importorskip("latex2mathml", reason="needs the extra: pip install '.[site]'")
pytest.importorskip("sphinx_revealjs", reason="needs the extra: pip install '.[site]'")

CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
# What is wrong on each slide, in words; fragments are shown.
FAULTS = """() => {
  Reveal.configure({fragments: false});
  const slides = [...document.querySelectorAll(".slides section:not(.stack)")];
  return slides.flatMap(slide => {
    const {h, v} = Reveal.getIndices(slide), faults = [];
    Reveal.slide(h, v);
    const fault = words => faults.push(`slide ${h}.${v}: ${words}`);
    const height = slide.getBoundingClientRect().height;
    if (height > 720.5) fault(`${height} pixels tall`);
    if (!slide.innerText.trim() && !slide.querySelector("img")) fault("empty");
    for (const pre of slide.querySelectorAll("pre"))
      if (pre.scrollWidth > pre.clientWidth + 1) fault(`cut: ${pre.textContent}`);
    for (const part of slide.querySelectorAll("input, select, output, img, table, p, li, math")) {
      const box = part.getBoundingClientRect();
      if (!box.width || !part.checkVisibility()) continue;
      if (box.top < -1 || box.left < -1 || box.bottom > 721 || box.right > 1281)
        fault(`${part.tagName} is off the screen: ${part.textContent}`);
    }
    for (const image of slide.querySelectorAll("img"))
      if (!(image.alt.length > 20)) fault("an image without description");
    return faults;
  });
}"""
PLACE = "Object.values(Reveal.getIndices()).slice(0, 2)"


@pytest.fixture(scope="session")
def decks(tmp_path_factory):
    from helpers import slides

    folder = tmp_path_factory.mktemp("slides")
    slides.build(folder=folder)
    return folder


def open_deck(page, decks, chapter):
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto((decks / f"{chapter}.html").as_uri())
    expect(page.locator("body[data-ready]")).to_have_count(1, timeout=60_000)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_slide_fits_the_screen(watched, decks, chapter):
    page, complaints = watched
    open_deck(page, decks, chapter)
    assert page.evaluate(FAULTS) == []
    assert page.evaluate(RAW) == []
    assert complaints == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_arrow_keys_move_a_focused_slider_and_not_the_deck(page, decks, chapter):
    open_deck(page, decks, chapter)
    page.evaluate("Reveal.configure({fragments: false})")
    pictures = page.locator(".picture:has(input[type=range])")
    assert pictures.count() > 0
    for picture in pictures.all():
        picture.evaluate(
            "p => { const {h, v} = Reveal.getIndices(p.closest('section')); Reveal.slide(h, v); }"
        )
        here = page.evaluate(PLACE)
        for slider in picture.locator("input[type=range]").all():
            slider.focus()
            page.keyboard.press("Home")
            assert_changes(picture.locator("img"), lambda: page.keyboard.press("ArrowRight"))
            page.keyboard.press("Home")
            box = slider.bounding_box()
            at = {"x": box["width"] * 0.95, "y": box["height"] / 2}
            assert_changes(picture.locator("img"), lambda s=slider, p=at: s.click(position=p))
        assert page.evaluate(PLACE) == here
        page.keyboard.press("Escape")
        page.keyboard.press("Space")
        assert page.evaluate(PLACE) != here
