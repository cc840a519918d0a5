"""The failure bundle: one archive with everything that a bug report needs, and without secrets."""

import html
import io
import json
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from hotplug_kit.domain.errors import KitError
from hotplug_kit.monitor.chronicle import Kind, Moment
from hotplug_kit.process.child_process import ChildProcess

NAME = "failure-bundle.tar.gz"
MOST_OF_A_FILE = 8 << 20
HIDDEN = "***"
_TEXTS = (".log", ".jsonl", ".json", ".err", ".out", ".txt", ".job", ".yaml", ".tail0", ".tail1")
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


def write_bundle(path: Path, texts: Mapping[str, str], folders: Mapping[str, Path], secrets: Iterable[str]) -> None:
    """Writes the archive to `path` in one go.

    `texts` are files by name, `folders` are folders of text files by the name that they get. `***` replaces each of
    `secrets`, also as JSON and HTML write it, and each private key. Of a file above 8 MiB, the beginning and the end
    are kept.
    """
    hide = _hider(secrets)
    part = path.with_name(path.name + ".part")
    try:
        with tarfile.open(part, "w:gz", compresslevel=5) as archive:
            for name, text in texts.items():
                _add(archive, name, hide(text.encode()))
            for folder_name, folder in folders.items():
                for file in sorted(folder.iterdir()):
                    if file.is_file() and not file.is_symlink() and file.suffix in _TEXTS:
                        _add(archive, f"{folder_name}/{file.name}", hide(_shortened(file.read_bytes())))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _hider(secrets: Iterable[str]) -> "_Hider":
    words: set[bytes] = set()
    for secret in secrets:
        if secret:
            forms = (secret, json.dumps(secret)[1:-1], html.escape(secret), html.escape(secret, quote=False))
            words |= {form.encode() for form in (*forms, repr(secret)[1:-1])}
    return _Hider(sorted(words, key=len, reverse=True))


class _Hider:
    def __init__(self, words: list[bytes]) -> None:
        self._words = words

    def __call__(self, data: bytes) -> bytes:
        data = _PRIVATE_KEY.sub(HIDDEN.encode(), data)
        for word in self._words:
            data = data.replace(word, HIDDEN.encode())
        return data


def _shortened(data: bytes) -> bytes:
    if len(data) <= MOST_OF_A_FILE:
        return data
    half = MOST_OF_A_FILE // 2
    return data[:half] + f"\n[... {len(data) - MOST_OF_A_FILE} bytes left out ...]\n".encode() + data[-half:]


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(f"failure-bundle/{name}")
    entry.size, entry.mtime = len(data), int(time.time())
    archive.addfile(entry, io.BytesIO(data))


ROOT = Path(__file__).resolve().parents[3]
_SECONDS = 5.0


def kit_revision(version: str, root: Path = ROOT) -> str:
    """The kit's version with its git revision, and whether files differ from it; `root` is the kit's folder."""
    revision = _git(root, "rev-parse", "--short=12", "HEAD")
    if revision is None or _git(root, "rev-parse", "--show-toplevel") != str(root):
        return f"{version}, not from a git checkout"
    changed = _git(root, "status", "--porcelain")
    state = {"": "", None: " (changes unknown)"}.get(changed, " with changes that are not committed")
    return f"{version}, git revision {revision}{state}"


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints, or None when it cannot tell."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


SECONDS = 15.0
_LOG_BYTES = 1 << 20
_GDB = ("-nx", "-batch", "-ex", "set pagination off", "-ex", "set debuginfod enabled off", "-ex", "thread apply all bt")


def processes(moments: Sequence[Moment]) -> dict[str, int]:
    """The process of each lane that was started and has not ended."""
    running: dict[str, int] = {}
    for moment in moments:
        if moment.kind is Kind.START and "pid" in moment.figures:
            running[moment.lane] = int(moment.figures["pid"])
        elif moment.kind is Kind.END:
            running.pop(moment.lane, None)
    return {lane: pid for lane, pid in running.items() if psutil.pid_exists(pid)}


def write_stacks(lane: str, pid: int, path: Path, seconds: float = SECONDS) -> bool:
    """Writes the stacks of all threads of a process to `path`; False where there is no debugger.

    This stops the process for a moment, at most for `seconds`.
    """
    gdb = shutil.which("gdb")
    if gdb is None:
        return False
    try:
        debugger = ChildProcess(f"gdb for {lane}", [gdb, *_GDB, "-p", str(pid)], path, max_bytes=_LOG_BYTES)
    except KitError as error:
        path.write_text(f"{error}\n")
        return True
    debugger.wait(seconds)
    debugger.stop(())
    return True
