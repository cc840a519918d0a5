"""Data-in and data-out as lists of views: storing and loading bytes, cutting to a length."""

from collections.abc import Sequence

Views = Sequence[memoryview]


def total(views: Views) -> int:
    """Returns how many bytes all views have together."""
    return sum(map(len, views))


def store(views: Views, data: bytes) -> int:
    """Copies as much of the data as there is room for, and returns how many bytes that was."""
    done = 0
    for view in views:
        part = data[done : done + len(view)]
        if not part:
            break
        view[: len(part)] = part
        done += len(part)
    return done


def load(views: Views, limit: int) -> bytes:
    """Returns the first bytes of the views, at most `limit`."""
    parts = []
    for view in views:
        if limit <= 0:
            break
        parts.append(bytes(view[:limit]))
        limit -= len(view)
    return b"".join(parts)


def cut(views: Views, length: int) -> list[memoryview]:
    """Returns views of exactly the first `length` bytes; raises `ValueError` when there are fewer."""
    result = []
    for view in views:
        if length <= len(view):
            result.append(view[:length])
            return result
        result.append(view)
        length -= len(view)
    raise ValueError(f"the views are {length} bytes short")
