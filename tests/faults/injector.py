"""A listener of robot that does to the running test bed what an entry of the catalogue asks for."""

import threading
import time
from pathlib import Path
from typing import Any

from robot.libraries.BuiltIn import BuiltIn

from tests.faults.catalogue import find
from tests.faults.entry import Bed, FromOutside

EFFECT_FILE = "effect.txt"
"""In robot's output folder: the host's time, in seconds since 1970, at which the fault took effect."""


class Injector:
    """`--listener tests.faults.injector.Injector:NAME` injects the fault of the entry called NAME, once."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, name: str) -> None:
        injected = find(name).injected
        assert isinstance(injected, FromOutside)
        self._injected = injected
        self._done = False

    def end_library_keyword(self, data: object, implementation: object, result: Any) -> None:
        """Robot calls this after each keyword of a library."""
        if self._done or not result.passed or result.full_name != self._injected.after:
            return
        self._done = True
        output = Path(str(BuiltIn().get_variable_value("${OUTPUT_DIR}")))
        vhost, fleet = _library("VhostLibrary"), _library("QemuLibrary").fleet
        vms = [fleet.member(name).machine for name in fleet.started()]
        bed = Bed(vhost.vhost.process.pid, vms, str(vhost.run_directory.root))

        def inject() -> None:
            (output / EFFECT_FILE).write_text(str(time.time()))
            self._injected.act(bed)

        timer = threading.Timer(self._injected.delay, inject)
        timer.daemon = True
        timer.start()


def _library(name: str) -> Any:
    return BuiltIn().get_library_instance(name)
