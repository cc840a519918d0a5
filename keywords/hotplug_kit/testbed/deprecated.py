"""Keys of earlier versions: they still work, and a warning says what to write instead."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hotplug_kit.domain.errors import SetupError

RENAMED = {"target": "vhost"}
"""The new names of top-level keys."""


@dataclass
class Layer:
    """The top-level keys of one file or of the Robot variables, their origin, and a warning for each old key."""

    values: dict[str, object]
    origin: dict[str, str]
    warnings: list[str] = field(default_factory=list)

    def modernise(self) -> None:
        """Converts old keys to their new form; raises `SetupError` when an old and a new key contradict each other."""
        for old, new in RENAMED.items():
            if old in self.values:
                self._replace(old, old, {new: self.values.pop(old)}, f"its new name is '{new}'")
        if suites := _suites_inside_vms(self.values.get("vms")):
            lines = ", ".join(f"{suite}: [{', '.join(map(str, vms))}]" for suite, vms in suites.items())
            self._replace(
                "vms", "suite", {"suites": suites}, f"key 'suites' replaces it, here with {{{lines}}}", "inside 'vms' "
            )
            self.values["vms"] = [_without_suite(vm) for vm in _list(self.values["vms"])]

    def _replace(self, source: str, old: str, new: dict[str, object], advice: str, place: str = "") -> None:
        """Replaces an old key, which is or was in the top-level key `source`, by its new form."""
        ((key, value),) = new.items()
        where = capital(self.origin[source])
        if self.values.setdefault(key, value) != value:
            raise SetupError(
                f"{where}: key '{old}' {place}is deprecated and contradicts key '{key}' of {self.origin[key]}; "
                f"remove '{old}'."
            )
        self.origin.setdefault(key, self.origin[source])
        self.warnings.append(f"{where}: key '{old}' {place}is deprecated; {advice}.")


def capital(origin: str) -> str:
    """Returns an origin for the beginning of a sentence."""
    return origin[:1].upper() + origin[1:]


def _suites_inside_vms(vms: object) -> dict[str, list[object]]:
    """Returns key `suites` for VMs that name their own suite; leaves it to the schema to reject what is not a VM."""
    suites: dict[str, list[object]] = {}
    for vm in _list(vms):
        if isinstance(vm, Mapping) and "suite" in vm:
            suites.setdefault(str(vm["suite"]), []).append(vm.get("name"))
    return suites


def _without_suite(vm: object) -> object:
    return {key: value for key, value in vm.items() if key != "suite"} if isinstance(vm, Mapping) else vm


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
