"""A vhost that lives but does not answer."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from hotplug_kit.domain.finding import Check, FailureClass
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.vhost.watch import heartbeat
from hotplug_kit.vhost.watch.heartbeat import Heartbeat
from tests.unit.expected_findings import expect_finding
from tests.unit.vhost.fake_rpc_server import FakeRpcServer, Request, answer

Make = Callable[..., Heartbeat]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.005)
    monkeypatch.setattr(heartbeat, "SLICE_SECONDS", 0.005)


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Heartbeat] = []

    def make(path: Path, silence: float = 0.05) -> Heartbeat:
        made.append(Heartbeat(path, silence, describe=lambda: "Its state is T."))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.stop()
        assert one.failure is None


def well(request: Request) -> Iterable[bytes]:
    text = answer(request, {"version": "Fake SPDK v0"})
    yield text[:10]
    yield text[10:]


def test_answers_are_asked_for_on_one_connection_and_are_no_finding(tmp_path: Path, make: Make) -> None:
    with FakeRpcServer(tmp_path / "rpc.sock", well) as server:
        beating = make(server.path, silence=60)
        wait_until(lambda: beating.beats >= 5, 5, "five beats", interval=0.005)
        assert beating.answered_at is not None
        assert server.connections == 1
        assert {request["method"] for request in server.requests} == {"spdk_get_version"}
        assert beating.finding is None
        beating.stop()


def test_silence_is_found_and_counts_from_the_question(tmp_path: Path, make: Make) -> None:
    def falls_silent(request: Request) -> Iterable[bytes]:
        if request["id"] < 3:
            yield from well(request)

    began = time.monotonic()
    with FakeRpcServer(tmp_path / "rpc.sock", falls_silent) as server:
        beating = make(server.path)
        finding = wait_until(lambda: beating.finding, 5, "the finding", interval=0.005)
        assert began < finding.at <= time.monotonic() - 0.05
        words = rf"alive as a process but does not answer: .*{server.path}.* for 0\.05 s\. Its state is T\.$"
        expect_finding(finding, Check.VHOST_HEARTBEAT, FailureClass.BLOCKED, words)


def test_half_an_answer_is_silence(tmp_path: Path, make: Make) -> None:
    with FakeRpcServer(tmp_path / "rpc.sock", lambda request: [answer(request, True)[:-3]]) as server:
        beating = make(server.path)
        wait_until(lambda: beating.finding, 5, "the finding", interval=0.005)


def test_closed_and_missing_sockets_are_no_silence(tmp_path: Path, make: Make) -> None:
    beating = make(tmp_path / "none.sock")
    with FakeRpcServer(tmp_path / "rpc.sock", lambda request: [None]) as server:
        closing = make(server.path, silence=60)
        wait_until(lambda: server.connections > 5, 5, "connections", interval=0.005)
    assert beating.finding is None
    assert closing.finding is None


def test_time_in_which_this_machine_stood_still_is_not_held_against_vhost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lost = time.monotonic, [0.0]

    def stalling() -> float:  # each look at the clock finds a minute gone
        lost[0] += 60
        return real() + lost[0]

    asked: list[float] = []

    def slow(request: Request) -> Iterable[bytes | float]:
        asked.append(real())
        yield 0.02
        yield answer(request, True)

    monkeypatch.setattr("hotplug_kit.vhost.watch.heartbeat.time.monotonic", stalling)
    monkeypatch.setattr(heartbeat, "SLICE_SECONDS", 0.015)
    with FakeRpcServer(tmp_path / "rpc.sock", slow) as server:
        beating = Heartbeat(server.path, silence=1.0)
        beating.start()
        while not beating.beats and real() - (asked or [real()])[0] < 5:
            pass
        beating.stop()
        assert (beating.beats > 0, beating.finding) == (True, None)


def test_patience_holds_nothing_against_vhost(tmp_path: Path, make: Make) -> None:
    with FakeRpcServer(tmp_path / "rpc.sock", lambda request: (0.08, answer(request, True))) as server:
        beating = Heartbeat(server.path, silence=0.03)
        beating.patient = True
        beating.start()
        wait_until(lambda: beating.beats, 5, "a beat", interval=0.005)
        beating.stop()
        assert beating.finding is None
