"""The findings of a failed case as tags and as a line of its message, and findings for failures of other libraries.

The line is the last one of the message, so whoever shows the message shows it, too:

    [fault=device check=disk-gone class=lost-event subject=disk vm=vm3 controller=naa.ctrlr5 target=1 disk=Malloc0p7]

`fault`, `check`, `class` and `subject` are always there, in this order. The other fields stand behind them where they
apply: `vm`, `controller`, `target`, `disk`, `fio-run`, and `more`, the number of further findings. A value with other
characters than letters, digits and `_ . : / + -` is a JSON string.
"""

import json
import re
from collections.abc import Mapping, Sequence

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, KitError, SetupError, SuiteError
from hotplug_kit.domain.finding import VHOST_ITSELF, Blame, Check, FailureClass, Finding

SUITE_ERROR = "SuiteError: "

_KINDS = {kind.__name__: kind for kind in (KitError, SetupError, SuiteError, DeadlineError, ConnectionLostError)}
_PLAIN_VALUE = re.compile(r"[\w.:/+-]+")
_LINE = re.compile(r'^\[(fault=\w+ check=\S+ class=\S+ subject=(?:[^"\]\n]|"(?:[^"\\\n]|\\.)*")+)\]$', re.MULTILINE)
_FIELD = re.compile(r'([\w-]+)=("(?:[^"\\]|\\.)*"|\S+)')
_HEADING = re.compile(
    r"(?:\*HTML\*\s*|(?:Parent suite |Suite |)(?:Setup|setup|Teardown|teardown) failed:\n|Several failures occurred:\s+"
    r"|1\) |Keyword '.+?' failed after retrying .+? The last error was: )*"
)
"""Robot's own words before the message of a failure."""

_ALSO = re.compile(r"\n\nAlso (?:parent suite |suite )?teardown failed:\n|\n\n2\) ")

_SUITE_ERRORS = re.compile(
    r"(?:Environment v|V)ariable (?:item )?'.+?' (?:not found|was not closed|is .+? not (?:subscriptable|support item))"
    r"|\w[\w ]* '[$@&%]\{.+?' (?:has no (?:item in index|key) |used with invalid (?:index|key))"
    r"|Value of variable '.+?' is not (?:list|dictionary)"
    r"|Given index .+ is out of the range"
    r"|(?:Resolving variable|Setting(?: variable)?|Setting value to .+? variable|Accessing) '[\s\S]+?failed: "
    r"|(?:Evaluating expression|Importing|Converting FOR|Replacing) [\s\S]*?failed:"
    r"|Cannot set variables: |Invalid (?:variable name '|(?:IF|ELSE IF|WHILE|FOR|VAR)\b)"
    r"|(?:No|Multiple) keywords? with name '|No library '"
    r"|Keyword '[^']+' (?:expected|missing|got (?:multiple|unexpected|positional)) "
    r"|(?:\w+: )?Argument '[^']+' got value [\s\S]*cannot be converted to "
    r"|(?:Number of )?(?:FOR|WHILE|IF|ELSE|TRY|EXCEPT|VAR|RETURN|BREAK|CONTINUE|GROUP)\b(?! loop was aborted)[^.]*"
    r"(?:must|should|expect|require|has no|cannot|accept|not allowed)"
    r"|(?:Test|Task|User keyword|Keyword name|Keyword) cannot be empty|Recursive execution stopped"
)
"""How Robot begins the message of an error in the suite's own lines (Robot Framework 7.2 to 7.5)."""

_NEVER_RAN = re.compile(
    r"(?:Failure|Error) occurred and exit-on-|Test execution stopped due to|Execution terminated by signal"
)
_PREFIX = re.compile(r"(\w+(?:Error|Exception)): ")


def tags(findings: Sequence[Finding]) -> list[str]:
    """The tags of a failed case: `fault:...`, `check:...` and `class:...` of each finding."""
    found = [
        tag
        for finding in findings
        for tag in (f"fault:{finding.blame}", f"check:{finding.check}", f"class:{finding.failure}")
    ]
    return list(dict.fromkeys(found))


def fields(finding: Finding) -> dict[str, str]:
    """The fields of a finding, by the names of the line."""
    subject = finding.subject
    named = {
        "fault": finding.blame.value,
        "check": finding.check.value,
        "class": finding.failure.value,
        "subject": subject.kind if is_about_device(finding) else finding.blame.value,
        "vm": subject.vm,
        "controller": subject.controller,
        "target": "" if subject.target is None else str(subject.target),
        "disk": subject.disk,
        "fio-run": subject.fio_run,
    }
    return {name: value for name, value in named.items() if value}


def is_about_device(finding: Finding) -> bool:
    """Whether the subject is known; errors of the kit or the suite and the suite's own checks need not have one."""
    return finding.subject != VHOST_ITSELF or (finding.blame is Blame.DEVICE and finding.check is not Check.OWN_CHECK)


def line(findings: Sequence[Finding]) -> str:
    """The line of findings, the first cause first."""
    named = fields(findings[0]) | ({"more": str(len(findings) - 1)} if len(findings) > 1 else {})
    return "[" + " ".join(f"{name}={_written(value)}" for name, value in named.items()) + "]"


def read_line(message: str) -> dict[str, str]:
    """The fields of such a line in a message; empty when there is none.

    A message has several when a suite's teardown failed, too: one about the device is read before others.
    """
    lines = [{name: _read(value) for name, value in _FIELD.findall(fields)} for fields in _LINE.findall(message)]
    return min(lines, key=lambda line: line["fault"] != Blame.DEVICE, default={})


def without_line(message: str) -> str:
    """The message as it was before lines were added."""
    return re.sub(r"\n?" + _LINE.pattern, "", message, flags=re.MULTILINE)


def findings_without_kit(message: str, never_ran: bool = False) -> tuple[Finding, ...]:
    """The finding of a failure that no keyword of the kit raised, told by the message that Robot shows.

    `never_ran` tells that it is the failure of a keyword of the kit that was not even called. An error in the suite's
    own lines is the suite's fault. The name of one of the kit's errors in front, as in `Fail    SetupError: ...`,
    counts as that error. Whatever else fails is a check of the suite's author; when another exception's name is in
    front, that check gave no verdict on the device.
    """
    sentence = sentence_of(message)
    if _NEVER_RAN.match(sentence):
        return KitError(sentence).findings
    if (prefix := _PREFIX.match(sentence)) and (kind := _KINDS.get(prefix[1])) is not None:
        return kind(sentence[prefix.end() :]).findings
    if is_suite_error(message) or (never_ran and not _timed_out(sentence)):
        return SuiteError(sentence).findings
    blame = Blame.SUITE if prefix else Blame.DEVICE
    return (Finding(Check.OWN_CHECK, FailureClass.OWN, sentence, blame=blame),)


def sentence_of(message: str) -> str:
    """The message of the keyword that failed first, without Robot's own words and without verdicts."""
    return _ALSO.split(without_line(message)[end_of_heading(message) :], maxsplit=1)[0]


def is_suite_error(message: str) -> bool:
    """Whether a message begins as Robot tells of an error in the suite's own lines."""
    return _SUITE_ERRORS.match(sentence_of(message)) is not None


def as_suite_error(message: str) -> str:
    """The message with `SuiteError: ` before its first sentence, behind Robot's own words."""
    begin = end_of_heading(message)
    return message if message.startswith(SUITE_ERROR, begin) else message[:begin] + SUITE_ERROR + message[begin:]


def _timed_out(sentence: str) -> bool:
    return re.match(r"\w[\w ]* timeout .+ exceeded\.", sentence) is not None


def end_of_heading(message: str) -> int:
    """Where Robot's own words, such as `Setup failed:`, end and the message of a keyword begins."""
    match = _HEADING.match(message)
    return match.end() if match else 0


def _written(value: str) -> str:
    return value if _PLAIN_VALUE.fullmatch(value) else json.dumps(value)


def _read(value: str) -> str:
    return str(json.loads(value)) if value.startswith('"') else value


def as_data(finding: Finding) -> Mapping[str, object]:
    """All that a finding says, as plain data for JSON."""
    return {**fields(finding), "sentence": finding.sentence, "at": finding.at, "evidence": list(finding.evidence)}
