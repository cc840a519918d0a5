"""The failure bundle: one archive with all that a bug report needs, and with no secret in it."""

import html
import io
import json
import re
import tarfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

NAME = "failure-bundle.tar.gz"
MOST_OF_A_FILE = 8 << 20
HIDDEN = "***"
_TEXTS = (".log", ".jsonl", ".json", ".err", ".out", ".txt", ".job", ".yaml", ".tail0", ".tail1")
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


def write_bundle(path: Path, texts: Mapping[str, str], folders: Mapping[str, Path], secrets: Iterable[str]) -> None:
    """Writes the archive to `path` in one go.

    `texts` are files by name, `folders` are folders of text files by the name that they get. Wherever one of `secrets`
    stands, also as JSON and HTML write it, or a private key, `***` stands in the archive. Of a file above
    8 MiB the beginning and the end are kept.
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
