"""Robot variable file of the test bed: `Variables    testbed_variables    ${TESTBED_FILE}    ${CURDIR}`.

Makes `${TESTBED}`, the validated test bed, from the YAML file, from YAML and JSON files given with `--variablefile`,
and from Robot variables, as given with `-v`. Robot itself only prints an error and goes on when it cannot use a
variable file, and the run would be on another test bed. So whatever is wrong is in `${TESTBED_ERROR}`, a sentence with
which the suite's set-up fails.
"""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from robot.errors import DataError, Information  # type: ignore[import-untyped]
from robot.libraries.BuiltIn import BuiltIn
from robot.run import RobotFramework  # type: ignore[import-untyped]
from robot.running.context import EXECUTION_CONTEXTS  # type: ignore[import-untyped]
from robot.utils import find_file  # type: ignore[import-untyped]

from hotplug_kit.domain.errors import KitError, SetupError
from hotplug_kit.project_files import check_checkout
from hotplug_kit.testbed.deprecated import RENAMED
from hotplug_kit.testbed.loader import load_testbed, read_testbed_file
from hotplug_kit.testbed.robot_variables import KEYS
from hotplug_kit.testbed.schema import TestBed

_READ_BY_THE_KIT = (".yaml", ".yml", ".json")


def get_variables(file: str, folder: str = "") -> dict[str, TestBed | str | None]:
    """The variables `${TESTBED}` and `${TESTBED_ERROR}`; one of the two is None.

    `folder` is that of the resource file or suite that imports this: it must be in the same checkout as the kit.
    """
    try:
        if folder:
            check_checkout(Path(folder))
        return {"TESTBED": _testbed_of_the_run(Path(file)), "TESTBED_ERROR": None}
    except KitError as error:
        return {"TESTBED": None, "TESTBED_ERROR": f"{type(error).__name__}: {error}"}


def _testbed_of_the_run(file: Path) -> TestBed:
    if EXECUTION_CONTEXTS.current is None:  # an editor that looks at the variables
        return load_testbed(file)
    names, set_variables, errors = _told_by_robot(EXECUTION_CONTEXTS.current.output)
    # The first file that sets a variable wins, so it is laid over the others.
    overlays = [_path_of(name) for name in reversed(names) if name.lower().endswith(_READ_BY_THE_KIT)]
    from_files = {key: value for path in overlays for key, value in read_testbed_file(path).items()}
    for name in names:
        for error in errors:
            if error.level == "ERROR" and f"{Path(name).name}'" in error.message:
                raise _not_used(error.message)
    variables = BuiltIn().get_variables(no_decoration=True)
    values = {
        key.upper(): variables[key]
        for key in (*KEYS, *RENAMED)
        if key in variables and variables[key] != from_files.get(key)  # else the file is to be named, not a variable
    }
    given = [entry.partition(":")[0] for entry in set_variables]
    return load_testbed(file, overlays, values | {name: variables[name] for name in given if name in variables})


def _told_by_robot(output: Any) -> tuple[list[str], list[str], Any]:
    """The variable files and the variables that this run was given, and Robot's errors so far.

    Robot's own settings come first: they include ROBOT_OPTIONS, argument files, editors and other programs that start
    Robot. A Robot that hides them is asked to read its command line again.
    """
    try:
        settings, errors = output._settings, output.output_file.errors
        return [name for name, _ in settings.variable_files], list(settings.variables), errors
    except AttributeError:
        try:
            options, _ = RobotFramework().parse_arguments(sys.argv[1:])
        except (DataError, Information):
            raise SetupError(
                f"Robot Framework {version('robotframework')} does not tell the kit which variable files it was given; "
                "install another version, such as 7.5."
            ) from None
        files = [name.partition(":")[0] for name in options.get("variablefile", ())]
        return files, list(options.get("variable", ())), ()


def _path_of(name: str) -> Path:
    """Where Robot finds a variable file: below the current folder, else on Python's path."""
    try:
        return Path(find_file(name, file_type="Variable file"))
    except DataError as error:
        raise _not_used(error.message) from None


def _not_used(message: str) -> SetupError:
    reason = message.splitlines()[0].rstrip(".")
    return SetupError(
        f"{reason}. Without this file the run would be on another test bed, so nothing is tested. Correct the file, or "
        "its path: Robot looks in the current folder and on Python's path."
    )
