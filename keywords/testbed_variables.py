"""Robot variable file of the test bed: `Variables    testbed_variables    ${TESTBED_FILE}`.

Makes `${TESTBED}`, the validated test bed, from the YAML file, from YAML files given with `--variablefile`, and
from single values given with `-v`. A test bed with a fault does not stop the import, where Robot would go on
with an error that nobody sees: `${TESTBED_ERROR}` then holds the sentence, and the suite's set-up fails with it.
"""

import sys
from pathlib import Path

from robot.libraries.BuiltIn import BuiltIn, RobotNotRunningError

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.testbed.loader import KEYS, load_testbed, read_testbed_file
from hotplug_kit.testbed.schema import TestBed


def get_variables(file: str) -> dict[str, TestBed | str | None]:
    """The variables `${TESTBED}` and `${TESTBED_ERROR}`; one of the two is None."""
    overlays = _yaml_variable_files(sys.argv)
    try:
        testbed = load_testbed(Path(file), overlays, _overrides(overlays))
        return {"TESTBED": testbed, "TESTBED_ERROR": None}
    except SetupError as error:
        return {"TESTBED": None, "TESTBED_ERROR": f"SetupError: {error}"}


def _overrides(overlays: list[Path]) -> dict[str, object]:
    """The test bed's keys that were set as Robot variables, other than by the files of `overlays`."""
    try:
        variables = BuiltIn().get_variables(no_decoration=True)
    except RobotNotRunningError:
        return {}
    from_files: dict[str, object] = {}
    for path in overlays:
        from_files |= read_testbed_file(path)
    return {key: variables[key] for key in KEYS if key in variables and variables[key] != from_files.get(key)}


def _yaml_variable_files(arguments: list[str]) -> list[Path]:
    """The YAML files named with `--variablefile` or `-V`, so that messages can name them and find unknown keys."""
    files = []
    for position, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option.lower() in ("--variablefile", "-v") and argument[:2] != "-v":
            path = value if equals else "".join(arguments[position + 1 : position + 2])
            if path.endswith((".yaml", ".yml")):
                files.append(Path(path))
    return files
