"""Fetches and unpacks distribution packages with mmdebstrap, from the package sources of this machine."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from guest_image.errors import GuestImageError

LOG_TAIL = 4000


@dataclass(frozen=True)
class Distribution:
    """The distribution of this machine, whose packages the guest is made of: `debian`, `bookworm`, `amd64`."""

    name: str
    suite: str
    architecture: str


def this_distribution() -> Distribution:
    """Reads os-release(5) and dpkg's architecture; raises `GuestImageError` on a system without apt."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    suite = release.get("VERSION_CODENAME", "")
    if not suite or shutil.which("dpkg") is None or shutil.which("apt-get") is None:
        raise GuestImageError(
            "The guest image needs Debian packages, but this is not Debian or Ubuntu (apt-get, dpkg or the suite's "
            "name in /etc/os-release is missing). Configure a guest image of your own."
        )
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return Distribution(release["ID"], suite, architecture)


def source_files(index_targets: str, distribution: Distribution) -> list[str]:
    """Returns the sources files of the distribution's own archive, from lines `ORIGIN|SOURCESENTRY` of apt-get.

    Leaves out the sources of third parties. Raises `GuestImageError` when there are no others.
    """
    files: list[str] = []
    for line in index_targets.splitlines():
        origin, _, entry = line.partition("|")
        file = entry.rpartition(":")[0]
        if origin.lower() == distribution.name and file and file not in files:
            files.append(file)
    if not files:
        raise GuestImageError(
            f"apt has no package lists of {distribution.name} {distribution.suite} on this machine: "
            "run 'apt-get update' as root, then try again."
        )
    return files


def fetch(
    packages: Sequence[str], distribution: Distribution, folder: Path, log: Callable[[str], None]
) -> tuple[Path, dict[str, str]]:
    """Downloads packages with all that they depend on, and unpacks them without running their scripts.

    Needs no root: nothing is installed, so mmdebstrap's chrootless mode is enough. Writes only to `folder`, which must
    exist. Returns the tar file of the unpacked files and the version of each package. Raises `GuestImageError` with the
    reason.
    """
    if shutil.which("mmdebstrap") is None:
        raise GuestImageError("mmdebstrap is missing: install the Debian package mmdebstrap.")
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(SOURCESENTRY)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    sources = source_files(targets, distribution)
    options = folder / "apt.conf"
    options.write_text(
        subprocess.run(
            ["apt-config", "dump", "--no-empty", "--format", '%F "%v";%n', "Acquire"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    tar_file, deb_names = folder / "packages.tar", folder / "debs"
    command = mmdebstrap_command(packages, distribution, sources, options, tar_file, deb_names)
    log(f"downloading {distribution.name} {distribution.suite} packages: {' '.join(packages)}")
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"},
    )
    if result.returncode != 0:
        raise GuestImageError(failure_sentence(result.stderr))
    return tar_file, package_versions(deb_names.read_text())


def mmdebstrap_command(
    packages: Sequence[str],
    distribution: Distribution,
    sources: Sequence[str],
    apt_options: Path,
    tar_file: Path,
    deb_names: Path,
) -> list[str]:
    """Returns the command that unpacks the packages into `tar_file` and lists the .deb files in `deb_names`."""
    return [
        "mmdebstrap",
        "--variant=extract",
        "--mode=chrootless",
        "--format=tar",
        f"--include={','.join(packages)}",
        f"--aptopt={apt_options}",
        f'--extract-hook=ls "$1/var/cache/apt/archives" > "{deb_names}"',
        distribution.suite,
        str(tar_file),
        *sources,
    ]


def package_versions(deb_names: str) -> dict[str, str]:
    """Returns the version of each package, from lines with file names of apt's cache: `name_version_arch.deb`."""
    versions = {}
    for line in sorted(deb_names.splitlines()):
        if line.endswith(".deb"):
            name, version, _ = line.rsplit("/", 1)[-1].split("_")
            versions[name] = unquote(version)
    return versions


def failure_sentence(output: str) -> str:
    """Returns a sentence that says why mmdebstrap failed, from what it printed."""
    reasons = (
        ("No space left on device", "the disk is full; free about 1 GB in the cache directory"),
        ("Unable to locate package", "a package is not in this machine's package sources"),
        ("Temporary failure resolving", "the package mirror's name cannot be resolved; check the network"),
        ("Could not connect", "the package mirror does not answer; check the network and apt's proxy"),
        ("Failed to fetch", "a package cannot be downloaded; run 'apt-get update' as root and try again"),
    )
    lines = [line.strip() for line in output.splitlines()]
    for mark, reason in reasons:
        for line in lines:
            if mark in line:
                return f"mmdebstrap could not fetch the guest's packages: {reason} (it printed: {line})."
    last = next((line for line in reversed(lines) if line.startswith("E: ")), lines[-1] if lines else "nothing")
    return f"mmdebstrap could not fetch the guest's packages; it printed: {last[:LOG_TAIL]}"
