"""Holds the import direction of docs/architecture.md."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYWORDS = ROOT / "keywords"
LIBRARIES = ("VhostLibrary", "QemuLibrary", "FioLibrary", "ReportLibrary", "PreflightLibrary")

# A plain module of hotplug_kit.PART may import these parts of hotplug besides its own.
HOTPLUG_PARTS = {
    "domain": (),
    "process": ("domain", "monitor"),
    "monitor": ("domain",),
    "guest": ("domain", "process", "monitor"),
    "vhost": ("domain", "process", "monitor"),
    "vm": ("domain", "process", "monitor", "guest"),
    "fio": ("domain", "process", "monitor", "guest"),
    "ledger": ("domain", "process", "monitor", "guest"),
    "testbed": ("domain",),
    "report": ("domain", "process", "monitor"),
    "preflight": ("domain", "process", "testbed", "vhost", "vm"),  # it looks at all that a run needs
}
SHARED = ("domain", "process", "monitor")

LIBRARY_PARTS = {
    "VhostLibrary": (*SHARED, "vhost"),
    "QemuLibrary": (*SHARED, "guest", "vm"),
    "ReportLibrary": (*SHARED, "report"),
    "PreflightLibrary": (*SHARED, "preflight", "testbed"),
    "FioLibrary": (*SHARED, "guest", "fio", "ledger"),
}
ROBOT = ("robot", "robotlibcore", "SSHLibrary")


def sources(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


@cache
def imports(path: Path, root: Path) -> set[str]:
    """The full names of all modules, or names in modules, that a file imports, wherever in the file."""
    package = path.relative_to(root).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return found


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def offences(folder: Path, root: Path, *forbidden: str) -> list[str]:
    """The imports below `folder` that fall into one of the packages `forbidden`."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(folder)
        for name in sorted(imports(path, root))
        if within(name, *forbidden)
    ]


def test_every_part_of_hotplug_has_its_rule() -> None:
    parts = {path.name for path in (KEYWORDS / "hotplug_kit").iterdir() if path.is_dir() and any(sources(path))}
    assert parts == set(HOTPLUG_PARTS)


def test_every_folder_with_sources_is_looked_at() -> None:
    folders = {path.name for path in KEYWORDS.iterdir() if path.is_dir() and any(sources(path))}
    assert folders == {"hotplug_kit", "kit_library", *LIBRARIES}


@pytest.mark.parametrize("part", HOTPLUG_PARTS)
def test_plain_modules_import_downwards_only(part: str) -> None:
    others = [f"hotplug_kit.{other}" for other in HOTPLUG_PARTS if other not in (part, *HOTPLUG_PARTS[part])]
    assert offences(KEYWORDS / "hotplug_kit" / part, KEYWORDS, *others) == []


def test_project_files_stand_below_the_parts_and_the_command_above_them() -> None:
    others = [f"hotplug_kit.{part}" for part in HOTPLUG_PARTS if part != "domain"]
    found = imports(KEYWORDS / "hotplug_kit" / "project_files.py", KEYWORDS)
    assert [name for name in found if within(name, *others, "hotplug_kit.command")] == []
    assert offences(KEYWORDS, KEYWORDS, "hotplug_kit.command") == []


def test_plain_modules_know_nothing_of_robot_nor_of_libraries() -> None:
    assert offences(KEYWORDS / "hotplug_kit", KEYWORDS, *ROBOT, *LIBRARIES, "kit_library") == []


def test_guest_image_is_built_for_the_vm_part_alone() -> None:
    for part in HOTPLUG_PARTS:
        if part != "vm":
            assert offences(KEYWORDS / "hotplug_kit" / part, KEYWORDS, "guest_image") == []
    assert (
        offences(ROOT / "guest_image", ROOT, "hotplug_kit", "kit_library", *LIBRARIES, *ROBOT, "embedded_vhost") == []
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_stand_on_their_own_part_and_not_on_each_other(library: str) -> None:
    parts = [f"hotplug_kit.{part}" for part in HOTPLUG_PARTS if part not in LIBRARY_PARTS[library]]
    others = [other for other in LIBRARIES if other != library]
    assert offences(KEYWORDS / library, KEYWORDS, *parts, *others) == []


def test_common_base_of_the_libraries_knows_none_of_them() -> None:
    parts = [f"hotplug_kit.{part}" for part in HOTPLUG_PARTS if part not in SHARED]
    assert offences(KEYWORDS / "kit_library", KEYWORDS, *LIBRARIES, *parts) == []


def test_keywords_never_import_the_embedded_vhost() -> None:
    assert offences(KEYWORDS, KEYWORDS, "embedded_vhost") == []


def test_embedded_vhost_imports_the_standard_library_and_itself() -> None:
    strangers = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(ROOT / "embedded_vhost")
        for name in sorted(imports(path, ROOT))
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "embedded_vhost"}
    ]
    assert strangers == []


def test_layers_of_the_embedded_vhost() -> None:
    """SCSI knows no virtio, virtio knows no disks, RPC knows neither."""
    below = ROOT / "embedded_vhost"
    own = "embedded_vhost."
    assert offences(below / "scsi", ROOT, own + "virtio", own + "vhost_user", own + "rpc") == []
    assert offences(below / "virtio", ROOT, own + "bdev", own + "scsi", own + "rpc") == []
    assert offences(below / "bdev", ROOT, own + "scsi", own + "virtio", own + "vhost_user", own + "rpc") == []
    assert offences(below / "rpc", ROOT, own + "scsi", own + "virtio", own + "vhost_user") == []


def test_only_findings_blame_the_device() -> None:
    """An AssertionError blames the device; a bare one has no finding, so nothing may name the class but its heir."""
    heir = KEYWORDS / "hotplug_kit" / "domain" / "finding.py"
    named = [
        f"{path.relative_to(ROOT)} line {node.lineno}"
        for path in sources(KEYWORDS)
        for node in ast.walk(ast.parse(path.read_text(), str(path)))
        if path != heir and isinstance(node, ast.Name) and node.id == "AssertionError"
    ]
    assert named == []


def test_the_check_itself_sees_offences(tmp_path: Path) -> None:
    module = tmp_path / "pack" / "part" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text("def f():\n    from robot.api import logger\n    from ..other import thing\n    import a.b\n")
    assert imports(module, tmp_path) == {"robot.api", "robot.api.logger", "pack.other", "pack.other.thing", "a.b"}
