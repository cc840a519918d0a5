"""Attach and detach, one by one and at once; vhost's state; the model. Whose fault is what."""

import contextlib
import time

import pytest

from hotplug_kit.domain.attachment import Attachment, Event
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Subject
from hotplug_kit.vhost.attachments import (
    AttachmentModel,
    attach_at_once,
    attach_target,
    detach_at_once,
    detach_target,
    read_state,
)
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.expected_findings import raises_fault
from tests.unit.vhost.fake_rpc_server import FakeRpcServer, FakeVhost, Request, Steps, answer, refusal

ADD, REMOVE = "vhost_scsi_controller_add_target", "vhost_scsi_controller_remove_target"
STATE = ["vhost_get_controllers", "bdev_get_bdevs"]
WRONG, SILENT = (Check.RPC_ANSWER, FailureClass.WRONG_ANSWER), (Check.RPC_DEADLINE, FailureClass.NO_ANSWER)
D0_AT_0 = Subject(controller="c1", target=0, disk="D0")
SIZE = 8192 * 512


def methods(server: FakeRpcServer) -> list[str]:
    """What was asked, in order."""
    return [request["method"] for request in server.requests]


def test_attach_to_the_first_free_target_and_detach(vhost: Vhost, fake: FakeVhost) -> None:
    fake.targets["c1"][0] = "D1"
    before = time.monotonic()
    event = attach_target(vhost, "c1", "D0")
    assert (event.kind, event.controller, event.target, event.disk) == ("attach", "c1", 1, "D0")
    assert before <= event.sent < event.answered <= time.monotonic()
    gone = detach_target(vhost, "c1", 0)
    assert (gone.kind, gone.target, gone.disk) == ("detach", 0, "D1")
    assert fake.targets["c1"] == {1: "D0"}
    assert event.size == gone.size == 8192 * 512


def test_attach_and_detach_ask_for_vhosts_state_unless_it_is_given(vhost: Vhost, server: FakeRpcServer) -> None:
    event = attach_target(vhost, "c1", "D0")
    assert methods(server) == [*STATE, ADD]
    state = read_state(vhost)
    server.requests.clear()
    attach_target(vhost, "c1", "D1", state=state)
    detach_target(vhost, "c1", event.target, state=state)
    assert methods(server) == [ADD, REMOVE]


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
    vhost: Vhost, fake: FakeVhost, server: FakeRpcServer, controller: str, disk: str, number: int, words: str
) -> None:
    fake.targets["c1"][0] = "D0"
    with pytest.raises(SetupError) as caught:
        attach_target(vhost, controller, disk, number)
    assert words in str(caught.value)
    assert ADD not in methods(server)


def test_attach_to_a_full_controller(vhost: Vhost, fake: FakeVhost) -> None:
    fake.targets["c1"] = dict.fromkeys(range(8), "D0")
    with pytest.raises(SetupError, match="all targets of controller 'c1' are taken"):
        attach_target(vhost, "c1", "D1")


@pytest.mark.parametrize(("controller", "number"), [("nope", 0), ("c1", 3), ("c1", 8), ("c1", -1)])
def test_wrong_detach_is_a_setup_error_and_not_sent(
    vhost: Vhost, server: FakeRpcServer, controller: str, number: int
) -> None:
    with pytest.raises(SetupError):
        detach_target(vhost, controller, number)
    assert REMOVE not in methods(server)


def test_refused_attach_is_the_devices_fault(vhost: Vhost, fake: FakeVhost) -> None:
    fake.faults[ADD] = lambda request: [refusal(request, -32602, "Input/output error")]
    with raises_fault(*WRONG, subject=Subject(controller="c1", disk="D0")) as caught:
        attach_target(vhost, "c1", "D0")
    for part in (ADD, "c1", "D0", "-32602", "Input/output error"):
        assert part in str(caught.value)


def test_refused_detach_is_the_devices_fault(vhost: Vhost, fake: FakeVhost) -> None:
    fake.targets["c1"][0] = "D0"
    fake.faults[REMOVE] = lambda request: [refusal(request, -32602, "Device or resource busy")]
    with raises_fault(*WRONG, "Device or resource busy", D0_AT_0):
        detach_target(vhost, "c1", 0)


def test_silent_detach_is_the_devices_fault(vhost: Vhost, fake: FakeVhost) -> None:
    fake.targets["c1"][0] = "D0"
    fake.faults[REMOVE] = lambda request: [3.0]
    with raises_fault(*SILENT, r"did not answer vhost_scsi_controller_remove_target.* within 0\.5 s", D0_AT_0):
        detach_target(vhost, "c1", 0)


def test_attach_and_detach_take_a_deadline_of_their_own(vhost: Vhost, fake: FakeVhost) -> None:
    fake.faults |= {ADD: lambda request: [3.0], REMOVE: lambda request: [3.0]}
    with raises_fault(*SILENT, r"add_target.* within 0\.1 s", Subject(controller="c1", target=3, disk="D1")):
        attach_target(vhost, "c1", "D1", 3, deadline=0.1)
    fake.targets["c1"][0] = "D0"
    with raises_fault(*SILENT, r"remove_target.* within 0\.1 s", D0_AT_0):
        detach_target(vhost, "c1", 0, deadline=0.1)


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
    vhost: Vhost, fake: FakeVhost, monkeypatch: pytest.MonkeyPatch, beats: bool
) -> None:
    fake.faults[ADD] = lambda request: [3.0]
    monkeypatch.setattr(vhost, "_watch", Beating(beats))
    with raises_fault(*SILENT, "process is alive", Subject(controller="c1", disk="D1")) as failure:
        attach_target(vhost, "c1", "D1", deadline=0.1)
    assert ("has answered other calls meanwhile" in str(failure.value)) is beats


@pytest.mark.parametrize("wrong", [5, True, None, "0"])
def test_attach_answered_with_another_target(vhost: Vhost, fake: FakeVhost, wrong: object) -> None:
    fake.faults[ADD] = lambda request: [answer(request, wrong)]
    with raises_fault(*WRONG, "and answered", Subject(controller="c1", disk="D0")):
        attach_target(vhost, "c1", "D0", 1)


def test_connection_closed_by_a_living_vhost_is_the_devices_fault(vhost: Vhost, fake: FakeVhost) -> None:
    fake.faults[ADD] = lambda request: [None]
    with raises_fault(*WRONG, "closed before vhost answered", Subject(controller="c1", disk="D0")):
        attach_target(vhost, "c1", "D0")


def test_detach_answered_with_anything_but_true(vhost: Vhost, fake: FakeVhost) -> None:
    fake.targets["c1"][0] = "D0"
    fake.faults[REMOVE] = lambda request: [answer(request, 1)]
    with raises_fault(*WRONG, "and answered 1", D0_AT_0):
        detach_target(vhost, "c1", 0)


def test_state_of_vhost_costs_two_requests(vhost: Vhost, fake: FakeVhost, server: FakeRpcServer) -> None:
    fake.targets |= {"c1": {0: "D0"}, "c2": {3: "D1"}}
    state = read_state(vhost)
    assert state.attachments() == [Attachment("c1", 0, "D0", SIZE), Attachment("c2", 3, "D1", SIZE)]
    assert state.attachments(["c2"]) == [Attachment("c2", 3, "D1", SIZE)]
    assert state.controller("c2").disk_at(3) == "D1"
    assert (state.disk("D2").size, state.free_disks()) == (SIZE, ["D2"])
    for ask, words in (
        (state.controller, "no controller 'X'; vhost has 'c1', 'c2'"),
        (state.disk, "no disk 'X'; vhost has 'D0', 'D1', 'D2'"),
        (lambda name: state.attachments([name]), "no controller 'X'"),
    ):
        with pytest.raises(SetupError, match=words):
            ask("X")
    assert sorted(methods(server)) == sorted(STATE)


def test_free_disks(vhost: Vhost, fake: FakeVhost) -> None:
    fake.targets["c1"] = {0: "D0"}
    state = read_state(vhost)
    assert state.free_disks() == ["D1"]
    assert state.free_disks(count=2) == ["D1", "D2"]
    assert state.free_disks(["D2", "D0", "D1"], 2) == ["D2", "D1"]
    with pytest.raises(SetupError, match="No disk is free: of 'D0', 1 are attached"):
        state.free_disks(["D0"])
    with pytest.raises(SetupError, match="3 free disks are needed, but 2 are free"):
        state.free_disks(count=3)
    with pytest.raises(SetupError, match="no disk 'X'"):
        state.free_disks(["D1", "X"])


def test_disk_that_something_claims_is_free_only_if_it_is_named(vhost: Vhost, fake: FakeVhost) -> None:
    fake.claimed = {"D0"}
    state = read_state(vhost)
    assert state.free_disks() == ["D1"]
    assert state.free_disks(["D0"]) == ["D0"]


def test_disks_are_attached_and_detached_at_once(vhost: Vhost, fake: FakeVhost, server: FakeRpcServer) -> None:
    disks = ["D2", "D0", "D1"]
    fake.answer_at_once(ADD, 3)
    events = attach_at_once(vhost, "c1", disks)
    assert [event.disk for event in events] == disks
    assert {event.target: event.disk for event in events} == fake.targets["c1"]
    assert max(event.sent for event in events) < min(event.answered for event in events)
    assert methods(server) == [*STATE, *[ADD] * 3]
    fake.answer_at_once(REMOVE, 3)
    attached = read_state(vhost).attachments()
    gone = detach_at_once(vhost, attached)
    assert [event.attachment for event in gone] == attached
    assert fake.targets["c1"] == {}


def test_calls_at_once_are_checked_before_one_is_sent(vhost: Vhost, fake: FakeVhost, server: FakeRpcServer) -> None:
    fake.targets["c1"] = dict.fromkeys(range(6), "D0")
    for disks, words in ((["D1", "X"], "no disk 'X'"), (["D0", "D1", "D2"], "6 of 8 targets are taken")):
        with pytest.raises(SetupError, match=words):
            attach_at_once(vhost, "c1", disks)
    assert ADD not in methods(server)


def test_one_call_of_many_that_is_refused_is_the_devices_fault(vhost: Vhost, fake: FakeVhost) -> None:
    def one_refused(request: Request) -> Steps:
        if request["params"]["bdev_name"] == "D1":
            yield refusal(request, -32602, "Input/output error")
        else:
            yield fake.answer(request)

    fake.faults[ADD] = one_refused
    done: list[Event] = []
    with raises_fault(*WRONG, "Input/output error", Subject(controller="c1", disk="D1")):
        attach_at_once(vhost, "c1", ["D0", "D1", "D2"], done=done.append)
    assert {event.target: event.disk for event in done} == fake.targets["c1"]
    assert [event.disk for event in done] == ["D0", "D2"]


def test_model_follows_events() -> None:
    a, b = Attachment("c1", 2, "A", 1), Attachment("c2", 0, "B", 2)
    model = AttachmentModel([a])
    model.apply(Event("attach", "c2", 0, "B", 0, 0, 2))
    assert model.expected() == [a, b]
    assert model.expected(["c2", "c1"]) == [b, a]
    model.apply(Event("detach", "c1", 2, "A", 0, 0, 1))
    assert model.expected() == model.expected(["c1", "c2"]) == [b]
    model.forget("c2")
    assert model.expected() == []
