"""A listener of robot that writes down the findings behind each failed keyword of the kit, for a trial to read."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from robot.libraries.BuiltIn import BuiltIn

from hotplug_kit.domain.finding import Blame, Check, FailureClass, Finding, Subject
from kit_library import last_failure

FILE = "failures.jsonl"
"""In robot's output folder: one failed keyword a line."""

_CHECKS = {str(check): check for check in Check}
_CLASSES = {str(failure): failure for failure in FailureClass}

_KNOWN_BY = 200
"""So many characters of a message are enough to recognise it: robot cuts a long message in the middle."""


@dataclass(frozen=True)
class Failure:
    """A keyword that failed at `at` (seconds since 1970): robot's message, and the kit's findings."""

    message: str
    at: float
    findings: Sequence[Finding]


class FailureListener:
    """`--listener tests.faults.failures.FailureListener` writes `failures.jsonl` into robot's output folder."""

    ROBOT_LISTENER_API_VERSION = 3

    def end_library_keyword(self, data: object, implementation: object, result: Any) -> None:
        """Robot calls this after each keyword of a library."""
        if result.failed and (findings := last_failure(result.message)):
            failure = {"message": result.message, "at": time.time(), "findings": [asdict(each) for each in findings]}
            output = Path(str(BuiltIn().get_variable_value("${OUTPUT_DIR}")))
            with (output / FILE).open("a") as file:
                file.write(json.dumps(failure) + "\n")


def read_failures(output: Path) -> list[Failure]:
    """The failed keywords of a run, in the order in which they failed."""
    file = output / FILE
    lines = file.read_text().splitlines() if file.exists() else []
    return [
        Failure(line["message"], line["at"], [_finding(each) for each in line["findings"]])
        for line in map(json.loads, lines)
    ]


def failure_of(message: str, failures: Sequence[Failure]) -> Failure | None:
    """The first failure that the message of a case shows, or None when no keyword of the kit made it fail."""
    return next((each for each in failures if each.message[:_KNOWN_BY] in message), None)


def _finding(fields: Mapping[str, Any]) -> Finding:
    return Finding(
        _CHECKS[fields["check"]],
        _CLASSES[fields["failure"]],
        fields["sentence"],
        Subject(**fields["subject"]),
        fields["at"],
        tuple(fields["evidence"]),
        Blame(fields["blame"]),
    )
