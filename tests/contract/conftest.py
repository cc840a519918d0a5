"""The options and fixtures of the contract tests: which vhost they run against."""

import argparse
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.contract.agreement import Agreement, Part, VhostKind, load_differences
from tests.contract.vhost_program import Program, running_program

_STALE_LAST = "test_no_listed_difference_is_stale"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract")
    group.addoption("--vhost", choices=("embedded", "spdk"), default="embedded", help="the vhost under test")
    group.addoption("--target", dest="vhost", choices=("embedded", "spdk"), help=argparse.SUPPRESS)  # its former name
    group.addoption("--spdk-vhost", default="", metavar="PATH", help="SPDK's vhost program, for --vhost spdk")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "embedded_only: is about the embedded vhost and does not run on SPDK")
    if config.getoption("--vhost") == "spdk":
        _check_spdk(config.getoption("--spdk-vhost"))


def _check_spdk(program: str) -> None:
    """Raises `pytest.UsageError` when a program is not SPDK's."""
    found = shutil.which(program)
    try:
        said = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=20).stdout if found else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    first_line = said.partition("\n")[0]
    if not first_line.startswith("SPDK "):
        raise pytest.UsageError(
            f"--vhost spdk needs --spdk-vhost with SPDK's vhost program (build/bin/vhost), and '{program}' is not one"
            + (f": its --version says '{first_line}'" if found else "")
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--vhost") == "spdk":
        for item in items:
            if item.get_closest_marker("embedded_only"):
                item.add_marker(pytest.mark.skip("about the embedded vhost"))
    items.sort(key=lambda item: item.name == _STALE_LAST)  # the sort is stable


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--vhost") == "embedded":
        terminalreporter.write_line(
            "Only the embedded vhost was tested. To test SPDK: make contract VHOST=spdk SPDK_VHOST=/path/to/vhost"
        )


@pytest.fixture(scope="session")
def vhost_kind(pytestconfig: pytest.Config) -> VhostKind:
    """The vhost under test."""
    return "spdk" if pytestconfig.getoption("--vhost") == "spdk" else "embedded"


@pytest.fixture(scope="session")
def spdk_vhost(pytestconfig: pytest.Config) -> str:
    """SPDK's vhost program; empty for the embedded vhost."""
    return str(pytestconfig.getoption("--spdk-vhost"))


@pytest.fixture(scope="session")
def agreements(vhost_kind: VhostKind) -> dict[Part, Agreement]:
    """What each part of the suite compares with."""
    return {part: Agreement(vhost_kind, load_differences(part)) for part in ("rpc", "guest")}


@pytest.fixture(scope="session")
def agreement(agreements: dict[Part, Agreement]) -> Agreement:
    """What the RPC part compares with."""
    return agreements["rpc"]


@pytest.fixture(scope="module")
def program(vhost_kind: VhostKind, spdk_vhost: str) -> Iterator[Program]:
    """The vhost under test, which waits for framework_start_init."""
    with running_program(vhost_kind, spdk_vhost, ["--wait-for-rpc"]) as program:
        yield program


@pytest.fixture
def whole_part(request: pytest.FixtureRequest) -> None:
    """Skips a test that only makes sense after all tests of its folder."""
    here = request.path.parent
    collected = {item.path for item in request.session.items}
    missing = [path for path in here.glob("test_*.py") if path not in collected]
    option = request.config.option
    if missing or option.keyword or option.markexpr or any("::" in word for word in request.config.args):
        pytest.skip("only a part of the suite was chosen")
    if request.session.testsfailed:
        pytest.skip("a test has failed, so not everything was observed")
