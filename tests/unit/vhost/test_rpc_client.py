"""RPC client: answers, errors, deadlines in wall-clock time, connections."""

import contextlib
import json
import logging
import socket
import threading
import time
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError
from hotplug_kit.domain.finding import Check, FailureClass, Finding
from hotplug_kit.monitor.run_monitor import RunMonitor
from hotplug_kit.vhost.rpc.client import RpcError, RpcProtocolError, socket_is_served
from hotplug_kit.vhost.rpc.trace import RpcTrace, read_trace
from tests.unit.expected_findings import death_of_vhost, raises_fault
from tests.unit.vhost.conftest import Connect
from tests.unit.vhost.fake_rpc_server import Behaviour, FakeRpcServer, Request, Steps, answer, refusal


def echo(request: Request) -> Steps:
    yield answer(request, request.get("params", {}))


def serve(tmp_path: Path, behaviour: Behaviour) -> FakeRpcServer:
    return FakeRpcServer(tmp_path / "rpc.sock", behaviour)


def test_result_and_parameters_pass_through(connect: Connect, tmp_path: Path) -> None:
    with serve(tmp_path, echo) as server:
        assert connect(server.path).call("m", {"a": 1, "b": [None, "ü"]}) == {"a": 1, "b": [None, "ü"]}
    assert server.requests[0]["method"] == "m"


def test_error_answer_keeps_code_message_and_call(connect: Connect, tmp_path: Path) -> None:
    with serve(tmp_path, lambda request: [refusal(request, -32602, "File exists")]) as server:
        with pytest.raises(RpcError) as caught:
            connect(server.path).call("some_method", {"ctrlr": "naa.c1"})
        error = caught.value
        assert (error.code, error.message, error.method) == (-32602, "File exists", "some_method")
        assert error.params == {"ctrlr": "naa.c1"}
        assert str(error) == "vhost answered some_method(ctrlr=naa.c1) with error -32602 'File exists'."


def test_error_of_an_empty_target_is_explained(connect: Connect, tmp_path: Path) -> None:
    params = {"ctrlr": "naa.c1", "scsi_target_num": 3}
    with (
        serve(tmp_path, lambda request: [refusal(request, -32602, "Device or resource busy")]) as server,
        pytest.raises(RpcError, match=r"Target 3 of controller 'naa\.c1' is empty"),
    ):
        connect(server.path).call("vhost_scsi_controller_remove_target", params)


@pytest.mark.parametrize(
    ("method", "code", "message", "params", "words"),
    [
        ("bdev_split_create", -32602, "Invalid parameters", {"base": "D"}, ["The call sent: base.", "but not 'base'."]),
        ("vhost_scsi_controller_add_target", -32602, "Invalid argument", {"target": 1}, ["but not 'target'."]),
        ("bdev_get_iostat", -32603, "spdk_json_decode_object failed", {"name": "D"}, ["it takes 'names', a list."]),
        ("some_method", -32602, "Invalid parameters", {}, ["do not fit this version", "The call sent: none."]),
    ],
)
def test_error_of_parameters_says_what_was_sent_and_what_is_known(
    method: str, code: int, message: str, params: dict[str, object], words: list[str]
) -> None:
    text = str(RpcError(method, params, code, message))
    assert all(each in text for each in words), text


def test_known_parameters_keep_the_hint_for_their_values() -> None:
    params = {"ctrlr": "c", "scsi_target_num": 9, "bdev_name": "D"}
    text = str(RpcError("vhost_scsi_controller_add_target", params, -32602, "Invalid argument"))
    assert "outside 0 to 7 (9?)" in text
    assert "The call sent" not in text


def test_connection_survives_an_error_answer_and_is_used_again(connect: Connect, tmp_path: Path) -> None:
    def behaviour(request: Request) -> Steps:
        yield refusal(request, -1, "no") if request["method"] == "bad" else answer(request, 1)

    with serve(tmp_path, behaviour) as server:
        client = connect(server.path)
        for method in ("good", "bad", "good"):
            if method == "bad":
                with pytest.raises(RpcError):
                    client.call(method)
            else:
                assert client.call(method) == 1
        assert server.connections == 1


def test_connection_closed_between_calls_is_replaced(connect: Connect, tmp_path: Path) -> None:
    with serve(tmp_path, echo) as server:
        client = connect(server.path)
        client.call("m")
        server.hang_up()
        assert client.call("m", {"x": 2}) == {"x": 2}
        assert server.connections == 2
        assert len(server.requests) == 2


def test_request_is_not_repeated_when_the_peer_closes_after_it(connect: Connect, tmp_path: Path) -> None:
    with serve(tmp_path, lambda _: [None]) as server:
        with pytest.raises(ConnectionLostError, match="closed before vhost answered m"):
            connect(server.path).call("m")
        assert len(server.requests) == 1


def test_deadline_is_wall_clock_time_although_no_cpu_time_passes(connect: Connect, tmp_path: Path) -> None:
    with serve(tmp_path, lambda _: [5.0]) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineError) as caught:
            connect(server.path, deadline=0.3).call("slow_method")
        assert 0.3 <= time.monotonic() - began < 3
        assert "slow_method" in str(caught.value)
        assert str(server.path) in str(caught.value)
        assert "0.3 s" in str(caught.value)


def test_trickled_bytes_do_not_extend_the_deadline(connect: Connect, tmp_path: Path) -> None:
    def trickle(request: Request) -> Steps:
        for byte in answer(request, "x" * 200):
            yield bytes([byte])
            yield 0.05

    with serve(tmp_path, trickle) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineError, match="received: "):
            connect(server.path, deadline=0.4).call("m")
        assert time.monotonic() - began < 3


def test_endless_answer_does_not_extend_the_deadline(connect: Connect, tmp_path: Path) -> None:
    def endless(_: Request) -> Steps:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            yield b'{"x": ' + b"1" * 500

    with serve(tmp_path, endless) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineError):
            connect(server.path, deadline=0.2).call("m")
        assert time.monotonic() - began < 3


def test_answer_that_nobody_asked_for_does_not_meet_the_next_call(connect: Connect, tmp_path: Path) -> None:
    def talkative(request: Request) -> Steps:
        yield answer(request, "asked")
        yield answer({"id": request["id"] + 1}, "not asked")

    with serve(tmp_path, talkative) as server:
        client = connect(server.path)
        for _ in range(3):
            assert client.call("m") == "asked"
            time.sleep(0.1)


def test_late_answer_does_not_meet_the_next_call(connect: Connect, tmp_path: Path) -> None:
    def late_first(request: Request) -> Steps:
        if request["method"] == "late":
            yield 0.3
        yield answer(request, request["method"])

    with serve(tmp_path, late_first) as server:
        client = connect(server.path, deadline=0.1)
        with pytest.raises(DeadlineError):
            client.call("late")
        time.sleep(0.3)
        assert client.call("next", deadline=5) == "next"


def test_delete_of_a_controller_in_use_is_explained_at_the_deadline(connect: Connect, tmp_path: Path) -> None:
    with serve(tmp_path, lambda _: [1.0]) as server, pytest.raises(DeadlineError, match="shut the VM down first"):
        connect(server.path, deadline=0.1).call("vhost_delete_controller", {"ctrlr": "naa.c1"})


def test_wrong_id_is_no_answer(connect: Connect, tmp_path: Path) -> None:
    with (
        serve(tmp_path, lambda request: [answer({"id": request["id"] + 7}, True)]) as server,
        pytest.raises(RpcProtocolError, match="id 8, but the request had id 1"),
    ):
        connect(server.path).call("m")


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n", b"\xff\xfe\x00", b'{"hello": 1}', b"[1]"])
def test_garbage_is_named_at_once(connect: Connect, tmp_path: Path, garbage: bytes) -> None:
    with serve(tmp_path, lambda _: [garbage, 5.0]) as server:
        began = time.monotonic()
        with pytest.raises(RpcProtocolError, match="is not valid"):
            connect(server.path, deadline=5).call("m")
        assert time.monotonic() - began < 3


def test_utf8_split_across_reads(connect: Connect, tmp_path: Path) -> None:
    def split(request: Request) -> Steps:
        text = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": "äöü€😀"}, ensure_ascii=False).encode()
        for byte in text:
            yield bytes([byte])
            yield 0.001

    with serve(tmp_path, split) as server:
        assert connect(server.path).call("m") == "äöü€😀"


def test_huge_answer(connect: Connect, tmp_path: Path) -> None:
    huge = [{"name": f"disk{n}", "text": "}" * 50} for n in range(30_000)]
    with serve(tmp_path, lambda request: [answer(request, huge)]) as server:
        assert connect(server.path, deadline=20).call("m") == huge


def test_answer_with_a_line_end_leaves_the_connection_usable(connect: Connect, tmp_path: Path) -> None:
    with serve(tmp_path, lambda request: [answer(request, 1) + b"\n"]) as server:
        client = connect(server.path)
        assert [client.call("m") for _ in range(5)] == [1] * 5


def test_nobody_listens(connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(ConnectionLostError, match=r"Cannot connect to RPC socket .*none\.sock': No such file"):
        connect(tmp_path / "none.sock").call("m")


def test_full_backlog_ends_at_the_deadline(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "rpc.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(0)
        waiting = []
        for _ in range(2):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            client.setblocking(False)
            client.connect_ex(str(path))
            waiting.append(client)
        began = time.monotonic()
        with pytest.raises(DeadlineError, match="hangs"):
            connect(path, deadline=0.3).call("m")
        assert time.monotonic() - began < 3
        for client in waiting:
            client.close()


def test_calls_from_several_threads_do_not_wait_for_each_other(connect: Connect, tmp_path: Path) -> None:
    def behaviour(request: Request) -> Steps:
        if request["method"] == "slow":
            released.wait(20)
        yield answer(request, request["params"]["n"])

    released = threading.Event()
    results: dict[int, object] = {}
    with serve(tmp_path, behaviour) as server:
        client = connect(server.path, deadline=20)

        def run(number: int) -> None:
            for _ in range(20):
                results[number] = client.call("fast", {"n": number})

        slow = threading.Thread(target=lambda: results.__setitem__(-1, client.call("slow", {"n": -1})))
        slow.start()
        threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {n: n for n in range(4)}  # the slow call is not answered before all others were
        released.set()
        slow.join()
    assert results == {n: n for n in range(-1, 4)}


def test_death_of_vhost_ends_a_call(connect: Connect, tmp_path: Path, monitor: RunMonitor) -> None:
    dead: list[Finding] = []
    monitor.watch("vhost", lambda: dead[0] if dead else None)

    def dying(_: Request) -> Steps:
        dead.append(death_of_vhost())
        yield 5.0

    with serve(tmp_path, dying) as server:
        began = time.monotonic()
        with raises_fault(Check.VHOST_ALIVE, FailureClass.CRASH, "vhost died"):
            connect(server.path, deadline=5, monitor=monitor).call("m")
        assert time.monotonic() - began < 3


def test_connections_leave_no_log_handlers_behind(
    connect: Connect, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(tmp_path, echo) as server:
        client = connect(server.path)
        for _ in range(3):
            client.call("m")
            client.close()
        assert logging.getLogger(f"JSONRPCClient({server.path})").handlers == []
    assert capsys.readouterr().err == ""


def test_every_call_is_traced(connect: Connect, tmp_path: Path) -> None:
    def behaviour(request: Request) -> Steps:
        if request["method"] == "bad":
            yield refusal(request, -19, "No such device")
        elif request["method"] == "slow":
            yield 1.0
        else:
            yield answer(request, [1])

    trace = RpcTrace(tmp_path / "rpc.jsonl")
    with contextlib.closing(trace), serve(tmp_path, behaviour) as server:
        client = connect(server.path, 0.5, trace)
        before = time.monotonic()
        client.call("good", {"x": 1})
        with pytest.raises(RpcError):
            client.call("bad")
        with pytest.raises(DeadlineError):
            client.call("slow")
    good, bad, slow = read_trace(trace.path)
    assert (good["method"], good["params"], good["result"]) == ("good", {"x": 1}, [1])
    assert bad["error"] == {"code": -19, "message": "No such device"}
    assert "did not answer" in str(slow["failure"])
    assert isinstance(slow["seconds"], float) and slow["seconds"] >= 0.5
    assert isinstance(good["monotonic"], float) and before <= good["monotonic"] <= time.monotonic()
    assert isinstance(good["wall"], float) and abs(good["wall"] - time.time()) < 5


def test_trace_is_bounded_and_keeps_its_newest_call(tmp_path: Path) -> None:
    trace = RpcTrace(tmp_path / "rpc.jsonl", max_bytes=20_000)
    for number in range(600):
        trace.record(time.monotonic(), f"method{number}", {}, "result", True)
    trace.record(time.monotonic(), "large", {}, "result", "x" * 1_000_000)
    trace.close()
    assert trace.path.stat().st_size < 22_000
    methods = [str(entry["method"]) for entry in read_trace(trace.path)]
    assert methods[0] == "method0"
    assert methods[-1] == "large"


def test_round_trip_is_short(connect: Connect, tmp_path: Path) -> None:
    """The fastest of many: a wait in the client's own way (a poll interval, a delayed acknowledgement) slows all."""
    with serve(tmp_path, echo) as server:
        client = connect(server.path)
        times = []
        for _ in range(200):
            began = time.perf_counter()
            client.call("m")
            times.append(time.perf_counter() - began)
    assert min(times) < 0.005


def test_served_and_dead_sockets_are_told_apart(tmp_path: Path) -> None:
    with serve(tmp_path, echo) as server:
        assert socket_is_served(server.path)
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(dead))
    assert not socket_is_served(dead)
    assert not socket_is_served(tmp_path / "none.sock")
