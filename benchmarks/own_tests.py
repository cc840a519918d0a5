"""How long the project's own tests take."""

from collections.abc import Collection, Iterator

from benchmarks.claims import Claim, Figure
from benchmarks.workshop import Measurement, Workshop


def _measure_unit(shop: Workshop, _wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    shop.say("make unit")
    yield "unit", Figure(shop.seconds_of("make unit", ["make", "unit"], 300))


def _measure_all(shop: Workshop, _wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    shop.say("make test; this takes minutes")
    yield "test", Figure(shop.seconds_of("make test", ["make", "test"], 3600) / 60)


UNIT = Measurement("unit", [Claim("unit", "make unit", "s", "below", 30)], _measure_unit)
ALL = Measurement("test", [Claim("test", "make test", "min", "below", 15)], _measure_all)
