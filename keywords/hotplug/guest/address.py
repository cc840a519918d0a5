"""Where a guest's SSH server is reached."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SshAddress:
    """Where and as whom a guest's SSH server is reached; `name` is the VM's name in messages."""

    name: str
    host: str
    port: int
    user: str = "root"
    key_file: Path | None = None
    password: str | None = None

    def __str__(self) -> str:
        return f"VM '{self.name}' (SSH {self.user}@{self.host}:{self.port})"
