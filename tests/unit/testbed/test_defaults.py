"""The defaults of a test bed are the same in testbed.yaml, in the schema and in the table of the documentation."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from hotplug_kit.testbed.loader import load_testbed
from hotplug_kit.testbed.schema import TestBed as Bed

ROOT = Path(__file__).parents[3]
DEFAULT = ROOT / "resources" / "testbed.yaml"
TABLE = ROOT / "docs" / "configuration.md"
OWN_TO_THE_PLAN = ("vms", "suites")
"""The schema has no default for these; testbed.yaml has the plan's."""
DEFAULT_IN_WORDS = {"vms": "four VMs", "controllers": "those of all VMs", "suites": "the plan's", "seed": "random"}


def keys(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Every key of the schema that holds a value, with those above it."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{above}{name}.")
        else:
            yield above + name


def keys_in(content: Mapping[str, object], above: str = "") -> Iterator[str]:
    """Every key of a YAML mapping that holds a value, with those above it."""
    for name, value in content.items():
        if isinstance(value, dict) and name != "suites":
            yield from keys_in(value, f"{above}{name}.")
        else:
            yield above + name


def table() -> dict[str, str]:
    """The table's keys with its column of defaults."""
    text = TABLE.read_text()
    section = text[text.index("## Keys") : text.index("## Old keys")]
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?)\s*\| .+ \|$", section, re.MULTILINE)
    found = dict(rows)
    assert len(found) == len(rows), "The table has a key twice."
    return found


def test_each_key_is_in_the_file_and_in_the_table() -> None:
    assert set(keys_in(yaml.safe_load(DEFAULT.read_text()))) == set(keys(Bed))
    assert set(table()) == set(keys(Bed))


def test_file_holds_the_defaults_of_the_schema() -> None:
    content = yaml.safe_load(DEFAULT.read_text())
    by_schema = Bed.model_validate({key: content[key] for key in OWN_TO_THE_PLAN})
    assert load_testbed(DEFAULT).model_dump() == by_schema.model_dump()


def test_example_in_the_documentation_is_a_test_bed(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", TABLE.read_text(), re.DOTALL)
    assert example
    (tmp_path / "example.yaml").write_text(example[1])
    bed = load_testbed(DEFAULT, [tmp_path / "example.yaml"])
    assert bed.controller("3") == "naa.mail"
    assert len(bed.vms_of("lunch_break")) == 3


@pytest.mark.parametrize(("key", "default"), table().items())
def test_table_holds_the_defaults_of_the_schema(key: str, default: str) -> None:
    if key in DEFAULT_IN_WORDS:
        assert default == DEFAULT_IN_WORDS[key]
        return
    bed = load_testbed(DEFAULT)
    found: object = bed
    for part in key.split("."):
        found = getattr(found, part)
    if not default:
        assert not found
        return
    assert default.startswith("`")
    said = load_testbed(DEFAULT, values={key: yaml.safe_load(default.strip("`"))})
    assert said.model_dump() == bed.model_dump()
