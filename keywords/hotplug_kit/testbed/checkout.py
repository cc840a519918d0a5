"""Checks that the suites and the kit's Python modules come from one checkout."""

from pathlib import Path

import hotplug_kit
from hotplug_kit.domain.errors import SetupError

_KIT = Path(hotplug_kit.__file__).resolve().parent


def check_checkout(folder: Path, kit: Path = _KIT) -> None:
    """Raises `SetupError` when `folder` is in a checkout of the kit, but the package `kit` is from another one.

    A copied checkout has no environment of its own: its suites would silently run with the original's keywords. A
    project without a folder `keywords` uses the installed kit.
    """
    for root in (folder.resolve(), *folder.resolve().parents):
        own = root / "keywords" / "hotplug_kit"
        if not own.is_dir():
            continue
        if own.resolve() != kit:
            raise SetupError(
                f"The suites are in the checkout '{root}', but Robot would run them with the keywords in "
                f"'{kit.parent}'. Create a Python environment for '{root}': remove its .venv if it is a copy, run "
                "'make run' there, and 'source .venv/bin/activate' before robot."
            )
        return
