"""Known issues match findings; the kit's own files fit their schema; a file that does not fit is named."""

from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Finding
from hotplug_kit.report.known_issues import OWN_FILE, html_list, matching, read_explanations, read_known_issues
from hotplug_kit.vhost.rpc.client import describe_call

ENTRY = "- {title: lost event, check: disk-gone, explanation: It was lost., link: 'https://example.org/1'}\n"
OLD_ENTRY = "- {class: our own drives, pattern: 'controller is down', explanation: Firmware 1.2 resets.}\n"


def titles(finding: Finding, lines: tuple[str, ...] = ()) -> list[str]:
    found = matching(read_known_issues(OWN_FILE), [finding], finding.sentence, lines)
    return [issue.title for issue, _ in found]


@pytest.mark.parametrize(
    ("check", "failure", "sentence", "title"),
    [
        (
            Check.VHOST_ALIVE,
            FailureClass.CRASH,
            "vhost died: killed by signal 11 (SIGSEGV).",
            "vhost crashes when a disk is removed or a guest reboots",
        ),
        (
            Check.RPC_DEADLINE,
            FailureClass.NO_ANSWER,
            f"No reply to {describe_call('vhost_scsi_controller_remove_target', {'ctrlr': 'a'})}.",
            "removal of a target is never answered",
        ),
        (
            Check.DISK_APPEARS,
            FailureClass.LOST_EVENT,
            "",
            "attach is answered, and the guest never sees the disk",
        ),
        (Check.DISK_GONE, FailureClass.LOST_EVENT, "", "guest misses the removal of a disk"),
        (Check.VM_ALIVE, FailureClass.CRASH, "", "QEMU crashes when a disk is unplugged"),
        (Check.VHOST_HEARTBEAT, FailureClass.BLOCKED, "", "a call blocks the reactor"),
        (Check.DISK_PROGRESS, FailureClass.STALL, "", "a disk stalls while another one is plugged"),
        (Check.DISK_APPEARS, FailureClass.WRONG_DISKS, "", "another disk at the same place"),
        (Check.VHOST_LEAKS, FailureClass.LEAK, "", "vhost leaks file descriptors"),
        (Check.VHOST_EXIT, FailureClass.BAD_EXIT, "", "vhost fails only when it ends"),
        (
            Check.FIO_PASSED,
            FailureClass.CORRUPTION,
            "fio said: verify: bad magic header",
            "corruption in the data path",
        ),
    ],
)
def test_failure_is_recognised_by_check_and_class_whatever_its_words(
    check: Check, failure: FailureClass, sentence: str, title: str
) -> None:
    assert titles(Finding(check, failure, sentence)) == [title]


def test_same_words_of_another_check_do_not_match() -> None:
    said = "Reboot of vm1: SIGSEGV, vhost_scsi_controller_remove_target"
    assert titles(Finding(Check.GUEST_COMMAND, FailureClass.OWN, said)) == []


def test_class_and_check_must_be_of_the_same_finding() -> None:
    issues = read_known_issues(OWN_FILE)
    one = Finding(Check.DISK_APPEARS, FailureClass.DISK_STAYS, "")
    other = Finding(Check.FIO_PASSED, FailureClass.LOST_EVENT, "")
    assert matching(issues, [one, other], "", []) == []


def test_evidence_counts_too_after_the_message() -> None:
    lines = ("ordinary", "==12==ERROR: AddressSanitizer: heap-use-after-free on address")
    finding = Finding(Check.VHOST_ALIVE, FailureClass.CRASH, "vhost died: killed by signal 6 (SIGABRT).")
    found = matching(read_known_issues(OWN_FILE), [finding], finding.sentence, lines)
    assert [text for _, text in found] == [finding.sentence, lines[1]]


def test_failure_of_no_known_kind_matches_nothing() -> None:
    finding = Finding(Check.OWN_CHECK, FailureClass.OWN, "Setting up failed: no such file.")
    assert titles(finding, ("all is well",)) == []
    assert html_list([], "") == ""


def test_every_issue_of_the_kits_own_file_has_a_link() -> None:
    assert [issue.title for issue in read_known_issues(OWN_FILE) if issue.link is None] == []


def test_every_class_of_failure_is_explained() -> None:
    assert set(read_explanations()) == set(FailureClass)


def test_entry_is_shown_with_title_explanation_and_link(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(ENTRY.replace("explanation", "pattern: still, explanation"))
    finding = Finding(Check.DISK_GONE, FailureClass.DISK_STAYS, "<waited>")
    found = matching(read_known_issues(tmp_path / "own.yaml"), [finding], "<waited>", ["still <x>"])
    shown = html_list(found, "<waited>")
    for words in ("<b>lost event</b>", "It was lost.", 'href="https://example.org/1"', "still &lt;x&gt;"):
        assert words in shown


def test_file_from_before_there_were_classes_still_works(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OLD_ENTRY)
    (issue,) = read_known_issues(tmp_path / "own.yaml")
    assert (issue.title, issue.failure) == ("our own drives", None)
    finding = Finding(Check.VHOST_ALIVE, FailureClass.CRASH, "vhost died.")
    assert matching([issue], [finding], "vhost died.", ["nvme0: controller is down"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {title: lost}", "entry 1, key 'explanation'"),
        (ENTRY + ENTRY.replace("check", "pattern: '(in', check"), "entry 2, key 'pattern'.*not a regular expression"),
        (ENTRY.replace("https://example.org/1", "nowhere"), "entry 1, key 'link'"),
        (ENTRY.replace("disk-gone", "disk-went"), "entry 1, key 'check'.*'disk-gone'"),
        (ENTRY.replace("check: disk-gone", "class: lost-evnt"), "entry 1, key 'class'.*'lost-event'"),
        (ENTRY.replace("check: disk-gone", "class: lost-event"), "entry 1: .*needs 'check' or 'pattern'"),
        ("a: [", "is not YAML"),
    ],
)
def test_file_that_does_not_fit_is_named_with_the_place(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(SetupError, match=f"own.yaml.*{words}"):
        read_known_issues(tmp_path / "own.yaml")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"missing.yaml' cannot be read: No such file"):
        read_known_issues(tmp_path / "missing.yaml")
