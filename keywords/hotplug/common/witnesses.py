"""What other parts of a run have to say about a failure, for messages; each part registers its own witness.

So a VM's message about a missing disk can quote vhost's log, though the VM's part knows nothing of vhost.
"""

from collections.abc import Callable

Witness = Callable[[float, str], str]
"""Asked with a moment (`time.monotonic()`) and a subject, such as a controller's name; a sentence, or nothing."""


class Witnesses:
    """The witnesses of a run, by name."""

    def __init__(self) -> None:
        self._witnesses: dict[str, Witness] = {}

    def call(self, name: str, witness: Witness) -> None:
        """Asks `witness` from now on; one of the same `name` gives way."""
        self._witnesses[name] = witness

    def dismiss(self, name: str) -> None:
        """Asks the witness of `name` no more."""
        self._witnesses.pop(name, None)

    def ask(self, since: float, subject: str) -> str:
        """What all witnesses say about `subject` since a moment; empty where nobody has anything to say."""
        return " ".join(said for witness in list(self._witnesses.values()) if (said := witness(since, subject)))


WITNESSES = Witnesses()
"""The run's own; one a process, as a run has one."""
