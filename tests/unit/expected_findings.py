"""Comparison of findings with what a test expects: by check, class of failure and subject, and by words."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hotplug_kit.domain.finding import VHOST_ITSELF, Check, DeviceFault, FailureClass, Finding, Subject


def death_of_vhost(sentence: str = "vhost died: exit code 1.", at: float | None = None) -> Finding:
    """A finding as vhost's death makes it, `at` now unless given."""
    return Finding(Check.VHOST_ALIVE, FailureClass.CRASH, sentence, at=time.monotonic() if at is None else at)


def expect_finding(
    finding: Finding | None, check: Check, failure: FailureClass, words: str = "", subject: Subject = VHOST_ITSELF
) -> Finding:
    """The finding, which must have all of this; `words` is a regular expression for its sentence."""
    assert finding is not None
    assert (finding.check, finding.failure, finding.subject) == (check, failure, subject), finding
    assert re.search(words, finding.sentence), finding.sentence
    return finding


@contextmanager
def raises_fault(
    check: Check, failure: FailureClass, words: str = "", subject: Subject = VHOST_ITSELF
) -> Iterator[pytest.ExceptionInfo[DeviceFault]]:
    """Expects a `DeviceFault` whose first finding has all of this; `words` may also match those of the others."""
    with pytest.raises(DeviceFault, match=words or None) as caught:
        yield caught
    expect_finding(caught.value.findings[0], check, failure, subject=subject)
