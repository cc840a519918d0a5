"""The comparison itself: it sees differences, accepts listed ones, finds stale ones; the page lists all of them."""

from pathlib import Path

import pytest

from tests.contract.agreement import Agreement, MeantDifference, load_differences, table
from tests.contract.rpc_exchange import leaves

PAGE = Path(__file__).parents[2] / "docs" / "contract.md"
MEANT = MeantDifference("rpc", "colour", "red", "blue", "because")


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"result": 1}, {"result": 2}),
        ({"result": True}, {"result": 1}),
        ({"error": {"code": -1, "message": "m"}}, {"result": 0}),
        ({"result": [{"a": 1}]}, {"result": [{"a": 1, "b": 2}]}),
        ({"result": [{"a": 1}]}, {"result": []}),
        ({"result": {"uuid": "x"}}, {"result": {"uuid": 5}}),
        ({"result": {"a": None}}, {"result": {}}),
    ],
)
def test_a_difference_is_seen(expected: object, actual: object) -> None:
    agreement = Agreement("embedded", [])
    complaints = [agreement.complaint(*leaf) for leaf in leaves(expected, actual)]
    assert any(complaints)


def test_what_varies_is_not_compared() -> None:
    same = Agreement("spdk", [])
    expected = {"result": [{"uuid": "x", "sessions": None}]}
    assert not any(same.complaint(*leaf) for leaf in leaves(expected, {"result": [{"uuid": "y", "sessions": [1]}]}))


def test_a_listed_difference_is_accepted_from_the_embedded_vhost_only() -> None:
    embedded, spdk = Agreement("embedded", [MEANT]), Agreement("spdk", [MEANT])
    embedded.check("colour", "red", "blue")
    for agreement, seen in ((embedded, "green"), (spdk, "blue")):
        with pytest.raises(AssertionError, match="colour: SPDK has 'red'"):
            agreement.check("colour", "red", seen)


def test_a_difference_that_no_longer_exists_is_stale() -> None:
    agreement = Agreement("embedded", [MEANT])
    agreement.check("colour", "red", "red")
    assert agreement.stale() == ["colour"]
    agreement.check("colour", "red", "blue")
    assert agreement.stale() == []


def test_every_entry_has_a_reason_and_a_name_of_its_own() -> None:
    entries = load_differences("rpc") + load_differences("guest")
    assert all(each.reason and each.spdk != each.embedded for each in entries)
    assert len({each.what for each in entries}) == len(entries)


@pytest.mark.parametrize("part", ["rpc", "guest"])
def test_the_page_shows_all_entries(part: str) -> None:
    expected = table(load_differences("guest" if part == "guest" else "rpc"))
    assert expected in PAGE.read_text(), f"put this into {PAGE.name}:\n{expected}"


@pytest.mark.usefixtures("whole_part")
def test_no_listed_difference_is_stale(agreement: Agreement) -> None:
    assert agreement.stale() == [], "no test met these differences: remove them from meant_differences.toml"
