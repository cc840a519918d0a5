"""Which revision of the kit made a run."""

import subprocess
from pathlib import Path

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
