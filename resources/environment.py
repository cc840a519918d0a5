"""The first import of `variables.resource`: says in one sentence that Robot runs in a Python without the kit.

Only the standard library and Robot, and nothing newer than Python 3.8, so that any Python can read it.
"""

import importlib
import sys
import types
from pathlib import Path

_MODULES = (
    "testbed_variables",
    "VhostLibrary",
    "QemuLibrary",
    "FioLibrary",
    "ReportLibrary",
    "PreflightLibrary",
)


def get_variables():
    """No variables. Without the kit, every suite that imports the resource fails in its set-up with one sentence."""
    reason = _what_is_missing()
    if reason:
        _let_the_suites_fail(
            f"The kit is not installed in the Python that runs Robot ({sys.executable}): {reason}. {_advice()}"
        )
    return {}


def _what_is_missing():
    if sys.version_info < (3, 11):  # noqa: UP036 - this file alone must work in an older Python
        return f"it is Python {sys.version_info[0]}.{sys.version_info[1]}, and the kit needs 3.11 or newer"
    try:
        for name in _MODULES:
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        return str(error)
    return None


def _advice():
    root = Path(__file__).resolve().parent.parent
    if (root / "keywords").is_dir():
        return f"Run 'source .venv/bin/activate' in '{root}' first; if there is no .venv, 'make run' makes it."
    return "Activate the Python environment in which the kit is installed, or install the kit in this one."


def _let_the_suites_fail(sentence):
    """Logs an error, and puts empty modules in the kit's place, so that Robot prints no page for each failed import."""
    from robot.api import logger
    from robot.libraries.BuiltIn import BuiltIn

    BuiltIn().get_variables()  # raises an error in an editor, which only looks at the variables
    logger.error(sentence)
    for name in _MODULES:
        empty = types.ModuleType(name)
        if name.endswith("Library"):
            setattr(empty, name, _Nothing)
        sys.modules[name] = empty
    sys.modules["testbed_variables"].get_variables = lambda *_: {
        "TESTBED": None,
        "TESTBED_ERROR": f"SetupError: {sentence}",
    }


class _Nothing:
    """A library in place of one that is not installed; Robot warns of a library without a keyword."""

    def __init__(self, *_, **__):
        pass

    def the_kit_is_not_installed(self):
        """Does nothing."""
