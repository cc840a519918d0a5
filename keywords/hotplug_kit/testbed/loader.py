"""Reads a test bed file, lays single values over it, and says what is wrong in plain sentences."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.testbed.schema import TestBed

KEYS = tuple(TestBed.model_fields)


def load_testbed(file: Path, overlays: Sequence[Path] = (), values: Mapping[str, object] | None = None) -> TestBed:
    """The test bed of `file`, with the top-level keys of each overlay file and then `values` laid over it.

    Raises `SetupError`, which names the file, the key, the value and what is allowed, when anything does not fit.
    """
    origin: dict[str, str] = {}
    merged: dict[str, object] = {}
    for path in (file, *overlays):
        for key, value in read_testbed_file(path).items():
            merged[key] = value
            origin[key] = f"Test bed file '{path}'"
    for key, value in (values or {}).items():
        merged[key] = value
        origin[key] = f"Robot variable ${{{key.upper()}}}"
    try:
        return TestBed.model_validate(merged)
    except ValidationError as error:
        sentences = [_sentence(details, origin, file) for details in error.errors()]
        raise SetupError(" ".join(sentences[:5])) from None


def read_testbed_file(path: Path) -> dict[str, object]:
    """The keys and values of a test bed file, unchecked; raises `SetupError` when it is no YAML mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SetupError(f"Test bed file '{path}' cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise SetupError(f"Test bed file '{path}' is no UTF-8 text: {error.reason}.") from None
    except yaml.YAMLError as error:
        raise SetupError(f"Test bed file '{path}' is no valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        raise SetupError(f"Test bed file '{path}' must hold keys and values ({', '.join(KEYS)}), not one value.")
    return {str(key): value for key, value in content.items()}


def _sentence(details: ErrorDetails, origin: Mapping[str, str], file: Path) -> str:
    """One full sentence for one finding of the schema library."""
    location = details["loc"]
    key = ".".join(str(part) for part in location)
    where = origin.get(str(location[0]), f"Test bed file '{file}'") if location else f"Test bed file '{file}'"
    message = details["msg"].removeprefix("Value error, ")
    if not location:
        return f"{where}: {message}."
    if details["type"] == "extra_forbidden":
        return f"{where}: key '{key}' is unknown; allowed are {', '.join(_siblings(location))}."
    if details["type"] == "missing":
        return f"{where}: key '{key}' is missing."
    return f"{where}: key '{key}' is {details['input']!r}; {message[0].lower()}{message[1:]}."


def _siblings(location: tuple[int | str, ...]) -> Sequence[str]:
    """The keys that are allowed beside the one at `location`."""
    part: type[BaseModel] = TestBed
    for name in location[:-1]:
        if isinstance(name, str):  # a number counts the entries of a list, which are all of one kind
            part = _model_in(part.model_fields[name].annotation)
    return tuple(part.model_fields)


def _model_in(annotation: object) -> type[BaseModel]:
    """The model in the type of a field, which may be a list of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return _model_in(get_args(annotation)[0])
