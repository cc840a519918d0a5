"""Numbers that are allocated, released and allocated again."""

import itertools


class FreeNumbers:
    """Hands out the smallest number that is not in use."""

    def __init__(self) -> None:
        self._used: set[int] = set()

    def take(self) -> int:
        """Returns the smallest free number, which is in use from then on."""
        number = next(number for number in itertools.count() if number not in self._used)
        self._used.add(number)
        return number

    def give_back(self, number: int) -> None:
        """Makes a number free again."""
        self._used.discard(number)
