"""Formulas as MathML, which browsers draw by themselves: no script and no network."""

import re

BRACKETS = {"langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉"}
UPRIGHT = r'<mi mathvariant="normal">\1</mi>'  # capital Greek letters, as LaTeX sets them


def to_mathml(latex: str, *, block: bool = False) -> str:
    """A formula of LaTeX as a MathML element.

    Parameters
    ----------
    block : bool
        On lines of its own.

    Raises
    ------
    ValueError
        If the formula can't be converted; it says which.
    """
    from latex2mathml.converter import convert  # of the extra "site"

    try:
        mathml = convert(brackets(latex.strip()), display="block" if block else "inline")
    except Exception as error:
        raise ValueError(f"the formula {latex!r} can't be converted: {error!r}") from error
    if unknown := re.search(r">\\(\w+)<", mathml):
        raise ValueError(f"the formula {latex!r} has an unknown command {unknown.group(1)}")
    mathml = re.sub(r"<mi>(&#x003(?:9[1-9A-F]|A[0-9]);|[Α-Ω])</mi>", UPRIGHT, mathml)
    mathml = mathml.replace("<mo>&#x022A4;</mo>", "<mi>⊤</mi>")  # an operator would float above
    return re.sub(r'<mn mathvariant="bold">([^<]*)<', _bold, mathml)


def brackets(latex: str) -> str:
    r"""Brackets as characters: latex2mathml doesn't know their names after \bigl and \bigr."""
    names = "|".join(BRACKETS)
    return re.sub(rf"\\({names})(?![a-zA-Z])", lambda m: BRACKETS[m.group(1)], latex)


def _bold(match: re.Match) -> str:
    # browsers ignore mathvariant="bold"; Unicode has such digits
    digits = {ord("0") + i: ord("𝟎") + i for i in range(10)}
    return f"<mn>{match.group(1).translate(digits)}<"
