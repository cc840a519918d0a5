"""Typed access to answers of the RPC, whose shapes differ between versions of SPDK."""

from collections.abc import Mapping, Sequence

from hotplug.common.errors import KitError


def answer_list(answer: object, method: str) -> Sequence[Mapping[str, object]]:
    """`answer` as a list of objects; a single object counts as a list of one."""
    entries = [answer] if isinstance(answer, Mapping) else answer
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise KitError(f"The answer to {method} has an unknown shape, a list of objects was expected: {answer!r:.300}.")
    return entries


def mapping(value: object, name: str) -> Mapping[str, object]:
    """`value` as an object; nothing counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise KitError(f"'{name}' in an RPC answer has an unknown shape, an object was expected: {value!r:.300}.")
    return value


def text(entry: Mapping[str, object], name: str) -> str:
    """The text `name` of an object."""
    value = entry.get(name)
    if not isinstance(value, str):
        raise KitError(f"'{name}' is missing in an RPC answer, or is no text: {dict(entry)!r:.300}.")
    return value


def integer(entry: Mapping[str, object], name: str) -> int:
    """The whole number `name` of an object."""
    value = entry.get(name)
    if not isinstance(value, int):
        raise KitError(f"'{name}' is missing in an RPC answer, or is no whole number: {dict(entry)!r:.300}.")
    return value
