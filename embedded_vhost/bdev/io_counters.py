"""Counters of what a bdev's users have read, written and unmapped; only successful I/O counts, when it ends."""

from collections.abc import Iterable
from time import perf_counter_ns

TICK_RATE = 1_000_000_000
"""Ticks a second, for all times here."""

ticks = perf_counter_ns
"""The clock of all times here."""


class IoCounter:
    """I/Os of one kind: their number, bytes, and times in ticks; `shortest` is 0 until there is one."""

    __slots__ = ("bytes", "longest", "operations", "shortest", "time")

    def __init__(self) -> None:
        self.bytes = self.operations = self.time = self.longest = self.shortest = 0

    def add(self, length: int, began: int) -> None:
        """Counts an I/O of `length` bytes that began at tick `began` and has just succeeded."""
        time = ticks() - began
        if time > self.longest:
            self.longest = time
        if time < self.shortest or not self.operations:
            self.shortest = time
        self.bytes += length
        self.operations += 1
        self.time += time

    def merge(self, other: "IoCounter") -> None:
        """Adds all that another counter has counted."""
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
        """Returns the sum with others: what a bdev has done for its own users and for those of its parts."""
        total = IoCounters()
        for each in (self, *others):
            total.reads.merge(each.reads)
            total.writes.merge(each.writes)
            total.unmaps.merge(each.unmaps)
        return total
