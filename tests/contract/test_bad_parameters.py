"""Each method that the kit calls, with parameters that are missing, unknown, of the wrong type or out of range."""

from pathlib import Path

import pytest

from tests.contract.agreement import Agreement, VhostKind
from tests.contract.rpc_exchange import Exchange, Json, call, leaves, load
from tests.contract.vhost_program import running_program

CALLS = load(Path(__file__).parent / "data" / "bad_calls.jsonl")


@pytest.fixture(scope="module")
def answers(vhost_kind: VhostKind, spdk_vhost: str) -> list[tuple[Exchange, Json]]:
    """SPDK's recorded answer and the actual one to each call, done once and in order on one vhost."""
    with running_program(vhost_kind, spdk_vhost) as program:
        recorded = [exchange.on(program.sockets, program.files) for exchange in CALLS]
        return [(exchange, call(program.rpc_socket, exchange.method, exchange.params)) for exchange in recorded]


@pytest.mark.parametrize("number", range(len(CALLS)), ids=lambda number: f"{number}-{CALLS[number].method}")
def test_answer(answers: list[tuple[Exchange, Json]], agreement: Agreement, number: int) -> None:
    exchange, actual = answers[number]
    complaints = [
        agreement.complaint(f"{exchange.method}, {exchange.note}: {where}", spdk, seen)
        for where, spdk, seen in leaves(exchange.response, actual)
    ]
    assert [each for each in complaints if each] == [], str(exchange)
