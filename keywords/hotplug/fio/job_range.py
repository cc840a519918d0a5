"""Keeps fio's jobs off the end of a disk that is not theirs, whatever the job file says of sizes and places."""

import re
from collections.abc import Mapping
from pathlib import Path

from hotplug.common.errors import SetupError

_SIZE = re.compile(r"(\d+)\s*([kmgt]?)i?b?$")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_UNREADABLE = ("offset_increment", "filesize", "zonemode", "zonesize", "zonerange", "fill_device", "kb_base")


def options_within(path: Path, options: Mapping[str, str | None], disk: str, end: int) -> list[str]:
    """The lines to add to the job of a disk so that it works below byte `end` only; `disk` names it in messages.

    A job file may say `size` and `offset` itself, as numbers of bytes with or without k, m, g or t. Raises `SetupError`
    when that reaches beyond `end`, or when it says where to work in a way that the kit cannot follow.
    """
    if found := [name for name in _UNREADABLE if name in options]:
        raise SetupError(
            f"The fio job file '{path}' sets {found[0]}, so the kit cannot tell whether fio leaves the end of "
            f"{disk} alone, which it keeps for its data ledger; use size and offset as numbers of bytes."
        )
    offset = _bytes(path, options, "offset", 0)
    size = _bytes(path, options, "size", end - offset)
    if size <= 0 or offset + size > end:
        raise SetupError(
            f"The fio job file '{path}' works on bytes {offset} to {offset + size}, but on {disk} fio may work "
            f"below byte {end} only; the rest is kept for the data ledger. "
            "Change offset or size."
        )
    return [] if "size" in options else [f"size={size}"]


def _bytes(path: Path, options: Mapping[str, str | None], name: str, default: int) -> int:
    value = options.get(name)
    if name not in options:
        return default
    match = _SIZE.fullmatch((value or "").strip().lower())
    if match is None:
        raise SetupError(f"The fio job file '{path}' sets {name}={value}; use a number of bytes, such as 32m.")
    return int(match[1]) * _UNITS[match[2]]
