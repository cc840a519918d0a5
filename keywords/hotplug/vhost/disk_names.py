"""Names for the disks of a run that collide with no other disk of the vhost."""

from itertools import count

from hotplug.vhost.disks import get_disks
from hotplug.vhost.target import Target

_PREFIX = "Hotplug"


def disk_name_prefix(target: Target) -> str:
    """What the names of the run's disks begin with: nothing in a vhost of its own, else what no other disk does."""
    if target.is_own:
        return ""
    names = [disk.name for disk in get_disks(target)]
    candidates = (f"{_PREFIX}{number if number > 1 else ''}-" for number in count(1))
    return next(each for each in candidates if not any(name.startswith(each) for name in names))
