"""What must stay alive during a run, asked about by everything that waits.

A dead vhost process blocks the guests, their fio and the SSH commands alike. So that a report names the first cause
and not the last symptom, whoever starts a process registers a check here, and every wait asks all checks.
"""

from collections.abc import Callable

Check = Callable[[], str | None]
"""Returns None while all is well, else one sentence that says what died and how."""


class VitalSigns:
    """The checks of everything that must be alive now."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def watch(self, name: str, check: Check) -> None:
        """Asks `check` from now on; a check of the same `name` gives way. Checks are asked in order of registration."""
        self._checks[name] = check

    def forget(self, name: str) -> None:
        """Asks the check of `name` no more; for use before an end that is wanted."""
        self._checks.pop(name, None)

    def first_cause(self) -> str | None:
        """The sentence of the first check that fails, or None."""
        for check in list(self._checks.values()):
            if sentence := check():
                return sentence
        return None

    def check(self) -> None:
        """Raises `AssertionError` with the first cause when something has died."""
        if sentence := self.first_cause():
            raise AssertionError(sentence)


VITAL_SIGNS = VitalSigns()
"""The run's own; one a process, as a run has one."""
