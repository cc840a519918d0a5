"""Draws a time line as SVG. Matplotlib is imported when the first picture is drawn: it takes half a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hotplug_kit.report.svg import FOREGROUND, Canvas
from hotplug_kit.report.time_line import Lane, Sign, Span, TimeLine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 7.0
_LANE_INCHES = 0.36
_LABEL_INCHES = 1.3
_RIGHT_INCHES = 0.25
_TOP_INCHES = 0.28
_EVENT_INCHES = 0.18
_BOTTOM_INCHES = 0.85
_CURVE_HEIGHT = 0.72  # of a lane

# Colours of middle lightness: they stand out on white and on dark.
_SPANS: Mapping[Span, tuple[str, float, float, float]] = {
    # colour, opacity, lower and upper edge in the lane
    Span.COMING_UP: ("#d99100", 0.55, 0.25, 0.75),
    Span.UP: ("#4f9d69", 0.55, 0.25, 0.75),
    Span.ATTACHED: ("#8a94a6", 0.28, 0.08, 0.92),
    Span.FIO: ("#2f7fd0", 1.0, 0.06, 0.14),
    Span.CALL: ("#e0401f", 0.6, 0.4, 0.6),
    Span.STALL: ("#e0401f", 0.35, 0.16, 0.84),
}
_CURVE = "#2f7fd0"
_TROUBLE = "#e0401f"
_EVENT = "#d07000"
_SIGNS: Mapping[Sign, tuple[str, str, float]] = {
    # marker, colour, size
    Sign.QUERY: ("|", FOREGROUND, 4),
    Sign.CALL: ("|", FOREGROUND, 10),
    Sign.NOTE: ("o", "#a066c9", 4),
    Sign.ATTACH: ("^", _EVENT, 8),
    Sign.DETACH: ("v", _EVENT, 8),
    Sign.USABLE: ("^", "#4f9d69", 8),
    Sign.GONE: ("v", "#4f9d69", 8),
    Sign.TROUBLE: ("X", _TROUBLE, 8),
}


def draw(line: TimeLine, title: str) -> str:
    """The picture as an SVG element for an HTML page; `title` is its name for screen readers."""
    top = _TOP_INCHES + _EVENT_INCHES * len(line.events)
    height = top + _BOTTOM_INCHES + _LANE_INCHES * max(1, len(line.lanes))
    canvas = Canvas(WIDTH, height)
    axes = canvas.axes(
        _LABEL_INCHES, _BOTTOM_INCHES, WIDTH - _LABEL_INCHES - _RIGHT_INCHES, height - top - _BOTTOM_INCHES
    )
    _prepare(axes, line)
    fastest = max((rate for lane in line.lanes for _, rate in lane.curve if rate), default=0.0)
    for row, lane in enumerate(line.lanes):
        base = len(line.lanes) - 1 - row
        _draw_lane(canvas, axes, lane, line, base, fastest)
    for row, event in enumerate(line.events, start=1):
        _draw_line(axes, line, event.sent, str(event), _EVENT, "-", row)
    if line.failed_at is not None:
        _draw_line(axes, line, line.failed_at, "failed", _TROUBLE, "--", 0)
    if fastest:
        axes.text(
            0, len(line.lanes) + 0.08, f"curves: writes, up to {fastest / 1e6:.1f} MB/s", va="bottom", color=FOREGROUND
        )
    _legend(canvas, line, bool(fastest))
    return canvas.svg(title)


def _draw_line(axes: Axes, line: TimeLine, at: float, text: str, colour: str, style: str, row: int) -> None:
    """A line through all lanes, with words above it."""
    x, length = at - line.began, line.ended - line.began
    axes.axvline(x, color=colour, linestyle=style, linewidth=1.2)
    side = "left" if x < length / 4 else "right" if x > length * 3 / 4 else "center"
    y = len(line.lanes) + 0.08 + row * _EVENT_INCHES / _LANE_INCHES
    axes.text(x, y, text, color=colour, ha=side, va="bottom")


def _prepare(axes: Axes, line: TimeLine) -> None:
    rows = max(1, len(line.lanes))
    axes.set_xlim(0, max(line.ended - line.began, 0.001))
    axes.set_ylim(0, rows)
    axes.set_yticks([rows - 0.5 - row for row in range(len(line.lanes))], [lane.label for lane in line.lanes])
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g} s")
    axes.tick_params(axis="y", length=0)
    for row in range(rows + 1):
        axes.axhline(row, color=FOREGROUND, alpha=0.15, linewidth=0.6)
    axes.grid(axis="x", color=FOREGROUND, alpha=0.15, linewidth=0.6)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _draw_lane(canvas: Canvas, axes: Axes, lane: Lane, line: TimeLine, base: int, fastest: float) -> None:
    for bar in lane.bars:
        colour, opacity, low, high = _SPANS[bar.span]
        patch = axes.barh(
            base + low,
            bar.end - bar.start,
            left=bar.start - line.began,
            height=high - low,
            align="edge",
            color=colour,
            alpha=opacity,
            linewidth=0,
        )[0]
        canvas.explain(patch, f"{lane.name}: {bar.span.value} for {bar.end - bar.start:.2f} s")
    if fastest:
        times = [at - line.began for at, _ in lane.curve]
        heights = [
            float("nan") if rate is None else base + 0.14 + _CURVE_HEIGHT * rate / fastest for _, rate in lane.curve
        ]
        axes.fill_between(times, base + 0.14, heights, color=_CURVE, alpha=0.35, linewidth=0)
        axes.plot(times, heights, color=_CURVE, linewidth=1)
    queries = [mark.at - line.began for mark in lane.marks if mark.sign is Sign.QUERY]
    marker, colour, size = _SIGNS[Sign.QUERY]
    axes.plot(queries, [base + 0.5] * len(queries), marker, color=colour, markersize=size, alpha=0.45, linestyle="none")
    for mark in lane.marks:
        if mark.sign is Sign.QUERY:
            continue  # too many to explain each
        marker, colour, size = _SIGNS[mark.sign]
        at = mark.at - line.began
        (point,) = axes.plot(
            [at], [base + 0.5], marker=marker, color=colour, markersize=size, clip_on=False, linestyle="none"
        )
        canvas.explain(point, f"{at:.3f} s, {lane.name}: {mark.text}")


def _legend(canvas: Canvas, line: TimeLine, curves: bool) -> None:
    """Names what the picture shows, and nothing else."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    spans = {bar.span for lane in line.lanes for bar in lane.bars}
    signs = {mark.sign for lane in line.lanes for mark in lane.marks}
    handles: list[Patch | Line2D] = [
        Patch(color=_SPANS[span][0], alpha=_SPANS[span][1], linewidth=0, label=span.value)
        for span in Span
        if span in spans
    ]
    handles += [
        Line2D([], [], marker=m, color=colour, markersize=size, linestyle="none", label=sign.value)
        for sign, (m, colour, size) in _SIGNS.items()
        if sign in signs
    ]
    canvas.legend(handles)
