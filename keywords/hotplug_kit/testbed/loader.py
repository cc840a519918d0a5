"""Reads test bed files, applies Robot variables, and reports errors in plain sentences."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.testbed.deprecated import Layer, capital
from hotplug_kit.testbed.robot_variables import KEYS, key_path, lay_over, meaning_of
from hotplug_kit.testbed.schema import TestBed, origin_of

_EXPECTED = {
    "list_type": "expected a list, such as [a, b]",
    "dict_type": "expected a mapping, such as {name: [a, b]}",
    "model_type": "expected keys and values, such as {key: value}",
}


def load_testbed(file: Path, overlays: Sequence[Path] = (), values: Mapping[str, object] | None = None) -> TestBed:
    """Returns the test bed of `file`; each overlay file replaces top-level keys, and then `values` replace keys.

    `values` are Robot variables by name. A dot leads to a key inside another (`TIMEOUTS.BOOT`). A list or a mapping may
    be given as text. Variables that are not keys of a test bed are ignored.

    Raises `SetupError`, which names the file or variable, the key, the value and what is allowed.
    """
    single, nested = _sorted_variables(values or {})
    layers = [_layer_of(path) for path in (file, *overlays)]
    layers.append(Layer(single, {key: f"Robot variable ${{{key.upper()}}}" for key in single}))
    merged: dict[str, object] = {}
    origin = {"": f"test bed file '{file}'"}
    for layer in layers:
        layer.modernise()
        merged |= layer.values
        origin |= layer.origin
    for name, path, value in nested:
        origin[".".join(lay_over(merged, path, value, name))] = f"Robot variable ${{{name}}}"
    warnings = [warning for layer in layers for warning in layer.warnings]
    try:
        return TestBed.model_validate(merged, context={"origin": origin, "warnings": warnings})
    except ValidationError as error:
        raise SetupError(" ".join(_sentence(details, origin) for details in error.errors()[:5])) from None


def read_testbed_file(path: Path) -> dict[str, object]:
    """Returns the unchecked keys and values of a test bed file; raises `SetupError` if it is not a mapping."""
    as_json = path.suffix.lower() == ".json"
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if as_json else yaml.safe_load(text)
    except OSError as error:
        raise SetupError(f"Test bed file '{path}' cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise SetupError(f"Test bed file '{path}' is not UTF-8 text: {error.reason}.") from None
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        kind = "JSON" if as_json else "YAML"
        raise SetupError(f"Test bed file '{path}' is not valid {kind}: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        raise SetupError(f"Test bed file '{path}' must hold keys and values ({', '.join(KEYS)}), not one value.")
    return {str(key): value for key, value in content.items()}


def _layer_of(path: Path) -> Layer:
    content = read_testbed_file(path)
    return Layer(content, dict.fromkeys(content, f"test bed file '{path}'"))


def _sorted_variables(
    variables: Mapping[str, object],
) -> tuple[dict[str, object], list[tuple[str, list[str], object]]]:
    """Returns the variables for top-level keys, by key, and those for keys inside one: name, path and value."""
    single: dict[str, object] = {}
    nested = []
    for name, value in variables.items():
        match key_path(name, value):
            case []:
                continue
            case [key]:
                single[key] = meaning_of(key, value, name)
            case path:
                nested.append((name, path, value))
    return single, nested


def _sentence(details: ErrorDetails, origin: Mapping[str, str]) -> str:
    """Returns a full sentence for one error of the schema library."""
    location = details["loc"]
    key = ".".join(str(part) for part in location)
    blamed = details.get("ctx", {}).get("key")  # if several keys do not fit together
    where = capital(origin_of(blamed or key, origin))
    message = _EXPECTED.get(details["type"], details["msg"].removeprefix("Value error, "))
    if blamed or not location:
        return f"{where}: {message}."
    if details["type"] == "extra_forbidden":
        return f"{where}: key '{key}' is unknown; allowed are {', '.join(_siblings(location))}."
    if details["type"] == "missing":
        return f"{where}: key '{key}' is missing."
    return f"{where}: key '{key}' is {details['input']!r}; {message[0].lower()}{message[1:]}."


def _siblings(location: tuple[int | str, ...]) -> Sequence[str]:
    """Returns the keys that are allowed next to the one at `location`."""
    part: type[BaseModel] = TestBed
    for name in location[:-1]:
        if isinstance(name, str):  # a number is an index of a list, whose entries are all of one kind
            part = _model_in(part.model_fields[name].annotation)
    return tuple(part.model_fields)


def _model_in(annotation: object) -> type[BaseModel]:
    """Returns the model in the type of a field, which may be a list of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return _model_in(get_args(annotation)[0])
