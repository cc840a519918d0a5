"""What the log of an SPDK that did not start tells, and what to do about it. The one place for such lines."""

import re

# (pattern of a log line, what it means and what to do); the first that fits is taken, its groups fill {1} and {2}.
_LINES: tuple[tuple[str, str], ...] = (
    (
        r"Cannot create lock on core (\d+), probably process (\d+) has claimed it",
        "Core {1} is polled by another SPDK, process {2}: set spdk_core_mask to cores that are free, or stop that one.",
    ),
    (
        r"Could not open (\S*spdk_cpu_lock_\d+) \(Permission denied\)",
        "The lock '{1}' is another user's: let that user remove it if no SPDK polls the core, or set spdk_core_mask.",
    ),
    (
        r"invalid option -- 'S'",
        "This SPDK program serves no vhost: give build/bin/vhost, or a build/bin/spdk_tgt that was built with vhost.",
    ),
    (
        r"[Nn]o free .*hugepages|annot get hugepage information|ould(?:n't| not) (?:find suitable|initialize) hugepage",
        "SPDK got no hugepages: reserve and mount more of them, or set spdk_hugepages to 'never'.",
    ),
    (
        r"Not enough memory|Cannot allocate memory|[Cc]annot init memory|[Ff]ailed to allocate|create .*pool failed",
        "SPDK got too little memory: set spdk_memory_mib to what is free, or free some.",
    ),
    (
        r"(?:lcore|core) (\d+) (?:is )?(?:unavailable|not (?:available|detected|found))",
        "This machine has no core {1} for SPDK: set spdk_core_mask to cores that it has.",
    ),
    (
        r"[Ii]nvalid core ?(?:mask|list)|invalid coremask|corelist",
        "spdk_core_mask is no mask of cores that SPDK understands: give one such as 0x1, or a list such as [0,1].",
    ),
    (
        r"error while loading shared libraries: (\S+?):",
        "The library {1} is missing: install it, or name its folder in LD_LIBRARY_PATH.",
    ),
    (
        r"(?:unrecognized option|invalid option --|option requires an argument --) '([^']+)'",
        "Something is wrong with option '{1}': look at spdk_arguments, and use an SPDK of v24.01 or newer.",
    ),
)
_WORDS_OF_SPDK = re.compile(
    r"\b(?:SPDK|EAL|DPDK|spdk_\w+|reactor)\b|embedded_vhost|\*ERROR\*|\[\d{4}-\d\d-\d\d [\d:.]+\]"
)


def hint_for_start(log: str) -> str:
    """A sentence for the log of a target that ended while it started, or an empty text when nothing is known."""
    for pattern, hint in _LINES:
        if match := re.search(pattern, log):
            return hint.format(*match.group(*range(len(match.groups()) + 1), *[0, 0]))
    if not _WORDS_OF_SPDK.search(log):
        return "Nothing in its log looks like SPDK: is it build/bin/vhost or build/bin/spdk_tgt of an SPDK build?"
    return ""
