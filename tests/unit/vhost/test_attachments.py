"""Attach, detach and the comparison of the attachments: whose fault is what."""

import contextlib
import time

import pytest

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.vhost.attachments import (
    Attachment,
    AttachmentModel,
    attach_target,
    check_attachments,
    compare,
    detach_target,
    free_disk,
    get_attachments,
)
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.vhost.fake_rpc_server import FakeRpcServer, FakeVhost, answer, refusal

ADD, REMOVE = "vhost_scsi_controller_add_target", "vhost_scsi_controller_remove_target"


def sent(server: FakeRpcServer, method: str) -> int:
    return [request["method"] for request in server.requests].count(method)


def test_attach_to_the_first_free_target_and_detach(target: Vhost, vhost: FakeVhost) -> None:
    vhost.targets["c1"][0] = "D1"
    before = time.monotonic()
    event = attach_target(target, "c1", "D0")
    assert (event.kind, event.controller, event.target, event.disk) == ("attach", "c1", 1, "D0")
    assert before <= event.sent < event.answered <= time.monotonic()
    gone = detach_target(target, "c1", 0)
    assert (gone.kind, gone.target, gone.disk) == ("detach", 0, "D1")
    assert vhost.targets["c1"] == {1: "D0"}


@pytest.mark.parametrize(
    ("controller", "disk", "number", "words"),
    [
        ("nope", "D1", -1, "no controller 'nope'; vhost has 'c1', 'c2'"),
        ("c1", "X", -1, "no disk 'X'; vhost has 'D0', 'D1', 'D2'"),
        ("c1", "D1", 0, "disk 'D0' is there. Free targets: 1, 2, 3, 4, 5, 6, 7"),
        ("c1", "D1", 8, "no target 8; give 0 to 7 or -1"),
        ("c1", "D1", -2, "no target -2"),
    ],
)
def test_wrong_attach_is_a_setup_error_and_not_sent(
    target: Vhost, vhost: FakeVhost, server: FakeRpcServer, controller: str, disk: str, number: int, words: str
) -> None:
    vhost.targets["c1"][0] = "D0"
    with pytest.raises(SetupError) as caught:
        attach_target(target, controller, disk, number)
    assert words in str(caught.value)
    assert sent(server, ADD) == 0


def test_attach_to_a_full_controller(target: Vhost, vhost: FakeVhost) -> None:
    vhost.targets["c1"] = dict.fromkeys(range(8), "D0")
    with pytest.raises(SetupError, match="all targets of controller 'c1' are taken"):
        attach_target(target, "c1", "D1")


@pytest.mark.parametrize(("controller", "number"), [("nope", 0), ("c1", 3), ("c1", 8), ("c1", -1)])
def test_wrong_detach_is_a_setup_error_and_not_sent(
    target: Vhost, server: FakeRpcServer, controller: str, number: int
) -> None:
    with pytest.raises(SetupError):
        detach_target(target, controller, number)
    assert sent(server, REMOVE) == 0


def test_refused_attach_is_the_devices_fault(target: Vhost, vhost: FakeVhost) -> None:
    vhost.faults[ADD] = lambda request: [refusal(request, -32602, "Input/output error")]
    with pytest.raises(AssertionError) as caught:
        attach_target(target, "c1", "D0")
    for part in (ADD, "c1", "D0", "-32602", "Input/output error"):
        assert part in str(caught.value)


def test_refused_detach_is_the_devices_fault(target: Vhost, vhost: FakeVhost) -> None:
    vhost.targets["c1"][0] = "D0"
    vhost.faults[REMOVE] = lambda request: [refusal(request, -32602, "Device or resource busy")]
    with pytest.raises(AssertionError, match="Device or resource busy"):
        detach_target(target, "c1", 0)


def test_silent_detach_is_the_devices_fault(target: Vhost, vhost: FakeVhost) -> None:
    vhost.targets["c1"][0] = "D0"
    vhost.faults[REMOVE] = lambda request: [3.0]
    with pytest.raises(AssertionError, match=r"did not answer vhost_scsi_controller_remove_target.* within 0\.5 s"):
        detach_target(target, "c1", 0)


def test_attach_and_detach_take_a_deadline_of_their_own(target: Vhost, vhost: FakeVhost) -> None:
    vhost.faults |= {ADD: lambda request: [3.0], REMOVE: lambda request: [3.0]}
    with pytest.raises(AssertionError, match=r"add_target.* within 0\.1 s"):
        attach_target(target, "c1", "D1", deadline=0.1)
    vhost.targets["c1"][0] = "D0"
    with pytest.raises(AssertionError, match=r"remove_target.* within 0\.1 s"):
        detach_target(target, "c1", 0, deadline=0.1)


class Beating:
    """A watch whose harmless calls are answered, or not."""

    def __init__(self, beats: bool) -> None:
        self._beats = beats

    def patience(self, method: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def answered_since(self, moment: float) -> bool:
        return self._beats


@pytest.mark.parametrize("beats", [True, False])
def test_silence_tells_whether_other_calls_are_answered(
    target: Vhost, vhost: FakeVhost, monkeypatch: pytest.MonkeyPatch, beats: bool
) -> None:
    vhost.faults[ADD] = lambda request: [3.0]
    monkeypatch.setattr(target, "_watch", Beating(beats))
    with pytest.raises(AssertionError, match="process is alive") as failure:
        attach_target(target, "c1", "D1", deadline=0.1)
    assert ("has answered other calls meanwhile" in str(failure.value)) is beats


@pytest.mark.parametrize("wrong", [5, True, None, "0"])
def test_attach_answered_with_another_target(target: Vhost, vhost: FakeVhost, wrong: object) -> None:
    vhost.faults[ADD] = lambda request: [answer(request, wrong)]
    with pytest.raises(AssertionError, match="and answered"):
        attach_target(target, "c1", "D0", 1)


def test_connection_closed_by_a_living_vhost_is_the_devices_fault(target: Vhost, vhost: FakeVhost) -> None:
    vhost.faults[ADD] = lambda request: [None]
    with pytest.raises(AssertionError, match="closed before vhost had answered"):
        attach_target(target, "c1", "D0")


def test_attachments_with_sizes(target: Vhost, vhost: FakeVhost) -> None:
    vhost.targets["c2"] = {3: "D1"}
    vhost.targets["c1"] = {0: "D0"}
    assert get_attachments(target) == [Attachment("c1", 0, "D0", 8192 * 512), Attachment("c2", 3, "D1", 8192 * 512)]
    assert get_attachments(target, ["c2"]) == [Attachment("c2", 3, "D1", 8192 * 512)]


def test_free_disk(target: Vhost, vhost: FakeVhost) -> None:
    vhost.targets["c1"] = {0: "D0"}
    assert free_disk(target) == "D1"
    assert free_disk(target, ["D0", "D2"]) == "D2"
    with pytest.raises(SetupError, match="all of 'D0' are attached"):
        free_disk(target, ["D0"])
    with pytest.raises(SetupError, match="no disk 'X'"):
        free_disk(target, ["X"])


def test_comparison_names_missing_extra_wrong_and_moved() -> None:
    seen = [Attachment("c1", 0, "A", 1), Attachment("c1", 1, "X", 1), Attachment("c2", 0, "C", 1)]
    assert compare({"c1": {0: "A"}, "c2": {}}, seen[:1]) == []
    findings = compare({"c1": {0: "A", 1: "B", 2: "C", 3: "D"}}, seen)
    assert findings == [
        "wrong: controller 'c1' target 1 has disk 'X' instead of 'B'",
        "missing: disk 'C' at controller 'c1' target 2 (it is at controller 'c2' target 0)",
        "missing: disk 'D' at controller 'c1' target 3",
        "extra: disk 'C' at controller 'c2' target 0",
    ]


def test_swapped_disks_are_both_named() -> None:
    seen = [Attachment("c1", 0, "B", 1), Attachment("c1", 1, "A", 1)]
    assert len(compare({"c1": {0: "A", 1: "B"}}, seen)) == 2


def test_check_looks_at_all_controllers_or_at_the_named(target: Vhost, vhost: FakeVhost) -> None:
    vhost.targets["c2"] = {3: "D1"}
    check_attachments(target, {"c1": {}}, ["c1"])
    with pytest.raises(AssertionError, match="extra: disk 'D1' at controller 'c2' target 3"):
        check_attachments(target, {"c1": {}})
    with pytest.raises(SetupError, match="no controller 'nope'"):
        check_attachments(target, {"nope": {}})
    with pytest.raises(SetupError, match="only 'c1' are looked at"):
        check_attachments(target, {"c2": {3: "D1"}}, ["c1"])


def test_model_follows_events() -> None:
    model = AttachmentModel([Attachment("c1", 2, "A", 1)])
    model.apply(Event("attach", "c2", 0, "B", 0, 0))
    assert model.expected() == {"c1": {2: "A"}, "c2": {0: "B"}}
    model.apply(Event("detach", "c1", 2, "A", 0, 0))
    assert model.expected() == {"c2": {0: "B"}}
    assert model.expected(["c1", "c2"]) == {"c1": {}, "c2": {0: "B"}}
    model.forget("c2")
    assert model.expected() == {}
