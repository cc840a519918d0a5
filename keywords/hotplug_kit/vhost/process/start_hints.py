"""What the log says when SPDK did not start, and what to do about it. The one place for such lines."""

import re

# (pattern of a log line, what it means and what to do); the first that fits is taken, its groups fill {1} and {2}.
_LINES: tuple[tuple[str, str], ...] = (
    (
        r"Cannot create lock on core (\d+), probably process (\d+) has claimed it",
        "Another SPDK, process {2}, polls core {1}: set spdk_core_mask to free cores, or stop that process.",
    ),
    (
        r"Could not open (\S*spdk_cpu_lock_\d+) \(Permission denied\)",
        "The lock '{1}' belongs to another user, who can remove it if no SPDK polls the core; or set spdk_core_mask.",
    ),
    (
        r"invalid option -- 'S'",
        "This SPDK program has no vhost: use build/bin/vhost, or a build/bin/spdk_tgt that was built with vhost.",
    ),
    (
        r"[Nn]o free .*hugepages|annot get hugepage information|ould(?:n't| not) (?:find suitable|initialize) hugepage",
        "SPDK got no hugepages: reserve and mount more of them, or set spdk_hugepages to 'never'.",
    ),
    (
        r"Not enough memory|Cannot allocate memory|[Cc]annot init memory|[Ff]ailed to allocate|create .*pool failed",
        "SPDK got too little memory: set spdk_memory_mib to the free memory, or free some.",
    ),
    (
        r"(?:lcore|core) (\d+) (?:is )?(?:unavailable|not (?:available|detected|found))",
        "This machine has no core {1} for SPDK: set spdk_core_mask to cores that exist.",
    ),
    (
        r"[Ii]nvalid core ?(?:mask|list)|invalid coremask|corelist",
        "SPDK does not understand spdk_core_mask: give a mask such as 0x1, or a list such as [0,1].",
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
    """Returns a sentence for the log of a vhost that ended while it started; empty when nothing is known."""
    for pattern, hint in _LINES:
        if match := re.search(pattern, log):
            return hint.format(*match.group(*range(len(match.groups()) + 1), *[0, 0]))
    if not _WORDS_OF_SPDK.search(log):
        return "Nothing in its log looks like SPDK: is it build/bin/vhost or build/bin/spdk_tgt of an SPDK build?"
    return ""
