"""What the time line of a case shows, worked out from the chronicle; `time_line_picture` draws it."""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from hotplug_kit.monitor.chronicle import VHOST, Kind, Moment
from hotplug_kit.report.event_times import EventTimes, event_times

CURVE_POINTS = 120
_SHORTEST_BAR = 0.5  # in seconds; a shorter call is only a tick
_LONGEST_GAP = 2.0  # between two samples that still belong to one curve, in seconds


class Span(Enum):
    """What lasts in a lane."""

    COMING_UP = "starts or reboots"
    UP = "runs"
    ATTACHED = "attached"
    FIO = "fio runs"
    CALL = "RPC call that takes long"
    STALL = "fio waits, no I/O ends"


class Sign(Enum):
    """What happens at a moment in a lane."""

    QUERY = "RPC query"
    CALL = "RPC call"
    ATTACH = "attach"
    DETACH = "detach"
    USABLE = "seen usable in the guest"
    GONE = "seen gone from the guest"
    NOTE = "event or kernel line"
    TROUBLE = "error or finding"


@dataclass(frozen=True)
class Bar:
    """A span of a lane, from `start` to `end`."""

    span: Span
    start: float
    end: float


@dataclass(frozen=True)
class Mark:
    """A sign at a moment of a lane, and the words that explain it."""

    sign: Sign
    at: float
    text: str


@dataclass
class Lane:
    """One row: what lasts, what happens, and for a disk the bytes a second that it wrote, at moments."""

    name: str
    label: str
    bars: list[Bar] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    curve: list[tuple[float, float | None]] = field(default_factory=list)


@dataclass(frozen=True)
class TimeLine:
    """The lanes of one case from `began` to `ended`; all times are `time.monotonic()` of the host.

    `events` are those that met fio. `idle` are the labels of disks to which nothing happened.
    """

    began: float
    ended: float
    lanes: Sequence[Lane]
    events: Sequence[EventTimes] = ()
    failed_at: float | None = None
    idle: Sequence[str] = ()


_LIFE = {Kind.START: Span.COMING_UP, Kind.REBOOT: Span.COMING_UP, Kind.READY: Span.UP, Kind.END: None}
_LASTING = {Kind.RPC: Span.CALL, Kind.STALL: Span.STALL}
_QUERY = re.compile(r"(\w+_)?get_\w+|framework_wait_init\b")
_FAILED_CALL = re.compile(r": (error|failure) ")
_POINTS = {
    Kind.RPC: Sign.CALL,
    Kind.ATTACH: Sign.ATTACH,
    Kind.DETACH: Sign.DETACH,
    Kind.USABLE: Sign.USABLE,
    Kind.GONE: Sign.GONE,
    Kind.QMP: Sign.NOTE,
    Kind.KERNEL_LINE: Sign.NOTE,
    Kind.FIO_ERROR: Sign.TROUBLE,
    Kind.FINDING: Sign.TROUBLE,
}


def time_line(moments: Sequence[Moment], began: float, ended: float, failed_at: float | None = None) -> TimeLine:
    """The lanes of what happened from `began` to `ended`.

    `moments` are in the order of time and reach back to the beginning of the run, because what lasts may have begun
    long before. A process lane is shown while its process exists, a disk's while it is attached or fio works on it.
    """
    moments = [moment for moment in _at_their_disks(moments) if moment.at <= ended]
    lanes = [_lane(name, own, began, ended) for name, own in _by_lane(moments).items()]
    shown = [
        lane for lane in lanes if lane.bars or any(mark.sign not in (Sign.CALL, Sign.QUERY) for mark in lane.marks)
    ]
    events = [event for event in event_times(moments, began, ended) if event.during_fio]
    idle = [lane.label.replace("\n", " at ") for lane in shown if _is_idle(lane)]
    busy = sorted((lane for lane in shown if not _is_idle(lane)), key=_order)
    return TimeLine(began, ended, busy, events, failed_at, sorted(idle))


def _is_idle(lane: Lane) -> bool:
    return lane.name.startswith("disk ") and not lane.marks and not lane.curve and len(lane.bars) == 1


def _at_their_disks(moments: Iterable[Moment]) -> Iterable[Moment]:
    """Moves what a guest tells of a place into the lane of the disk that was attached there last."""
    disks: dict[str, str] = {}
    for moment in moments:
        if moment.kind is Kind.ATTACH:
            disks[moment.place] = moment.lane
        lane = disks.get(moment.place) if moment.kind is Kind.GONE else None
        yield Moment(moment.at, lane, moment.kind, moment.text, moment.place, moment.figures) if lane else moment


def _by_lane(moments: Iterable[Moment]) -> dict[str, list[Moment]]:
    lanes: dict[str, list[Moment]] = {}
    for moment in moments:
        if moment.kind is not Kind.CASE:
            lanes.setdefault(moment.lane, []).append(moment)
    return lanes


def _lane(name: str, moments: Sequence[Moment], began: float, ended: float) -> Lane:
    places = [moment.place for moment in moments if moment.kind in (Kind.ATTACH, Kind.DETACH) and moment.place]
    label = name.removeprefix("disk ") + (f"\n{places[-1]}" if places else "")
    lane = Lane(name, label)
    lane.bars += _bars(moments, _LIFE, began, ended)
    lane.bars += _bars(moments, {Kind.ATTACH: Span.ATTACHED, Kind.DETACH: None}, began, ended)
    lane.bars += _bars(moments, {Kind.FIO_START: Span.FIO, Kind.FIO_END: None}, began, ended)
    lane.bars += _timed(moments, began, ended)
    lane.marks = list(_marks(moments, began))
    samples = [(m.at, m.figures["bytes"]) for m in moments if m.kind is Kind.FIO_SAMPLE and m.at >= began]
    lane.curve = thinned(rates(samples), (ended - began) / CURVE_POINTS)
    return lane


def _bars(moments: Sequence[Moment], spans: dict[Kind, Span | None], began: float, ended: float) -> list[Bar]:
    """A bar from each moment that begins a span to the next moment of `spans`, cut to the picture."""
    turns = [(moment.at, spans[moment.kind]) for moment in moments if moment.kind in spans]
    turns.append((ended, None))
    return [
        Bar(span, max(start, began), min(end, ended))
        for (start, span), (end, _) in itertools.pairwise(turns)
        if span is not None and end > began
    ]


def _timed(moments: Sequence[Moment], began: float, ended: float) -> Iterable[Bar]:
    """The bars of moments that know how long they lasted."""
    for moment in moments:
        seconds = moment.figures.get("seconds", 0.0)
        span = _LASTING.get(moment.kind)
        if span is not None and seconds > _SHORTEST_BAR and moment.at + seconds > began:
            yield Bar(span, max(moment.at, began), min(moment.at + seconds, ended))


def _marks(moments: Sequence[Moment], began: float) -> Iterable[Mark]:
    gone = False
    for moment in moments:
        gone = gone and moment.kind is not Kind.ATTACH
        if moment.kind is Kind.GONE and gone:
            continue  # every later look finds it gone, too
        gone = gone or moment.kind is Kind.GONE
        if moment.at >= began and moment.kind in _POINTS:
            seconds = moment.figures.get("seconds")
            took = f" ({seconds * 1000:.1f} ms)" if seconds is not None else ""
            yield Mark(_sign(moment), moment.at, moment.text + took)


def _sign(moment: Moment) -> Sign:
    if moment.kind is Kind.RPC:
        return Sign.TROUBLE if call_failed(moment) else Sign.QUERY if is_query(moment) else Sign.CALL
    return _POINTS[moment.kind]


def call_failed(call: Moment) -> bool:
    """Whether an RPC call was answered with an error, or not at all."""
    return bool(_FAILED_CALL.search(call.text))


def is_query(call: Moment) -> bool:
    """Whether an RPC call only asks and changes nothing."""
    return bool(_QUERY.match(call.text))


def rates(samples: Sequence[tuple[float, float]]) -> list[tuple[float, float | None]]:
    """Bytes a second between each two samples of a counter; None where it was reset or samples are missing."""
    found: list[tuple[float, float | None]] = []
    for (at, count), (later, count_later) in itertools.pairwise(samples):
        whole = later > at and count_later >= count and later - at <= _LONGEST_GAP
        found.append((later, (count_later - count) / (later - at) if whole else None))
    return found


def thinned(curve: Sequence[tuple[float, float | None]], step: float) -> list[tuple[float, float | None]]:
    """The curve with at most one point in each `step` seconds: the mean of those that it stands for."""
    found: list[tuple[float, float | None]] = []
    group: list[tuple[float, float]] = []

    def close() -> None:
        if group:
            found.append((sum(at for at, _ in group) / len(group), sum(rate for _, rate in group) / len(group)))
            group.clear()

    for at, rate in curve:
        if rate is None:
            close()
            found.append((at, None))
            continue
        if group and at - group[0][0] >= step:
            close()
        group.append((at, rate))
    close()
    return found


def _order(lane: Lane) -> tuple[int, str, str]:
    if lane.name == VHOST:
        return 0, "", ""
    place = lane.label.partition("\n")[2]
    return (2, place, lane.name) if lane.name.startswith("disk ") else (1, lane.name, "")
