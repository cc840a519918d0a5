"""vhost follows the RPC contract: the calls of SPDK v26.05's recorded answers, repeated in order.

`data/rpc_exchanges.jsonl` has one exchange in each line. `{sockets}` and `{files}` stand for directories of the run,
and `null` for values that are not compared, such as the sessions of VMs, which do not exist here.
"""

import signal
from pathlib import Path

import pytest

from tests.contract.agreement import Agreement
from tests.contract.rpc_exchange import DEADLINE, Exchange, Json, call, leaves, load
from tests.contract.vhost_program import Program

EXCHANGES = load(Path(__file__).parent / "data" / "rpc_exchanges.jsonl")


@pytest.fixture(scope="module")
def answers(program: Program) -> list[tuple[Exchange, Json]]:
    """Recorded exchange and actual response, done once and in order; the last ends the program."""
    recorded = [exchange.on(program.sockets, program.files) for exchange in EXCHANGES]
    return [(exchange, call(program.rpc_socket, exchange.method, exchange.params)) for exchange in recorded]


@pytest.mark.parametrize("number", range(len(EXCHANGES)), ids=lambda number: f"{number}-{EXCHANGES[number].method}")
def test_answer(answers: list[tuple[Exchange, Json]], agreement: Agreement, number: int) -> None:
    exchange, actual = answers[number]
    complaints = [
        agreement.complaint(f"{exchange.method}: {where}", spdk, seen)
        for where, spdk, seen in leaves(exchange.response, actual)
    ]
    assert [each for each in complaints if each] == [], str(exchange)


def test_the_program_exits_cleanly(answers: list[tuple[Exchange, Json]], program: Program) -> None:
    assert program.process.wait(DEADLINE) in (0, -signal.SIGTERM)
    if program.process.returncode == 0:
        assert not program.rpc_socket.exists()
        assert list(program.sockets.iterdir()) == []
