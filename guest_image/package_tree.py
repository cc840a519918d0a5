"""The files of the downloaded packages, read from the tar file that mmdebstrap made."""

import lzma
import posixpath
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from guest_image.errors import GuestImageError

MERGED_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def merged(path: str) -> str:
    """Returns the path without leading slash, with /bin, /sbin and /lib* moved below /usr, where Debian has them."""
    clean = posixpath.normpath("/" + path).lstrip("/")
    return f"usr/{clean}" if clean.split("/")[0] in MERGED_FOLDERS else clean


class PackageTree:
    """Reads a tar file of unpacked packages by merged path; a context manager."""

    def __init__(self, tar_file: Path) -> None:
        self._tar = tarfile.open(tar_file)  # noqa: SIM115 (closed by __exit__)
        self._members = {merged(member.name): member for member in self._tar}

    def __enter__(self) -> "PackageTree":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()

    def __contains__(self, path: str) -> bool:
        return path in self._members

    def files_below(self, folder: str) -> Iterator[str]:
        """Yields the merged paths of all regular files below a folder."""
        for path, member in self._members.items():
            if member.isfile() and path.startswith(folder + "/"):
                yield path

    def link_target(self, path: str) -> str | None:
        """Returns the merged path that a symbolic link names; None when the path is not a link."""
        member = self._members.get(path)
        if member is None or not member.issym():
            return None
        return merged(posixpath.join(posixpath.dirname("/" + path), member.linkname))

    def resolve(self, path: str) -> str:
        """Returns the regular file that `path` leads to by links; raises `GuestImageError` when there is none."""
        seen = path
        for _ in range(16):
            target = self.link_target(seen)
            if target is None:
                break
            seen = target
        member = self._members.get(seen)
        if member is None or not (member.isfile() or member.islnk()):
            raise GuestImageError(
                f"The packages for the guest have no file /{path}; adapt guest_image/contents.toml to the distribution."
            )
        return seen

    def read(self, path: str) -> bytes:
        """Returns the content of the file that `path` leads to; raises `GuestImageError` when there is none."""
        stream = self._tar.extractfile(self._members[self.resolve(path)])
        if stream is None:
            raise GuestImageError(f"/{path} in the packages for the guest is not a regular file.")
        with stream:
            return stream.read()

    def read_unpacked(self, path: str) -> bytes:
        """Returns the content like read(), but unpacks a compressed kernel module (.xz, .zst)."""
        data = self.read(path)
        if path.endswith(".xz"):
            return lzma.decompress(data)
        if path.endswith(".zst"):
            try:
                return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
            except FileNotFoundError:
                raise GuestImageError(
                    "This distribution compresses kernel modules with zstd: install the package zstd."
                ) from None
        return data
