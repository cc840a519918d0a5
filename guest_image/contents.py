"""Reads contents.toml: the packages, programs and kernel modules of the guest."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from guest_image.errors import GuestImageError
from guest_image.packages import Distribution

CONTENTS_FILE = Path(__file__).with_name("contents.toml")


@dataclass(frozen=True)
class Contents:
    """The guest's packages (the kernel's first), programs and data files by path, and modules by boot stage."""

    packages: tuple[str, ...]
    programs: tuple[str, ...]
    data_files: tuple[str, ...]
    modules: dict[str, tuple[str, ...]]


def read_contents(distribution: Distribution, file: Path = CONTENTS_FILE) -> Contents:
    """Returns the contents for a distribution; raises `GuestImageError` when its kernel package is not known."""
    with file.open("rb") as stream:
        table = tomllib.load(stream)
    kernel = table["packages"]["kernel"].get(distribution.name)
    if kernel is None:
        known = ", ".join(table["packages"]["kernel"])
        raise GuestImageError(
            f"No kernel package is known for {distribution.name} (known: {known}): "
            f"name one under [packages] kernel in {file} or configure a guest image of your own."
        )
    return Contents(
        packages=(kernel.format(arch=distribution.architecture), *table["packages"]["include"]),
        programs=tuple(table["programs"]["copy"]),
        data_files=tuple(table["programs"]["data"]),
        modules={stage: tuple(names) for stage, names in table["modules"].items()},
    )
