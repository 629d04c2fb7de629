"""One look for every picture: colours, lines, sizes, and words for those who can't see it."""

import base64
import functools
import html
import io
from collections.abc import Callable

import matplotlib
from cycler import cycler
from matplotlib import style
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

# For lines, marks and letters: at least 3 : 1 on white, told apart by colour-blind readers. Five are Okabe
# and Ito's; brown and violet stand for their orange and sky blue, too pale for lines.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#884400", "#8822DD", "#000000")
BLUE, VERMILLION, GREEN, PURPLE, BROWN, VIOLET, BLACK = COLORS
GREY = "#595959"
ORANGE, SKY = "#E69F00", "#56B4E9"  # for areas with an edge
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), "-")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

DPI = 100
SMALL_DPI = 80
SMALL_COLORS = 32  # 128 where a picture holds images in colour
WIDTH = 10.0  # inches: 1,000 pixels, the width of a JupyterLab cell on a laptop
STYLE = {
    "axes.prop_cycle": cycler(color=COLORS, linestyle=LINES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 16,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # fixed: to look for a free place takes a fifth of the drawing time
    "axes.labelsize": 15,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "font.size": 14,
    "xtick.labelsize": 13,
    "ytick.labelsize": 13,
    "lines.linewidth": 2.5,
    "lines.markersize": 7,
    "image.cmap": "gray_r",
    "image.interpolation": "nearest",
}


class Picture(Figure):
    """A figure that carries its description: shown with it, and read out where it can't be seen."""

    alt = ""

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {"text/html": image_html(to_png(self), self.alt), "text/plain": self.alt}


def styled(plot: Callable) -> Callable:
    """Decorator: draw a figure in the course's style, whatever the reader has set."""

    @functools.wraps(plot)
    def wrapped(*args, **kwargs):
        with style.context(["default", STYLE]):
            return plot(*args, **kwargs)

    return wrapped


def new_picture(alt: str, height: float = 4.5, **layout) -> Picture:
    """An empty figure of the course's width.

    Parameters
    ----------
    alt : str
        What the figure shows, in a sentence or two, for readers who can't see it.
    height : float
        Inches; the width is always ``WIDTH``.
    **layout
        Passed to the figure, e.g. ``layout="constrained"`` (the default).

    Raises
    ------
    ValueError
        If ``alt`` is empty.
    """
    if not alt.strip():
        raise ValueError("alt is empty: say in words what the figure shows")
    picture = Picture(figsize=(WIDTH, height), dpi=DPI, **({"layout": "constrained"} | layout))
    picture.alt = alt
    return picture


@styled
def to_png(figure: Figure, *, small: bool = False) -> bytes:
    """A figure as PNG: the same figure gives the same bytes, with matplotlib's version in them.

    Parameters
    ----------
    small : bool
        Fewer pixels and colours: about a quarter of the size, and a little coarser. Images in
        colour keep more colours than lines do.
    """
    pixels = io.BytesIO()
    dpi = SMALL_DPI if small else DPI
    figure.savefig(pixels, format="rgba", dpi=dpi)
    size = tuple(int(inches * dpi) for inches in figure.get_size_inches())
    image = Image.frombytes("RGBA", size, pixels.getbuffer()).convert("RGB")
    if small:
        shown = (drawn for axes in figure.axes for drawn in axes.get_images())
        colors = 128 if any(drawn.get_array().ndim == 3 for drawn in shown) else SMALL_COLORS
        image = image.quantize(colors, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    png = io.BytesIO()
    drawn_by = PngInfo()
    drawn_by.add_text("Software", f"matplotlib {matplotlib.__version__}")
    image.save(png, "png", optimize=small, compress_level=9 if small else 3, pnginfo=drawn_by)
    return png.getvalue()


def image_html(png: bytes, alt: str, style: str = "max-width:100%") -> str:
    """An HTML image that holds its pixels and its description.

    A notebook's PNG output has no place for a description that JupyterLab or nbconvert would show.
    """
    return f'<img src="{png_url(png)}" alt="{html.escape(alt)}" style="{style}">'


def png_url(png: bytes) -> str:
    """An address that holds the picture itself."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
