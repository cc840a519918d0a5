"""Data-in and data-out as lists of views: put bytes in, take bytes out, cut to a length."""

from collections.abc import Sequence

Views = Sequence[memoryview]


def total(views: Views) -> int:
    """Bytes in all views."""
    return sum(map(len, views))


def store(views: Views, data: bytes) -> int:
    """Copy as much of data as there is room for; returns the bytes copied."""
    done = 0
    for view in views:
        part = data[done : done + len(view)]
        if not part:
            break
        view[: len(part)] = part
        done += len(part)
    return done


def load(views: Views, limit: int) -> bytes:
    """The first bytes of the views, at most limit."""
    parts = []
    for view in views:
        if limit <= 0:
            break
        parts.append(bytes(view[:limit]))
        limit -= len(view)
    return b"".join(parts)


def cut(views: Views, length: int) -> list[memoryview]:
    """The views up to exactly length bytes, which they must hold."""
    result = []
    for view in views:
        if length <= len(view):
            result.append(view[:length])
            return result
        result.append(view)
        length -= len(view)
    raise ValueError(f"the views are {length} bytes short")
