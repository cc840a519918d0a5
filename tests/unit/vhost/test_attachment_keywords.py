"""The keywords for attachments, without Robot, on a fake vhost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hotplug_kit.domain.attachment import Attachment
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Subject
from tests.unit.expected_findings import raises_fault
from tests.unit.vhost.fake_rpc_server import FakeRpcServer, FakeVhost, Request, Steps, refusal
from VhostLibrary import VhostLibrary

ADD, REMOVE = "vhost_scsi_controller_add_target", "vhost_scsi_controller_remove_target"


@pytest.fixture
def library(server: FakeRpcServer, tmp_path: Path) -> Iterator[VhostLibrary]:
    library = VhostLibrary(artifacts=str(tmp_path / "artifacts"))
    run(library, "connect_to_vhost", str(server.path))
    yield library
    library.close()


def run(library: VhostLibrary, keyword: str, /, *args: object, **named: object) -> object:
    return library.run_keyword(keyword, list(args), named)


def places(attachments: object) -> list[tuple[str, int, str]]:
    assert isinstance(attachments, list)
    assert all(isinstance(each, Attachment) for each in attachments)
    return [(*each.place, each.disk) for each in attachments]


def test_disks_are_attached_and_detached_at_once_and_the_model_follows(library: VhostLibrary, fake: FakeVhost) -> None:
    fake.targets["c1"] = {}
    disks = run(library, "get_free_disks", 2)
    assert disks == ["D0", "D1"]
    fake.answer_at_once(ADD, 2)
    run(library, "attach_disks_at_once", "c1", "D0", "D1")
    assert run(library, "get_free_disks") == ["D2"]
    with pytest.raises(SetupError, match="2 free disks are needed, but 1 are free"):
        run(library, "get_free_disks", 2)
    attached = run(library, "get_attachments", "c1")
    assert attached == run(library, "get_expected_attachments", "c1")
    assert {(target, disk) for _, target, disk in places(attached)} == set(fake.targets["c1"].items())
    assert [disk for *_, disk in places(run(library, "get_attachments", except_disk="D0"))] == ["D1"]
    fake.answer_at_once(REMOVE, 2)
    assert isinstance(attached, list)
    run(library, "detach_disks_at_once", *attached)
    assert run(library, "get_expected_attachments") == [] == run(library, "get_attachments")


def test_of_requests_at_once_only_the_refused_one_leaves_no_trace_in_the_model(
    library: VhostLibrary, fake: FakeVhost
) -> None:
    def one_refused(request: Request) -> Steps:
        refused = request["params"]["bdev_name"] == "D0"
        yield refusal(request, -32602, "Input/output error") if refused else fake.answer(request)

    fake.faults[ADD] = one_refused
    subject = Subject(controller="c1", disk="D0")
    with raises_fault(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, "Input/output error", subject):
        run(library, "attach_disks_at_once", "c1", "D0", "D1")
    assert places(run(library, "get_expected_attachments")) == [("c1", 0, "D1")]
    assert run(library, "get_expected_attachments") == run(library, "get_attachments")
    fake.faults.clear()
    event = run(library, "attach_free_disk", "c1", "D1", "D0", target=5)
    assert (getattr(event, "disk", ""), getattr(event, "target", 0)) == ("D0", 5)
