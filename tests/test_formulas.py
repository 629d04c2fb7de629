import re

import pytest

pytest.importorskip("latex2mathml", reason="needs the extra: pip install '.[site]'")

from helpers.formulas import to_mathml
from helpers.notebooks import course_notebooks
from tests.notebooks.guards import read


def test_a_formula_becomes_an_element():
    assert 'display="inline"' in to_mathml("x")
    assert 'display="block"' in to_mathml(r"\frac{1}{2}", block=True)
    assert "mfrac" in to_mathml(r"\frac{1}{2}")


def test_bold_and_capital_greek_letters_look_as_in_latex():
    assert "𝟏" in to_mathml(r"\mathbf 1")
    assert "&#x1D417;" in to_mathml(r"\mathbf{X}")
    assert '<mi mathvariant="normal">&#x003A3;</mi>' in to_mathml(r"\Sigma")
    assert "normal" not in to_mathml(r"\sigma")


def test_angle_brackets_of_any_size():
    for latex in (r"\bigl\langle a, b \bigr\rangle", r"\langle a, b\rangle"):
        mathml = to_mathml(latex)
        assert "langle" not in mathml
        assert re.search("⟨|27E8", mathml)


def test_an_unknown_command_is_named():
    with pytest.raises(ValueError, match="unknownthing"):
        to_mathml(r"\unknownthing x")


@pytest.mark.parametrize("path", course_notebooks(), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_formula_of_the_course_can_be_converted(path):
    cells = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    for text in cells:
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
        for block, inline in re.findall(r"\$\$(.+?)\$\$|\$([^$]+?)\$", prose, re.S):
            assert to_mathml(block or inline).startswith("<math")
