"""The times of each attach and detach: when vhost answered, when the guest had followed, when fio noticed."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from hotplug_kit.monitor.chronicle import Kind, Moment

_FOLLOWS = {Kind.ATTACH: Kind.USABLE, Kind.DETACH: Kind.GONE}
_UNFOLDED = 2
_NO_BREAK = "\u00a0"
_LEAST_SECONDS = 0.001
_SAME_MOMENT_SECONDS = 1e-6
_STYLE = "border:1px solid currentColor;padding:2px 6px;text-align:left"


@dataclass(frozen=True)
class EventTimes:
    """One event; the times after `sent` are seconds since it was sent, None where nothing was seen.

    `followed` is when the kit saw that the disk could be used or was gone. It is `exact` when the kit also looked
    shortly before; otherwise the guest may have followed long before, and `followed` is an upper bound.
    """

    kind: str
    disk: str
    place: str
    sent: float
    answered: float
    followed: float | None
    fio_error: float | None
    during_fio: bool
    exact: bool = False

    def __str__(self) -> str:
        """A few words for the picture."""
        if self.followed is None:
            return f"{self.kind} {self.disk}"
        state = "usable" if self.kind == "attach" else "gone"
        return f"{self.kind} {self.disk}: {state} after {'' if self.exact else 'at most '}{self.followed:.2f} s"


def event_times(moments: Sequence[Moment], began: float, ended: float) -> list[EventTimes]:
    """The events that vhost answered from `began` to `ended`; `moments` are in the order of time."""
    return [
        _times_of(moment, [later for later in moments[index + 1 :] if later.at <= ended], moments)
        for index, moment in enumerate(moments)
        if moment.kind in _FOLLOWS and began <= moment.at <= ended
    ]


def _times_of(event: Moment, later: Sequence[Moment], moments: Sequence[Moment]) -> EventTimes:
    answered = event.figures.get("seconds", 0.0)
    sent = event.at - answered
    end = next((m.at for m in later if m.kind in _FOLLOWS and m.place == event.place), float("inf"))
    mine = [m for m in later if m.at <= end and (m.place == event.place or m.lane == event.lane)]

    def first(kind: Kind) -> float | None:
        return next((m.at - sent for m in mine if m.kind is kind), None)

    followed = first(_FOLLOWS[Kind(event.kind)])
    return EventTimes(
        kind=event.kind.value,
        disk=event.lane.removeprefix("disk "),
        place=event.place,
        sent=sent,
        answered=answered,
        followed=followed,
        fio_error=first(Kind.FIO_ERROR) if event.kind is Kind.DETACH else None,
        during_fio=_fio_runs(moments, event.at),
        exact=followed is not None and _is_exact(mine, sent + followed),
    )


def _is_exact(moments: Sequence[Moment], at: float) -> bool:
    """Whether the guest followed at that moment, and was not only looked at then."""
    latencies = [m for m in moments if m.kind is Kind.LATENCY and abs(m.at - at) < _SAME_MOMENT_SECONDS]
    return any(m.figures.get("exact") for m in latencies)


def _fio_runs(moments: Sequence[Moment], at: float) -> bool:
    running: set[str] = set()
    for moment in moments:
        if moment.at > at:
            break
        if moment.kind is Kind.FIO_START:
            running.add(moment.lane)
        elif moment.kind is Kind.FIO_END:
            running.discard(moment.lane)
    return bool(running)


def html_table(events: Sequence[EventTimes], began: float) -> str:
    """One row an event, its times in milliseconds since vhost was asked; those that met no fio are folded away."""
    met = [event for event in events if event.during_fio]
    others = [event for event in events if not event.during_fio]
    if len(others) <= _UNFOLDED:
        return _table(events, began)
    folded = f"<details><summary>{len(others)} events without fio</summary>{_table(others, began)}</details>"
    return _table(met, began) + folded


def _table(events: Sequence[EventTimes], began: float) -> str:
    if not events:
        return ""
    with_fio = any(event.fio_error is not None for event in events)
    columns = ["At", "Event", "Disk", "Controller:target", "vhost answered"]
    columns += ["Usable / gone in the guest"] + ["fio's first error"] * with_fio
    rows = []
    for event in events:
        cells = [f"{event.sent - began:.2f}{_NO_BREAK}s", event.kind + (" during fio" if event.during_fio else "")]
        at_most = "" if event.exact or event.followed is None else "at most "
        cells += [event.disk, event.place, _milliseconds(event.answered), at_most + _milliseconds(event.followed)]
        cells += [_milliseconds(event.fio_error) if event.kind == "detach" else "-"] * with_fio
        rows.append("".join(f'<td style="{_STYLE}">{escape(cell)}</td>' for cell in cells))
    head = "".join(f'<th style="{_STYLE}">{escape(column)}</th>' for column in columns)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return "not seen"
    return f"{seconds * 1000:,.0f}{_NO_BREAK}ms" if seconds >= _LEAST_SECONDS else f"<{_NO_BREAK}1{_NO_BREAK}ms"
