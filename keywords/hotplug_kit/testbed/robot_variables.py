"""Robot variables that change a test bed: which key a name means, and what its text means there."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.testbed.deprecated import RENAMED
from hotplug_kit.testbed.schema import TestBed

KEYS = tuple(TestBed.model_fields)
"""The top-level keys of a test bed."""

_ALIKE = 0.85
_RATHER_ALIKE = 0.75  # enough if the value fits the key, too
_FILE_VARIABLE = "testbed_file"


def key_path(name: str, value: object) -> list[str]:
    """Returns the key that a Robot variable means, part by part: `TIMEOUTS.BOOT` is `["timeouts", "BOOT"]`.

    Returns an empty list for a variable of the user's own. Raises `SetupError` for a name that is almost a key.
    """
    first, *rest = name.split(".")
    if key := _same_name(first, (*KEYS, *RENAMED)):
        return [key, *rest]
    if _same_name(name, [_FILE_VARIABLE]):
        return []
    if _same_name(name, ["testbed"]):
        raise SetupError(f"Robot variable ${{{name}}} is the test bed itself; name its file with -v TESTBED_FILE:FILE.")
    certain = _alike(first, (*KEYS, *RENAMED) if rest else [_FILE_VARIABLE])
    likely = [] if rest else [key for key in _alike(name, (*KEYS, *RENAMED), _RATHER_ALIKE) if _could_be(key, value)]
    for key in (*certain, *likely):
        meant = ".".join([RENAMED.get(key, key), *rest]).upper()
        raise SetupError(
            f"Robot variable ${{{name}}} is not a key of the test bed; did you mean {meant}? If it is a variable of "
            "your own, give it a name that differs more."
        )
    return []


def lay_over(bed: dict[str, object], path: list[str], value: object, variable: str) -> list[str]:
    """Sets one key inside others in `bed`, in place; reads a text for a list or a mapping as YAML.

    `path` comes from `key_path`. Returns the path as the test bed spells it. Raises `SetupError` for an unknown key;
    the message names the Robot `variable`.
    """
    place: dict[str, object] | list[object] = bed
    kind: object = TestBed
    spelled: list[str] = []
    for number, part in enumerate(path):
        key = _key_in(place, kind, part, spelled, variable)
        kind = _kind_at(kind, key)
        spelled.append(str(key))
        if number == len(path) - 1:
            _set(place, key, _meaning(value, kind, variable))
        else:
            place = _copy_inside(place, key, spelled, variable)
    return spelled


def meaning_of(key: str, value: object, variable: str) -> object:
    """Returns what the value of a Robot variable means as a top-level key of the test bed."""
    return _meaning(value, _kind_at(TestBed, key), variable)


def _key_in(place: object, kind: object, part: str, above: list[str], variable: str) -> str | int:
    """Returns the key or the list index that `part` of a name means."""
    inside = ".".join(above)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        allowed = tuple(kind.model_fields)
        if key := _same_name(part, (*allowed, *RENAMED) if not above else allowed):
            return key
        near = _alike(part, allowed)
        meant = f"did you mean {'.'.join([*above, near[0]]).upper()}? " if near else ""
        raise SetupError(
            f"Robot variable ${{{variable}}}: key '{inside}' has no key '{part.lower()}'; {meant}"
            f"{'Allowed' if meant else 'allowed'} are {', '.join(allowed)}."
        )
    if get_origin(kind) is dict:
        names = [str(name) for name in place] if isinstance(place, Mapping) else []
        return _same_name(part, names) or part
    if get_origin(kind) is list:
        length = len(place) if isinstance(place, list) else 0
        if part.isdecimal() and int(part) < length:
            return int(part)
        raise SetupError(
            f"Robot variable ${{{variable}}}: key '{inside}' is a list of {length} entries, counted from 0; "
            f"'{part}' is not one of them."
        )
    raise SetupError(f"Robot variable ${{{variable}}}: key '{inside}' holds a single value and has no key '{part}'.")


def _kind_at(kind: object, key: str | int) -> object:
    """Returns the type of `key` in something of type `kind`, without annotations and None."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(RENAMED.get(str(key), str(key)))
        return _bare(field.annotation) if field else object
    return _bare(get_args(kind)[-1])


def _bare(kind: object) -> object:
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType):
            kind = next(part for part in get_args(kind) if part is not type(None))
        else:
            return kind


def _meaning(value: object, kind: object, variable: str) -> object:
    structured = get_origin(kind) in (list, dict) or (isinstance(kind, type) and issubclass(kind, BaseModel))
    if not (structured and isinstance(value, str)):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise SetupError(
            f"Robot variable ${{{variable}}} is {value!r}, which is not valid YAML: {_problem(error)}. "
            "Write a list as [a, b] and a mapping as {a: 1, b: 2}."
        ) from None


def _problem(error: yaml.YAMLError) -> str:
    """Returns what is wrong, without the position in a text of one line."""
    return str(getattr(error, "problem", None) or " ".join(str(error).split()))


def _set(place: dict[str, object] | list[object], key: str | int, value: object) -> None:
    if isinstance(place, list):
        place[int(key)] = value
    else:
        place[str(key)] = value


def _copy_inside(
    place: dict[str, object] | list[object], key: str | int, spelled: list[str], variable: str
) -> dict[str, object] | list[object]:
    """Replaces the value at `key` by a copy and returns it, so that the value of a file does not change."""
    found = place[int(key)] if isinstance(place, list) else place.get(str(key), {})
    copied: dict[str, object] | list[object]
    if isinstance(found, Mapping):
        copied = dict(found)
    elif isinstance(found, list):
        copied = list(found)
    else:
        raise SetupError(
            f"Robot variable ${{{variable}}}: key '{'.'.join(spelled)}' is {found!r}, which holds no other keys."
        )
    _set(place, key, copied)
    return copied


def _could_be(key: str, value: object) -> bool:
    """Returns whether the schema accepts a value for a top-level key; not, for example, a word for a number."""
    try:
        TestBed.model_validate({RENAMED.get(key, key): meaning_of(key, value, key)})
    except SetupError:
        return False
    except ValidationError as error:
        return all(details["loc"][0] != RENAMED.get(key, key) for details in error.errors())
    return True


def _normal(name: str) -> str:
    """Returns a name as Robot Framework compares the names of variables."""
    return re.sub(r"[\s_]", "", name).lower()


def _same_name(name: str, keys: Iterable[str]) -> str | None:
    return next((key for key in keys if _normal(key) == _normal(name)), None)


def _alike(name: str, keys: Iterable[str], cutoff: float = _ALIKE) -> list[str]:
    spelled = {_normal(key): key for key in keys}
    return [spelled[match] for match in get_close_matches(_normal(name), spelled, n=3, cutoff=cutoff)]
