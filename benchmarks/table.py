"""The table for people: one line a claim, with its figure drawn against its bar."""

from collections.abc import Sequence

from benchmarks.claims import Claim, Line

_BAR_AT = 16
_WIDTH = 24
_HEADINGS = ("what", "figure", "bar", f"{'figure against |, the bar':<{_WIDTH + 1}}", "verdict", "made of")
_RIGHT = {1}  # figures stand under one another


def text_bar(claim: Claim, value: float) -> str:
    """The value as a bar of `=`, with `|` at the claim's bound and `>` where the value lies beyond the picture."""
    length = round(_BAR_AT * value / claim.bar) if claim.bar else _WIDTH
    length = max(0, min(length, _WIDTH))
    beyond = value > claim.bar * _WIDTH / _BAR_AT
    drawn = ("=" * (length - 1) + ">" if beyond else "=" * length).ljust(_WIDTH)
    return drawn[:_BAR_AT] + "|" + drawn[_BAR_AT:]


def number(value: float, unit: str) -> str:
    """A value with its unit and three significant digits, or all digits of a larger whole part."""
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def render(lines: Sequence[Line]) -> str:
    """The table, with a last line that says how many claims hold."""
    rows = [_HEADINGS, *(_row(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    text = [_joined(row, widths) for row in rows]
    text.insert(1, "  ".join("-" * width for width in widths[:-1]) + "  " + "-" * len(_HEADINGS[-1]))
    short = sum(not line.holds for line in lines)
    text += ["", f"{len(lines) - short} of {len(lines)} lines hold." + (f" {short} FALL SHORT." if short else "")]
    return "\n".join(text) + "\n"


def _row(line: Line) -> tuple[str, ...]:
    claim = line.claim
    bound = f"{claim.relation} {number(claim.bar, claim.unit)}"
    if line.figure is None:
        return claim.what, "none", bound, "", "FALLS SHORT", f"not measured: {line.failure}"
    verdict = "holds" if line.holds else "FALLS SHORT"
    value = line.figure.value
    return claim.what, number(value, claim.unit), bound, text_bar(claim, value), verdict, line.figure.note


def _joined(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if column in _RIGHT else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
