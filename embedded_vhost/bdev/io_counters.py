"""What a bdev's users have read, written and unmapped: counted at the end of each successful I/O."""

from collections.abc import Iterable
from time import perf_counter_ns

TICK_RATE = 1_000_000_000
"""Ticks a second of all times here."""

ticks = perf_counter_ns
"""The clock of these times."""


class IoCounter:
    """I/Os of one kind: their number, bytes, and times in ticks; `shortest` is 0 while there is none."""

    __slots__ = ("bytes", "longest", "operations", "shortest", "time")

    def __init__(self) -> None:
        self.bytes = self.operations = self.time = self.longest = self.shortest = 0

    def add(self, length: int, began: int) -> None:
        """Count one of `length` bytes that began at `began` and has just ended well."""
        time = ticks() - began
        if time > self.longest:
            self.longest = time
        if time < self.shortest or not self.operations:
            self.shortest = time
        self.bytes += length
        self.operations += 1
        self.time += time

    def merge(self, other: "IoCounter") -> None:
        """Count all of another counter's as well."""
        if other.operations:
            self.shortest = min(self.shortest, other.shortest) if self.operations else other.shortest
        self.longest = max(self.longest, other.longest)
        self.bytes += other.bytes
        self.operations += other.operations
        self.time += other.time


class IoCounters:
    """All counters of a bdev."""

    def __init__(self) -> None:
        self.reads, self.writes, self.unmaps = IoCounter(), IoCounter(), IoCounter()

    def with_all_of(self, others: Iterable["IoCounters"]) -> "IoCounters":
        """The sum with others: what a bdev has done for its users and for those of its parts."""
        total = IoCounters()
        for each in (self, *others):
            total.reads.merge(each.reads)
            total.writes.merge(each.writes)
            total.unmaps.merge(each.unmaps)
        return total
