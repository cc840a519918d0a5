"""Intervals of time and the length of their union."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

Interval = tuple[datetime, datetime]


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time as intervals that neither overlap nor touch, in order; empty and reversed ones are dropped."""
    merged: list[Interval] = []
    for start, end in sorted(each for each in intervals if each[0] < each[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def seconds(intervals: Sequence[Interval]) -> float:
    """The length of the union of `intervals` in seconds."""
    return sum(((end - start) for start, end in union(intervals)), timedelta()).total_seconds()
