"""A SCSI target with its one logical unit, and the unit that answers where there is none."""

from collections.abc import Sequence

from embedded_vhost.scsi import inquiry, sense
from embedded_vhost.scsi import opcodes as op
from embedded_vhost.scsi.buffers import store
from embedded_vhost.scsi.logical_unit import LogicalUnit, Outcome


class AbsentUnit:
    """Answers for a LUN that does not exist or was removed: LOGICAL UNIT NOT SUPPORTED (SPC-4 5.11)."""

    def execute(self, cdb: bytes, data_out: Sequence[memoryview], data_in: Sequence[memoryview]) -> Outcome:
        """Answers INQUIRY with data and refuses every other command."""
        if cdb[0] == op.INQUIRY:
            return sense.GOOD, store(data_in, inquiry.absent()[: int.from_bytes(cdb[3:5], "big")]), b""
        return sense.CHECK_CONDITION, 0, sense.LOGICAL_UNIT_NOT_SUPPORTED

    def reset(self) -> None:
        """Does nothing: there is no unit to reset."""


ABSENT = AbsentUnit()


class Target:
    """One target of a controller.

    `number` is its slot at the controller, 0 to 7; `id` its number among all targets of this process; `name` its SCSI
    device name; `unit` the unit at LUN 0.
    """

    def __init__(self, number: int, target_id: int, unit: LogicalUnit) -> None:
        self.number = number
        self.id = target_id
        self.name = target_name(number)
        self.unit = unit

    def lun(self, number: int) -> LogicalUnit | AbsentUnit:
        """Returns the unit at a LUN."""
        return ABSENT if number else self.unit


def target_name(number: int) -> str:
    """Returns the SCSI device name of the target in a slot."""
    return f"Target {number}"
