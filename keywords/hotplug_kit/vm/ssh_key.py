"""The run's own SSH key pair: made for one run and removed with its sockets."""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


@dataclass(frozen=True)
class SshKey:
    """`file` holds the private key, readable by its owner only; `public` is the public key's base64 blob."""

    file: Path
    public: str


def make_ssh_key(folder: Path) -> SshKey:
    """Makes an ed25519 key pair in `folder`."""
    key = Ed25519PrivateKey.generate()
    file = folder / "id_ed25519"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return SshKey(file, public.split()[1])
