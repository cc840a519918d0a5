"""What ReportLibrary does by itself: it records verdicts, keeps the files of runs, fails dry runs of a bad test bed."""

import json
import tarfile
from pathlib import Path

import pytest
from robot import result as robot_result

from hotplug_kit.report import history, verdict
from ReportLibrary.failures import Failures
from tests.unit.report.small_runs import run, run_files

FAILING = "Library    tests.unit.report.failing_library.FailingLibrary\n"


def messages(suite: robot_result.TestSuite) -> dict[str, str]:
    return {case.name: case.message for case in suite.all_tests}


def case(folder: Path, body: str) -> robot_result.TestCase:
    (found,) = run(folder, f"{FAILING}*** Test Cases ***\nCase\n    {body}\n").tests
    return found


def test_findings_of_a_kit_keyword_are_tags_and_the_last_line(tmp_path: Path) -> None:
    found = case(tmp_path, "Lose Data    disks=${2}")
    assert found.message == (
        "Disk 'd0' lost data. Disk 'd1' lost data.\n"
        "[fault=device check=data-ledger class=data-loss subject=disk disk=d0 more=1]"
    )
    assert {"fault:device", "check:data-ledger", "class:data-loss"} <= set(found.tags)


def test_time_line_in_the_middle_of_a_case_is_in_the_log(tmp_path: Path) -> None:
    found = case(tmp_path, "Log Time Line")
    assert found.passed
    assert "<svg" in (tmp_path / "output.xml").read_text().replace("&lt;", "<")


def test_findings_are_data_in_the_time_line_the_bundle_and_the_history(tmp_path: Path) -> None:
    case(tmp_path, "Lose Data")
    latest = tmp_path / "artifacts" / "latest"
    moments = [json.loads(line) for line in (latest / "timeline.jsonl").read_text().splitlines()]
    labels = [moment["labels"] for moment in moments if moment["text"] == "Disk 'd0' lost data."]
    assert labels[-1] == {"fault": "device", "check": "data-ledger", "class": "data-loss"}
    with tarfile.open(latest / "failure-bundle.tar.gz") as bundle:
        (finding,) = json.load(bundle.extractfile("failure-bundle/findings.json"))  # type: ignore[arg-type]
    assert (finding["class"], finding["disk"], finding["sentence"]) == ("data-loss", "d0", "Disk 'd0' lost data.")
    (entry,) = history.read(tmp_path / history.NAME)
    assert (entry.fault, entry.check, entry.failure) == ("device", "data-ledger", "data-loss")


def test_fault_of_the_device_in_a_teardown_counts_more_than_an_error_of_the_kit_before_it(tmp_path: Path) -> None:
    found = case(tmp_path, "Miss A Program\n    [Teardown]    Lose Data")
    assert verdict.read_line(found.message)["check"] == "data-ledger"
    assert {"fault:kit", "fault:device", "check:set-up"} <= set(found.tags)


def test_error_of_the_suite_hides_no_fault_of_the_device(tmp_path: Path) -> None:
    found = case(tmp_path, "Log    ${NOPE}\n    [Teardown]    Lose Data")
    assert found.message.startswith("SuiteError: Variable '${NOPE}' not found.")
    assert verdict.read_line(found.message)["fault"] == "device"
    assert {"fault:suite", "fault:device"} <= set(found.tags)


def test_exception_that_nobody_foresaw_is_the_kits_fault(tmp_path: Path) -> None:
    found = case(tmp_path, "Divide")
    assert found.message == "ZeroDivisionError: division by zero\n" + verdict.line(
        verdict.findings_without_kit("KitError: division by zero")
    )


def test_caught_failure_leaves_no_verdict_and_the_one_after_it_does(tmp_path: Path) -> None:
    found = case(tmp_path, "Run Keyword And Ignore Error    Lose Data\n    Miss A Program")
    assert {tag for tag in found.tags if ":" in tag} == {"fault:kit", "check:set-up", "class:environment"}


def test_failure_that_a_suite_tells_of_in_its_own_words_keeps_its_verdict(tmp_path: Path) -> None:
    lines = ("TRY", "    Miss A Program", "EXCEPT    AS    ${error}", "    Fail    At first: ${error}", "END")
    found = case(tmp_path, "\n    ".join(lines))
    assert found.message.startswith("At first: SetupError: There is no fio.\n[fault=kit check=set-up ")


def test_long_message_that_robot_cuts_keeps_its_verdict(tmp_path: Path) -> None:
    found = case(tmp_path, "Lose Data    disks=${400}")
    assert "Message content over the limit has been removed" in found.message
    assert verdict.read_line(found.message)["more"] == "399"


def test_failed_set_up_of_a_suite_is_in_all_its_messages(tmp_path: Path) -> None:
    text = f"{FAILING}Suite Setup    Miss A Program\n*** Test Cases ***\nOne\n    No Operation\nTwo\n    No Operation\n"
    suite = run(tmp_path, text)
    line = "There is no fio.\n[fault=kit check=set-up class=environment subject=kit]"
    assert set(messages(suite).values()) == {f"Parent suite setup failed:\nSetupError: {line}"}
    assert suite.message == f"Suite setup failed:\nSetupError: {line}"
    assert suite.setup.message == f"SetupError: {line}"


def test_cases_below_a_suite_whose_set_up_failed_have_its_tags_and_are_in_the_history(tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    settings = f"*** Settings ***\nLibrary    ReportLibrary\n{FAILING}"
    (tmp_path / "suites" / "__init__.robot").write_text(f"{settings}Suite Setup    Miss A Program\n")
    (tmp_path / "suites" / "below.robot").write_text(f"{settings}*** Test Cases ***\nCase\n    No Operation\n")
    suite = run_files(tmp_path, tmp_path / "suites")
    (found,) = suite.all_tests
    assert set(found.tags) == {"fault:kit", "check:set-up", "class:environment"}
    assert verdict.read_line(found.message)["check"] == "set-up"
    (entry,) = history.read(tmp_path / history.NAME)
    assert (entry.case, entry.fault, entry.check, entry.figures) == ("Below: Case", "kit", "set-up", {})


def test_failed_teardown_of_a_suite_is_in_all_its_messages(tmp_path: Path) -> None:
    suite = run(tmp_path, f"{FAILING}Suite Teardown    Hang At The End\n*** Test Cases ***\nOne\n    No Operation\n")
    line = "vhost did not stop.\n[fault=device check=vhost-exit class=bad-exit subject=vhost]"
    assert messages(suite) == {"One": f"Parent suite teardown failed:\n{line}"}
    assert suite.message == f"Suite teardown failed:\n{line}"


@pytest.mark.parametrize(
    ("body", "stacks"),
    [
        ("Hang At The End", 1),
        ("No Operation\n    [Teardown]    Hang At The End", 1),
        ("Lose Data", 0),
    ],
)
def test_stacks_are_taken_of_what_hangs_before_it_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, stacks: int
) -> None:
    taken: list[Failures] = []
    monkeypatch.setattr(Failures, "take_stacks", lambda failures: taken.append(failures))
    teardown = "" if "Teardown" in body else "\n    [Teardown]    No Operation"
    case(tmp_path, body + teardown)
    assert len(taken) == stacks


def test_second_run_leaves_the_files_of_the_first_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        monkeypatch.setattr("hotplug_kit.process.run_directory._folders", {})  # as in a process of its own
        case(tmp_path, "Lose Data")
    bundles = sorted((tmp_path / "artifacts").glob("2*/failure-bundle.tar.gz"))
    assert len(bundles) == 2
    assert bundles[1].parent == (tmp_path / "artifacts" / "latest").resolve()


def test_worker_of_pabot_writes_below_the_main_output_folder(tmp_path: Path) -> None:
    worker = tmp_path / "pabot_results" / "3"
    run(worker, f"{FAILING}*** Test Cases ***\nCase\n    Lose Data\n", variable=["PABOTQUEUEINDEX:3"])
    (bundle,) = tmp_path.glob("artifacts/2*/worker-3/failure-bundle.tar.gz")
    assert f'href="{bundle.relative_to(tmp_path)}"' in (worker / "output.xml").read_text().replace("&quot;", '"')
    assert len(history.read(tmp_path / history.NAME)) == 1
    assert {path.name for path in worker.iterdir()} == {"output.xml"}


@pytest.mark.parametrize(("error", "status"), [("SetupError: The key 'vms' is wrong.", "FAIL"), (None, "PASS")])
def test_dry_run_fails_with_a_bad_test_bed_and_writes_nothing(tmp_path: Path, error: str | None, status: str) -> None:
    variable = f"*** Variables ***\n${{TESTBED_ERROR}}    {error or '${None}'}\n"
    text = f"{variable}*** Test Cases ***\nCase\n    Get Controllers\n"
    (found,) = run(tmp_path, text, dryrun=True).tests
    assert (found.status, found.message) == (status, error or "")
    assert [path.name for path in tmp_path.iterdir()] == ["output.xml"]
