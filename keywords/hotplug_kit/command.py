"""The command `hotplug-kit`.

A subcommand is a function that adds its parser, as `_add_new` does. The parser's default `run` is called with the
parsed options and raises a `KitError` when it cannot do its work.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from hotplug_kit.domain.errors import KitError
from hotplug_kit.project_files import write_project
from hotplug_kit.report.xunit import write_xunit

# argparse has no public name for what add_subparsers() returns.
_Parsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, by default that of the process.

    Returns the exit code: 1 with a sentence on standard error when a subcommand raised a `KitError`.
    """
    parser = argparse.ArgumentParser(prog="hotplug-kit", description="Tools of the hotplug test kit for SPDK vhost.")
    parsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in _SUBCOMMANDS:
        add(parsers)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except KitError as error:
        print(f"hotplug-kit: {error}", file=sys.stderr)
        return 1
    return 0


def _add_new(parsers: _Parsers) -> None:
    about = "Writes a project that runs as it is: the test plan's suites with their resources, test bed and fio jobs."
    parser = parsers.add_parser("new", help="write a project of your own", description=about)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to; the folder must be new or empty")
    parser.set_defaults(run=_new)


def _new(options: argparse.Namespace) -> None:
    write_project(options.folder)
    print(f"A new project is in '{options.folder}'. Its README.md says how to run and change it.")


def _add_xunit(parsers: _Parsers) -> None:
    about = "Writes a run's results as JUnit XML in which a fault of the device and an error of the kit differ."
    parser = parsers.add_parser("xunit", help="write the results of a run as JUnit XML", description=about)
    parser.add_argument("output", metavar="OUTPUT", type=Path, help="the run's output.xml, such as results/output.xml")
    parser.add_argument("file", metavar="FILE", type=Path, help="the file to write, such as results/junit.xml")
    parser.set_defaults(run=_xunit)


def _xunit(options: argparse.Namespace) -> None:
    write_xunit(options.output, options.file)


_SUBCOMMANDS: tuple[Callable[[_Parsers], None], ...] = (_add_new, _add_xunit)


if __name__ == "__main__":
    sys.exit(main())
