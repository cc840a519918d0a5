"""What Robot Framework knows of a run and a bug report needs: test bed, metadata, command line."""

import platform
import shlex
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version

import yaml
from robot import result as robot_result
from robot.libraries.BuiltIn import BuiltIn

from hotplug_kit.report.bundle import HIDDEN

_SECRET_NAMES = ("password", "secret", "token")


def bed_of_the_run() -> Mapping[str, object]:
    """The test bed of the suite that runs, as plain data; empty for a suite without one."""
    bed = BuiltIn().get_variable_value("${TESTBED}")
    dump = getattr(bed, "model_dump", None)
    found = dump(mode="json") if callable(dump) else {}
    return found if isinstance(found, dict) else {}


def secrets(data: object) -> Iterator[str]:
    """The values of `data`, however deep, whose names say that they are secret."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if isinstance(value, str) and any(word in str(key).lower() for word in _SECRET_NAMES):
                yield value
            else:
                yield from secrets(value)
    elif isinstance(data, list):
        for value in data:
            yield from secrets(value)


def bed_text(bed: Mapping[str, object]) -> str:
    """The test bed as YAML, with its secrets hidden."""
    return yaml.safe_dump(_without_secrets(bed), sort_keys=False)


def metadata(suite: robot_result.TestSuite | None) -> dict[str, str]:
    """The metadata of a suite and of all above it."""
    found: dict[str, str] = {}
    while suite is not None:
        found = {**dict(suite.metadata), **found}
        suite = suite.parent
    return found


def versions_text(suite: robot_result.TestSuite | None) -> str:
    """The metadata of a suite and of all above it, and the versions of host, Python and Robot Framework."""
    lines = [f"{name}: {value}" for name, value in metadata(suite).items()]
    lines += [f"Host: {platform.platform()}, {platform.machine()}", f"Python: {platform.python_version()}"]
    lines += [f"Robot Framework: {version('robotframework')}", f"Command: {shlex.join(sys.argv)}"]
    return "".join(line + "\n" for line in lines)


def _without_secrets(data: object) -> object:
    if isinstance(data, Mapping):
        return {
            key: HIDDEN if isinstance(value, str) and value and list(secrets({key: value})) else _without_secrets(value)
            for key, value in data.items()
        }
    return [_without_secrets(value) for value in data] if isinstance(data, list) else data
