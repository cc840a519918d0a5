"""Which parts of the embedded vhost may import which."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "embedded_vhost"
BASE = {"log", "loop", "unix_socket", "core_mask", "VERSION", "DESCRIPTION"}
ALLOWED = {
    "bdev": {"bdev"},
    "scsi": {"scsi", "bdev"},
    "virtio": {"virtio"},
    "vhost_user": {"vhost_user", "virtio"},
    "rpc": {"rpc", "bdev", "controllers"},
}


def imported(path: Path) -> set[str]:
    """Returns the first name below embedded_vhost of every import from it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "embedded_vhost":
                found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_what_is_below_it(layer: str) -> None:
    files = list((PACKAGE / layer).glob("*.py"))
    assert files
    for path in files:
        assert imported(path) <= ALLOWED[layer] | BASE, path


def test_only_the_program_itself_knows_of_faults() -> None:
    healthy = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "faults"]
    assert {path.name for path in healthy if "faults" in imported(path)} == {"app.py", "options.py", "quirks.py"}


def test_no_module_is_too_large() -> None:
    sizes = {str(path): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path: size for path, size in sizes.items() if size > 500} == {}
