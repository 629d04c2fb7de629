"""Sliders over figure functions: alive with a kernel, still useful on a page without one."""

import html
import json
import math
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import ipywidgets as widgets
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure

from helpers.picture import image_html, png_url, to_png

FRAMES_ONE_CONTROL = 20
FRAMES_SEVERAL_CONTROLS = 50
PAGE_WIDTH = 900  # pixels on the page; without it an image stretches with the window
CONTROL_WIDTH = 500

Choices = Sequence[Any] | Mapping[str, Any]


def explore(
    figure: Callable[..., Figure],
    /,
    *,
    initial: Mapping[str, Any] | None = None,
    **controls: Choices,
) -> None:
    """Show a figure function with a control for each of its arguments.

    One output in three forms: a live slider, when a kernel answers; HTML with a slider of its
    own over precomputed frames, for pages without a kernel; and a plain image, the beginning of
    that HTML, where pages run no scripts.

    Parameters
    ----------
    figure : callable
        Takes the controls' names as keyword arguments and returns a matplotlib figure. One made
        by ``new_picture`` brings its description; that of another is made of its titles. It
        should be pure and answer within 100 ms.
    initial : mapping, optional
        Value at which a control starts; the middle one of its values otherwise.
    **controls : sequence of numbers, or of anything else, or mapping from label to value
        A sequence of numbers becomes a slider over them; other values become a menu. Any name
        but "initial" will do.

    Raises
    ------
    TypeError, ValueError
        If there is no control, a control is no sequence or mapping, or has no values; if
        ``initial`` names none of them; or if ``figure`` returns no figure.
    Exception
        Whatever ``figure`` raises while the frames are drawn. Later, when a control is moved,
        an error appears in place of the picture.

    Examples
    --------
    >>> explore(plot_reconstructions, k=range(0, 101))
    >>> explore(plot_path, pair={"boot to bag": (0, 18), "shirt to coat": (7, 4)}, t=[0, 0.5, 1])
    """
    options = {name: labelled_values(name, choices) for name, choices in controls.items()}
    if not options:
        raise ValueError("explore needs at least one control, e.g. explore(figure, k=range(10))")
    at = initial_indices(options, initial or {})
    page, alt = static_view(figure, options, at)
    live = live_view(figure, options, at)._repr_mimebundle_()
    display(live | {"text/html": page, "text/plain": alt}, raw=True)


def labelled_values(name: str, choices: Choices) -> list[tuple[str, Any]]:
    """The values of a control, each with the label that the reader sees.

    Raises
    ------
    TypeError
        If ``choices`` is neither a sequence of values nor a mapping from label to value.
    ValueError
        If there is no value.
    """
    if isinstance(choices, Mapping):
        pairs = [(str(label), value) for label, value in choices.items()]
    elif isinstance(choices, Iterable) and not isinstance(choices, str):
        values = [v.item() if isinstance(v, np.generic) else v for v in choices]
        pairs = list(zip(short_labels(values), values, strict=True))
    else:
        raise TypeError(
            f"control {name!r} must be a sequence of values, e.g. range(10), or a mapping from "
            f"label to value, got {choices!r}"
        )
    if not pairs:
        raise ValueError(f"control {name!r} has no values to choose from")
    return pairs


def short_labels(values: Sequence[Any]) -> list[str]:
    """A label for each value; floats have four digits, or as many as make them differ."""
    for digits in range(4, 18):
        labels = [f"{v:.{digits}g}" if isinstance(v, float) else str(v) for v in values]
        floats = {v for v in values if isinstance(v, float)}
        if len({f"{v:.{digits}g}" for v in floats}) == len(floats):
            break
    return labels


def drawn(figure: Callable[..., Figure], values: Mapping[str, Any]) -> Figure:
    """The figure for some values of the controls, closed where pyplot would show it again.

    Raises
    ------
    TypeError
        If the figure function returns anything but a matplotlib figure.
    """
    picture = figure(**values)
    if not isinstance(picture, Figure):
        name = getattr(figure, "__name__", "the figure function")
        raise TypeError(
            f"{name} must return a matplotlib figure (of an axes: axes.figure), "
            f"got {type(picture).__name__} for {_words(values)}"
        )
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(picture)
    return picture


def description(picture: Figure, values: Mapping[str, Any]) -> str:
    """What a figure says it shows: its own description, or else its titles and the values."""
    if alt := getattr(picture, "alt", ""):
        return alt
    titles = [picture.get_suptitle()]
    titles += [axes.get_title(loc) for axes in picture.axes for loc in ("left", "center", "right")]
    return f"{'; '.join(filter(None, titles)) or 'A figure without a title'} ({_words(values)})"


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{_label(name)} = {value}" for name, value in values.items())


def initial_indices(
    options: dict[str, list[tuple[str, Any]]], initial: Mapping[str, Any]
) -> list[int]:
    """Position of each control's initial value among its values; the middle one if none is named.

    Raises
    ------
    TypeError
        If ``initial`` is not a mapping.
    ValueError
        If it names a control that isn't there, or a value that is none of the control's.
    """
    if not isinstance(initial, Mapping):
        raise TypeError(f"initial must map controls to values, e.g. {{'k': 16}}, got {initial!r}")
    if unknown := set(initial) - set(options):
        raise ValueError(f"initial names {sorted(unknown)}, but the controls are {sorted(options)}")
    indices = []
    for name, pairs in options.items():
        if name not in initial:
            indices.append(len(pairs) // 2)
            continue
        matches = [i for i, (_, value) in enumerate(pairs) if _is_same(value, initial[name])]
        if not matches:
            raise ValueError(
                f"initial of control {name!r} is {initial[name]!r}: not one of its values"
            )
        indices.append(matches[0])
    return indices


def _is_same(a: Any, b: Any) -> bool:
    if isinstance(a, float):  # np.linspace(0, 1, 11)[3] is not quite 0.3
        return isinstance(b, int | float) and math.isclose(a, b, abs_tol=1e-12)
    return np.array_equal(a, b)


def live_view(
    figure: Callable[..., Figure], options: dict[str, list[tuple[str, Any]]], at: list[int]
) -> widgets.VBox:
    """Controls above an image that follows them; an error in ``figure`` takes its place."""
    controls = [
        _live_control(name, pairs, index)
        for (name, pairs), index in zip(options.items(), at, strict=True)
    ]
    image = widgets.Image(format="png", width=PAGE_WIDTH)
    words = widgets.HTML()

    def draw(_change=None) -> None:
        chosen = zip(options.items(), controls, strict=True)
        values = {name: pairs[control.value][1] for (name, pairs), control in chosen}
        try:
            picture = drawn(figure, values)
            image.value = to_png(picture)
            image.layout.visibility = "visible"
            alt = html.escape(description(picture, values))
            words.value = f'<span style="{HIDDEN}">{alt}</span>'
        except Exception:
            image.layout.visibility = "hidden"
            words.value = f'<pre style="{ERROR}">{html.escape(traceback.format_exc())}</pre>'

    for control in controls:
        control.observe(draw, names="value")
    draw()
    return widgets.VBox([*controls, words, image, _spoken_labels(options)])


def _spoken_labels(options: dict[str, list[tuple[str, Any]]]) -> widgets.HTML:
    """What has a screen reader say labels: ipywidgets' sliders tell it only where they stand."""
    sliders = {
        _label(name): [label for label, _ in pairs]
        for name, pairs in options.items()
        if _is_numeric(pairs)
    }
    labels = html.escape(json.dumps(list(sliders.items())))
    return widgets.HTML(f'<style data-labels="{labels}" onload="{html.escape(SPOKEN)}"></style>')


# for screen readers, which live images give no description
HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"
SPOKEN = """
for (const [i, [name, labels]] of JSON.parse(this.dataset.labels).entries()) {
  const handle = this.closest('.widget-vbox').querySelectorAll('.noUi-handle')[i];
  const tell = () => {
    const label = labels[Math.round(handle.getAttribute('aria-valuenow'))];
    if (handle.getAttribute('aria-valuetext') !== label)
      handle.setAttribute('aria-valuetext', label);
  };
  handle.setAttribute('aria-label', name);
  new MutationObserver(tell).observe(handle, {attributeFilter: ['aria-valuetext']});
  tell();
}"""
ERROR = "color:#8B0000;background:#FFF1F0;padding:8px;white-space:pre-wrap"


def _live_control(name: str, pairs: list[tuple[str, Any]], index: int) -> widgets.Widget:
    make = widgets.SelectionSlider if _is_numeric(pairs) else widgets.Dropdown
    return make(
        options=[(label, i) for i, (label, _) in enumerate(pairs)],
        index=index,
        description=_label(name),
        style={"description_width": "initial"},
        layout={"width": f"{CONTROL_WIDTH}px"},
    )


def _is_numeric(pairs: list[tuple[str, Any]]) -> bool:
    return all(isinstance(value, int | float) for _, value in pairs)


def _label(name: str) -> str:
    return name.replace("_", " ")


def static_view(
    figure: Callable[..., Figure], options: dict[str, list[tuple[str, Any]]], at: list[int]
) -> tuple[str, str]:
    """HTML with a frame for a choice of the controls' values, and the first frame's description.

    It begins with a plain image, which is all that a viewer without scripts or inputs keeps.
    """
    shown = static_indices([len(pairs) for pairs in options.values()], at)
    frames, first, image, alt = [], 0, "", ""
    for indices in product(*shown):
        values = {
            name: pairs[i][1] for (name, pairs), i in zip(options.items(), indices, strict=True)
        }
        picture = drawn(figure, values)
        png, words = to_png(picture, small=True), description(picture, values)
        if list(indices) == at:  # it stands in the page already, as the plain image
            first, alt = len(frames), words
            image = image_html(png, alt, f"width:{PAGE_WIDTH}px;max-width:100%")
            frames.append(None)
        else:
            frames.append({"src": png_url(png), "alt": words})
    inputs = [
        _static_control(name, [pairs[i][0] for i in kept], kept.index(index), _is_numeric(pairs))
        for (name, pairs), kept, index in zip(options.items(), shown, at, strict=True)
    ]
    page = PAGE.format(
        image=image,
        names=html.escape(", ".join(map(_label, options))),
        inputs="".join(inputs),
        frames=json.dumps(frames).replace("</", "<\\/"),  # would end the script
        first=first,
    )
    return page, alt


def static_indices(sizes: list[int], at: list[int]) -> list[list[int]]:
    """Which of each control's values get frames: evenly spread, with the start among them.

    Both ends are among them too, unless there are so many controls that only two fit.
    """
    limit = FRAMES_ONE_CONTROL if len(sizes) == 1 else FRAMES_SEVERAL_CONTROLS
    counts = [1] * len(sizes)
    while True:
        total = math.prod(counts)
        growing = [
            i for i, n in enumerate(counts) if n < sizes[i] and total // n * (n + 1) <= limit
        ]
        if not growing:
            break
        counts[min(growing, key=counts.__getitem__)] += 1
    return [
        _spread(size, count, index) for size, count, index in zip(sizes, counts, at, strict=True)
    ]


def _spread(size: int, count: int, index: int) -> list[int]:
    if count == 1:
        return [index]
    spread = [round(i * (size - 1) / (count - 1)) for i in range(count)]
    if index not in spread:
        movable = range(1, count - 1) if count > 2 else range(count)
        spread[min(movable, key=lambda i: abs(spread[i] - index))] = index
    return spread


def _static_control(name: str, labels: list[str], index: int, numeric: bool) -> str:
    text = html.escape(_label(name))
    if len(labels) == 1:  # nothing to move
        return f'<span style="margin-right:2em">{text} {html.escape(labels[0])}</span>'
    make = _static_slider if numeric else _static_menu
    return f'<label style="{ROW}">{text} {make(text, labels, index)}</label>'


ROW = f"display:flex;gap:8px;align-items:center;width:{CONTROL_WIDTH}px;max-width:100%;margin:4px 0"


def _static_slider(text: str, labels: list[str], index: int) -> str:
    here, widest = html.escape(labels[index]), max(map(len, labels))
    return (
        f'<input type="range" min="0" max="{len(labels) - 1}" value="{index}" aria-label="{text}" '
        f'aria-valuetext="{here}" data-labels="{html.escape(json.dumps(labels))}" '
        f'style="flex:1;min-width:0"> <output style="min-width:{widest}ch">{here}</output>'
    )


def _static_menu(text: str, labels: list[str], index: int) -> str:
    chosen = [" selected" if i == index else "" for i in range(len(labels))]
    items = (
        f'<option value="{i}"{chosen[i]}>{html.escape(label)}</option>'
        for i, label in enumerate(labels)
    )
    return f'<select aria-label="{text}" style="flex:1;min-width:0">{"".join(items)}</select>'


# Keys stay with a focused control: in slides, arrows would turn the page; Escape gives them back.
PAGE = """<div>
{image}
<p>Run this cell to move: {names}.</p>
<div style="display:none">{inputs}</div>
<script>
(() => {{
  const root = document.currentScript.parentElement, image = root.querySelector("img");
  const controls = [...root.querySelectorAll("input, select")], frames = {frames};
  frames[{first}] = {{src: image.src, alt: image.alt}};
  const panel = root.querySelector("div");
  root.querySelector("p").remove();
  panel.style.display = "block";
  root.prepend(panel);
  const size = c => c.options ? c.options.length : +c.max + 1;
  const name = c => {{
    const label = JSON.parse(c.dataset.labels)[c.value];
    c.nextElementSibling.value = label;
    c.setAttribute("aria-valuetext", label);
  }};
  const show = () => {{
    controls.filter(c => c.dataset.labels).forEach(name);
    Object.assign(image, frames[controls.reduce((at, c) => at * size(c) + +c.value, 0)]);
  }};
  const ring = on => e => e.target.style.outline =
    on && e.target.matches(":focus-visible") ? "3px solid #0072B2" : "";
  for (const c of controls) {{
    c.addEventListener("input", show);
    c.addEventListener("focus", ring(true));
    c.addEventListener("blur", ring(false));
    c.addEventListener("keydown", e => {{
      if (e.key === "Escape") c.blur();
      e.stopPropagation();
    }});
  }}
}})();
</script>
</div>"""
