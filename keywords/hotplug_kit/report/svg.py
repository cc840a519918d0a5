"""Drawings for Robot's log: small SVGs in the page's own text colour, each with identifiers of its own."""

from __future__ import annotations

import html
import io
import logging
import re
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

FOREGROUND = "#010203"
"""Drawn in the text colour of the page, whichever theme it has."""

FONT_SIZE = 9.5
_numbers = count(1)


class Canvas:
    """A drawing of `width` by `height` inches that scales with the page.

    It is a matplotlib figure with the kit's style, and `svg` makes an SVG element of it.
    """

    def __init__(self, width: float, height: float) -> None:
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it would warn that it makes its list of fonts
        import matplotlib
        from matplotlib.figure import Figure

        self._number = next(_numbers)
        self._size = width, height
        self._settings: Any = {  # matplotlib has a type of 250 literals for this
            "svg.fonttype": "none",
            "svg.hashsalt": f"picture {self._number}",
            "svg.id": f"picture-{self._number}",
            "font.family": "sans-serif",
            "font.size": FONT_SIZE,
            "text.color": FOREGROUND,
            "axes.edgecolor": FOREGROUND,
            "axes.labelcolor": FOREGROUND,
            "xtick.color": FOREGROUND,
            "ytick.color": FOREGROUND,
            "path.simplify_threshold": 0.5,
        }
        self._matplotlib = matplotlib
        self._explanations: dict[str, str] = {}
        with matplotlib.rc_context(self._settings):
            self.figure = Figure(figsize=self._size)
        self.figure.patch.set_visible(False)

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Axes at a place given in inches, without a background."""
        full_width, full_height = self._size
        with self._matplotlib.rc_context(self._settings):
            axes = self.figure.add_axes(
                (left / full_width, bottom / full_height, width / full_width, height / full_height)
            )
        axes.patch.set_visible(False)
        return axes

    def tidy(self, axes: Axes) -> None:
        """Removes what is not needed from axes, and adds a faint grid."""
        axes.grid(color=FOREGROUND, alpha=0.15, linewidth=0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)

    def legend(self, handles: Sequence[Any], columns: int = 5) -> None:
        """A legend at the lower edge, in rows of `columns`."""
        with self._matplotlib.rc_context(self._settings):
            self.figure.legend(
                handles=handles,
                loc="lower center",
                ncols=columns,
                frameon=False,
                fontsize=FONT_SIZE - 1,
                handlelength=1.0,
                columnspacing=1.0,
                borderpad=0.1,
            )

    def explain(self, artist: Artist, text: str) -> None:
        """Shows `text` when the pointer rests on `artist`."""
        name = f"picture-{self._number}-{len(self._explanations)}"
        artist.set_gid(name)
        self._explanations[name] = text

    def svg(self, title: str) -> str:
        """The drawing as one SVG element; `title` tells what it shows to those who cannot see it."""
        buffer = io.StringIO()
        with self._matplotlib.rc_context(self._settings):
            self.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        return self._finished(buffer.getvalue(), title)

    def _finished(self, text: str, title: str) -> str:
        text = text[text.index("<svg") :]
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
        text = text.replace(FOREGROUND, "currentColor")
        text = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font: \1 sans-serif", text)
        for name, words in self._explanations.items():
            text = text.replace(f'<g id="{name}">', f"<g><title>{html.escape(words)}</title>", 1)
        text = re.sub(r'<g id="[^"]*"', "<g", text)  # nobody refers to these, and other pictures have the same
        text = re.sub(r"\n\s*", "\n", text)
        view = re.search(r'viewBox="[^"]+"', text)
        begin = text.index(">") + 1
        shape = 'style="display:block;width:100%;max-width:50rem;height:auto"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
            f"{view[0] if view else ''} {shape}><title>{html.escape(title)}</title>{text[begin:]}"
        )
