"""Known issues: the kit's own file fits its schema and its messages; a file that does not fit is named."""

from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.report.known_issues import OWN_FILE, html_list, matching, read_known_issues
from hotplug_kit.vhost.rpc.client import describe_call

ENTRY = "- {class: lost event, pattern: 'in vain', explanation: It was lost., link: 'https://example.org/1'}\n"


@pytest.mark.parametrize(
    ("message", "failure_class"),
    [
        ("vhost died: killed by signal 11 (SIGSEGV). Log: nothing.", "vhost crashes on remove or reboot"),
        (
            f"vhost did not answer {describe_call('vhost_scsi_controller_remove_target', {'ctrlr': 'a'})} on",
            "remove target never answers",
        ),
        (
            "Waited 4 s for disk 'D' to appear in VM 'vm1' at controller 'c' target 0, in vain. Event lost: there.",
            "attach answered, and the guest never sees the disk",
        ),
        (
            "Waited 3 s for the disk at controller 'c' target 1 to be gone from VM 'vm3', in vain. Event lost: stale.",
            "removal event lost",
        ),
        ("QEMU of VM 'vm1' died: exit code 1.", "QEMU ends on unplug"),
        ("vhost is alive as a process but does not answer: for 4 s", "vhost lives but does not answer"),
        (
            "fio's job on disk 'a' (/dev/sda) of VM 'vm1' stood still for 8.1 s (allowed: 3 s), from 0.1 s after",
            "an untouched disk stalls while another is plugged",
        ),
        (
            "The guest of VM 'vm3' is in trouble, I/O error: [   16.9] I/O error, dev sdb, sector 19760",
            "an untouched disk fails while another is plugged",
        ),
        ("VM 'vm1' has the wrong disk at controller 'naa.ctrlr1' target 0: its serial is", "wrong disk at a place"),
        ("Model, vhost and guests do not agree on the disks: VM 'vm1': disk", "wrong set of disks"),
        (
            "Disk 'a' (/dev/sda) of VM 'vm1' at byte offset 4096: holds zeros (lost).",
            "data lost or changed across an event or a reboot",
        ),
        ("vhost (process 12) holds 90 file descriptors where it held 40 in the same state.", "leak in vhost"),
        (
            "fio's job on disk 'b' (/dev/sdb) of VM 'vm1' failed with EIO (5), Input/output error.",
            "an untouched disk fails while another is plugged",
        ),
        (
            "fio's job on disk 'a' failed with ENOSPC (28), No space; after a detach EIO comes first.",
            "fio failed before the event, or for another reason",
        ),
        ("KitError: fio run 1: fio wrote no output at all.", "no verdict, because fio gave no usable result"),
        (
            "The guest of VM 'vm3' is in trouble, SCSI event fault: [ 12.4] virtio_scsi: SCSI device 0 0 1 0 not found",
            "event about a unit that the guest does not know",
        ),
        (
            "VM 'vm1' made disk 'a' usable 6.2 s after the attach was asked for, more than the 5 s that",
            "guest told late",
        ),
        ("ConnectionLostError: fio run 1 gives no verdict. The connection to", "connection to the guest lost"),
        ("vhost floods its log with 120,000 lines a second", "log flood"),
        (
            "vhost was asked to stop with SIGINT (10 s), but did not end in order: exit code 1.",
            "fault only at the end of vhost",
        ),
        ("fio run 1 read back wrong data: verify: bad magic header.", "corruption in the data path"),
    ],
)
def test_failure_of_a_class_is_recognised_by_its_message(message: str, failure_class: str) -> None:
    found = matching(read_known_issues(OWN_FILE), message, [])
    assert [issue.failure_class for issue, _ in found] == [failure_class]


def test_evidence_counts_too_after_the_message() -> None:
    issues = read_known_issues(OWN_FILE)
    lines = ["ordinary", "==12==ERROR: AddressSanitizer: heap-use-after-free on address"]
    found = matching(issues, "vhost died: killed by signal 6 (SIGABRT).", lines)
    assert [text for _, text in found] == ["vhost died: killed by signal 6 (SIGABRT).", lines[1]]


def test_failure_of_no_known_kind_matches_nothing() -> None:
    assert matching(read_known_issues(OWN_FILE), "Setting up failed: no such file.", ["all is well"]) == []
    assert html_list([], "") == ""


def test_entry_is_shown_with_class_explanation_and_link(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(ENTRY)
    found = matching(read_known_issues(tmp_path / "own.yaml"), "<waited>", ["in vain <x>"])
    shown = html_list(found, "<waited>")
    for words in ("<b>lost event</b>", "It was lost.", 'href="https://example.org/1"', "in vain &lt;x&gt;"):
        assert words in shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {class: x}", "entry 1, key 'class'"),
        (ENTRY + ENTRY.replace("'in vain'", "'(in'"), "entry 2, key 'pattern'.*no regular expression"),
        (ENTRY.replace("https://example.org/1", "nowhere"), "entry 1, key 'link'"),
        ("a: [", "is no YAML"),
    ],
)
def test_file_that_does_not_fit_is_named_with_the_place(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(SetupError, match=f"own.yaml.*{words}"):
        read_known_issues(tmp_path / "own.yaml")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"missing.yaml' cannot be read: No such file"):
        read_known_issues(tmp_path / "missing.yaml")
