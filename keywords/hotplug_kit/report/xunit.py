"""Robot's output.xml as JUnit XML in which a fault of the device and an error of the kit or the suite differ.

    <testsuites>
      <testsuite name="Vhost Hotplug Test Plan.Hotdetach" tests="4" failures="1" errors="1" skipped="0" ...>
        <properties><property name="Vhost" value="SPDK v26.05"/> ...</properties>
        <testcase classname="Vhost Hotplug Test Plan.Hotdetach" name="Test Case 2: ..." time="21.3">
          <properties><property name="check" value="vhost-alive"/> ...</properties>
          <failure type="device.crash" message="vhost died: ...">vhost died: ...</failure>
        </testcase>

A fault of the device is a `failure` of type `device.` and the class. An error of the kit is an `error` of type `kit.`
and the check; one of the suite is an `error` of type `suite.` and the class.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Blame
from hotplug_kit.report import verdict

_LEGACY_TIME = "%Y%m%d %H:%M:%S.%f"
_COUNTED = {
    "tests": "testcase",
    "failures": "testcase/failure",
    "errors": "testcase/error",
    "skipped": "testcase/skipped",
}
_LINE_FIELDS_IN_TYPE = {Blame.DEVICE: "class", Blame.KIT: "check", Blame.SUITE: "class"}


@dataclass
class _Case:
    name: str
    seconds: float
    status: str
    message: str


@dataclass
class _Suite:
    name: str
    start: str
    metadata: dict[str, str]
    cases: list[_Case] = field(default_factory=list)


def write_xunit(output: Path, target: Path) -> None:
    """Writes the results in `output`, an output.xml of robot or rebot, to `target` as JUnit XML.

    Raises `SetupError` when `output` cannot be read or is not an output.xml, or `target` cannot be written.
    """
    try:
        root = _read(output)
    except OSError as error:
        raise SetupError(f"'{output}' cannot be read: {error.strerror}.") from error
    except ET.ParseError as error:
        raise SetupError(f"'{output}' is not an output.xml of robot, or robot has not ended yet: {error}.") from error
    top = root.find("suite")
    if root.tag != "robot" or top is None:
        raise SetupError(f"'{output}' is not an output.xml of robot: its outermost element is '{root.tag}'.")
    suites = list(_suites(top, "", {}, robots_own=root.get("generator", "").startswith("Robot")))
    tree = ET.ElementTree(_document(top.get("name", ""), [suite for suite in suites if suite.cases]))
    ET.indent(tree)
    try:
        tree.write(target, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise SetupError(f"'{target}' cannot be written: {error.strerror}.") from error


def _read(output: Path) -> ET.Element:
    """The root element; log messages, which are most of a long run's file, are dropped as they come."""
    with output.open("rb") as file:
        root: ET.Element | None = None
        for event, element in ET.iterparse(file, events=("start", "end")):  # noqa: S314  (robot wrote it)
            root = element if root is None else root
            if event == "end" and element.tag == "msg":
                element.clear()
    if root is None:
        raise ET.ParseError("no element found")
    return root


def _suites(element: ET.Element, above: str, inherited: Mapping[str, str], robots_own: bool) -> Iterator[_Suite]:
    """A suite and all below it, each with the metadata of those above it.

    Robot tells of a suite's teardown after its cases, so a reader of its file must let the cases fail; rebot did it.
    """
    name = f"{above}.{element.get('name', '')}".lstrip(".")
    metadata = {**inherited, **{meta.get("name", ""): meta.text or "" for meta in element.findall("meta")}}
    suite = _Suite(name, _start(element), metadata, [_case(test) for test in element.findall("test")])
    below = [each for inner in element.findall("suite") for each in _suites(inner, name, metadata, robots_own)]
    teardown = next((kw for kw in element.findall("kw") if kw.get("type") == "TEARDOWN"), None)
    if robots_own and teardown is not None and _status(teardown).get("status") == "FAIL":
        for case in (case for each in (suite, *below) for case in each.cases if case.status != "SKIP"):
            also = f"{case.message}\n\nAlso parent" if case.message else "Parent"
            case.status = "FAIL"
            case.message = f"{also} suite teardown failed:\n{_status(teardown).text or ''}"
    yield suite
    yield from below


def _case(test: ET.Element) -> _Case:
    status = _status(test)
    return _Case(test.get("name", ""), _seconds(status), status.get("status", ""), status.text or "")


def _status(element: ET.Element) -> ET.Element:
    found = element.find("status")
    return found if found is not None else ET.Element("status")


def _seconds(status: ET.Element) -> float:
    if "elapsed" in status.attrib:
        return float(status.attrib["elapsed"])
    try:  # as `robot --legacyoutput` writes it
        began, ended = (datetime.strptime(status.get(name, ""), _LEGACY_TIME) for name in ("starttime", "endtime"))
    except ValueError:
        return 0.0
    return (ended - began).total_seconds()


def _start(suite: ET.Element) -> str:
    status = _status(suite)
    return status.get("start", status.get("starttime", ""))


def _document(name: str, suites: list[_Suite]) -> ET.Element:
    document = ET.Element("testsuites", name=name)
    for suite in suites:
        element = ET.SubElement(document, "testsuite", name=suite.name, timestamp=suite.start)
        _add_properties(element, suite.metadata)
        for case in suite.cases:
            _add_case(element, suite.name, case)
        _count(element, [element])
        element.set("time", f"{sum(case.seconds for case in suite.cases):.3f}")
    _count(document, document.findall("testsuite"))
    document.set("time", f"{sum(case.seconds for suite in suites for case in suite.cases):.3f}")
    return document


def _count(element: ET.Element, suites: list[ET.Element]) -> None:
    for attribute, path in _COUNTED.items():
        element.set(attribute, str(sum(len(suite.findall(path)) for suite in suites)))


def _add_case(parent: ET.Element, suite: str, case: _Case) -> None:
    element = ET.SubElement(parent, "testcase", classname=suite, name=case.name, time=f"{case.seconds:.3f}")
    message = verdict.without_line(case.message)
    if case.status == "SKIP":
        ET.SubElement(element, "skipped", message=message)
    if case.status != "FAIL":
        return
    named = verdict.read_line(case.message) or verdict.fields(verdict.findings_without_kit(case.message)[0])
    _add_properties(element, named)
    blame = Blame(named["fault"])
    kind = f"{blame}.{named[_LINE_FIELDS_IN_TYPE[blame]]}"
    ET.SubElement(element, "failure" if blame is Blame.DEVICE else "error", type=kind, message=message).text = message


def _add_properties(parent: ET.Element, properties: Mapping[str, str]) -> None:
    if properties:
        element = ET.SubElement(parent, "properties")
        for name, value in properties.items():
            ET.SubElement(element, "property", name=name, value=value)
