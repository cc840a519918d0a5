"""Draws what a suite works on: vhost, its controllers with their targets, and the VMs that use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hotplug_kit.report.svg import FONT_SIZE, FOREGROUND, Canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TARGETS = 8
WIDTH = 7.4
_ROW = 0.34
_HEAD = 0.3
_MARGIN = 0.08
_VHOST = (0.0, 0.85)  # left edge and width, in inches
_NAME = 0.93
_SLOTS = (1.65, 0.58)  # left edge of the first, width of each
_VM = (6.4, 0.9)


@dataclass(frozen=True)
class ControllerInSetUp:
    """A controller: its name, the disk at each of its targets, and its VM, if one of the suite uses it."""

    name: str
    disks: Mapping[int, str] = field(default_factory=dict)
    vm: str | None = None


def draw(controllers: Sequence[ControllerInSetUp], vhost: str, title: str) -> str:
    """The picture as an SVG element; `vhost` is written into vhost's box."""
    rows = max(1, len(controllers))
    canvas = Canvas(WIDTH, _HEAD + rows * _ROW + 2 * _MARGIN)
    axes = canvas.axes(0.05, _MARGIN, WIDTH - 0.1, _HEAD + rows * _ROW)
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH - 0.1)
    axes.set_ylim(_HEAD / _ROW + rows, 0)
    top = _HEAD / _ROW
    axes.text(_NAME, top / 2, "controller", va="center", color=FOREGROUND)
    for number in range(TARGETS):
        axes.text(
            _middle(number),
            top / 2,
            f"target {number}",
            ha="center",
            va="center",
            fontsize=FONT_SIZE - 2,
            color=FOREGROUND,
        )
    _box(axes, _VHOST, top, rows, vhost, "#4f9d69")
    for row, controller in enumerate(controllers):
        _draw_controller(canvas, axes, controller, top + row)
    for vm, (first, last) in _vm_rows(controllers).items():
        _box(axes, _VM, top + first, last - first + 1, f"VM {vm}", "#d07000")
    return canvas.svg(title)


def _draw_controller(canvas: Canvas, axes: Axes, controller: ControllerInSetUp, y: float) -> None:
    axes.plot([_VHOST[0] + _VHOST[1], _NAME - 0.03], [y + 0.5] * 2, color=FOREGROUND, linewidth=0.8)
    axes.text(_NAME, y + 0.5, controller.name, va="center", color=FOREGROUND)
    left, width = _SLOTS
    if controller.vm is not None:
        axes.plot([left + TARGETS * width, _VM[0]], [y + 0.5] * 2, color=FOREGROUND, linewidth=0.8)
    for number in range(TARGETS):
        disk = controller.disks.get(number)
        slot = axes.barh(
            y + 0.12,
            width - 0.04,
            left=left + number * width + 0.02,
            height=0.76,
            align="edge",
            color="#2f7fd0" if disk else "none",
            alpha=0.35 if disk else 1.0,
            edgecolor=FOREGROUND,
            linewidth=0.5,
        )[0]
        canvas.explain(slot, f"{controller.name} target {number}: {f'disk {disk}' if disk else 'empty'}")
        if disk:
            axes.text(
                _middle(number), y + 0.5, disk, ha="center", va="center", fontsize=FONT_SIZE - 3, color=FOREGROUND
            )


def _box(axes: Axes, place: tuple[float, float], y: float, rows: int, text: str, colour: str) -> None:
    left, width = place
    axes.barh(y + 0.06, width, left=left, height=rows - 0.12, align="edge", color=colour, alpha=0.4, linewidth=0)
    axes.text(left + width / 2, y + rows / 2, text, ha="center", va="center", color=FOREGROUND)


def _middle(number: int) -> float:
    return _SLOTS[0] + (number + 0.5) * _SLOTS[1]


def _vm_rows(controllers: Sequence[ControllerInSetUp]) -> dict[str, tuple[int, int]]:
    """The first and the last row of each VM."""
    rows: dict[str, tuple[int, int]] = {}
    for row, controller in enumerate(controllers):
        if controller.vm is not None:
            rows[controller.vm] = rows.get(controller.vm, (row, row))[0], row
    return rows
