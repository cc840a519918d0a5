"""Splits a byte stream into JSON values that follow one another without a separator."""

import codecs
import json
import re
from collections.abc import Iterator

MAX_REQUEST = 1 << 20
_WHITESPACE = " \t\r\n"
_CUT_NUMBER = re.compile(r"\.|[eE][+-]?")
_LITERALS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")


class InvalidJson(Exception):
    """The stream is not JSON, or a value is larger than `MAX_REQUEST` characters."""


class JsonStream:
    """Collects bytes until a value is complete."""

    def __init__(self) -> None:
        self._text = ""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._decoder = json.JSONDecoder()

    def feed(self, data: bytes) -> Iterator[object]:
        """Yields the values that are complete with this data.

        Raises `InvalidJson`, after the values before it, when no further data could make the rest valid.
        """
        try:
            self._text += self._utf8.decode(data)
        except UnicodeDecodeError as exc:
            raise InvalidJson(str(exc)) from exc
        while text := self._text.lstrip(_WHITESPACE):
            if text[0] not in "{[":
                raise InvalidJson("a request starts with { or [")
            try:
                value, end = self._decoder.raw_decode(text)
            except json.JSONDecodeError as exc:
                if not _may_go_on(text, exc):
                    raise InvalidJson(str(exc)) from exc
                if len(text) > MAX_REQUEST:
                    raise InvalidJson(f"a request of more than {MAX_REQUEST} characters") from exc
                self._text = text
                return
            except (RecursionError, ValueError) as exc:
                raise InvalidJson(f"{exc}") from exc
            self._text = text[end:]
            yield value
        self._text = ""


def _may_go_on(text: str, exc: json.JSONDecodeError) -> bool:
    """Returns whether the only error is that the text ends too early."""
    rest = text[exc.pos :].rstrip(_WHITESPACE)
    if not rest or exc.msg.startswith("Unterminated string"):
        return True
    if "escape" in exc.msg:
        return len(rest) <= 6
    if _CUT_NUMBER.fullmatch(rest):
        return text[exc.pos - 1].isdigit()
    return rest == "-" or any(word.startswith(rest) for word in _LITERALS)
