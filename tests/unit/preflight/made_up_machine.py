"""A machine for the checks that has what a test says, and that of a test bed."""

from dataclasses import dataclass, field
from pathlib import Path

from hotplug_kit.preflight.machine import Machine
from hotplug_kit.testbed.loader import load_testbed
from hotplug_kit.testbed.schema import TestBed as Bed

DEFAULT = Path(__file__).parents[3] / "resources" / "testbed.yaml"


def bed(**values: object) -> Bed:
    """The default test bed with some keys changed."""
    return load_testbed(DEFAULT, values=values)


@dataclass(frozen=True)
class MadeUpMachine(Machine):
    """`programs` maps a name to its path, `answers` a path to what it prints; the rest are amounts in MiB."""

    programs: dict[str, Path] = field(default_factory=dict)
    answers: dict[Path, str] = field(default_factory=dict)
    available: int = 8192
    free: int = 8192
    lockable: int | None = None

    def program(self, name: str) -> Path | None:
        return self.programs.get(name)

    def ask(self, *command: str | Path, seconds: float = 2.0) -> str | None:
        return self.answers.get(Path(command[0]))

    def available_mib(self) -> int:
        return self.available

    def lockable_mib(self) -> int | None:
        return self.lockable

    def free_mib(self, folder: Path) -> int:
        return self.free


def made_up_kernel(folder: Path, pages: int = 0, mounted: bool = True) -> MadeUpMachine:
    """A machine with free hugepages of 2 MiB, which are mounted at `folder`/huge or not."""
    proc, sysfs = folder / "proc", folder / "sys"
    pool = sysfs / "kernel/mm/hugepages/hugepages-2048kB"
    for made in (proc, pool, folder / "huge"):
        made.mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 1 kB\nHugepagesize: 2048 kB\n")
    (proc / "mounts").write_text(f"nodev {folder}/huge hugetlbfs rw,pagesize=2M 0 0\n" if mounted else "")
    (pool / "free_hugepages").write_text(f"{pages}\n")
    return MadeUpMachine(Path(), proc=proc, sysfs=sysfs)
