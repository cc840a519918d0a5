"""The classes of failure that the catalogue covers, as the trackers of SPDK, QEMU and Linux tell of them."""

CLASSES: dict[int, str] = {
    1: "vhost crashes at an attach, a detach or a reboot",
    2: "vhost fails an assertion",
    3: "vhost goes on after a finding that stands in its log alone",
    4: "an attach or detach is never answered",
    5: "an attach or detach is refused, or answered untruly",
    6: "one call keeps all disks and the RPC waiting",
    7: "vhost fails, or crashes, only when it is stopped",
    8: "vhost leaks what the next start or the next hour needs",
    9: "an attach's event is lost: the answer says done and the guest never sees the disk",
    10: "an event is doubled, late or about another disk, or that of a detach is lost",
    11: "the guest keeps a disk that was detached",
    12: "the guest panics, hangs, or resets by itself",
    13: "the guest loses the process behind its disks",
    14: "the guest has the wrong set of disks: misplaced, missing, extra, doubled, of another identity",
    15: "data is corrupted under a running fio",
    16: "data is lost or swapped across a detach, an attach or a reboot",
    17: "a disk that nobody touched fails or stalls",
    18: "I/O of the detached disk succeeds, hangs, or fails for another reason",
    19: "fio gives no result, or one that proves nothing",
    20: "the host or the connection to the guest fails, which is no fault of vhost",
}
