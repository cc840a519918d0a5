"""What the log of an SPDK that did not start means."""

import pytest

from hotplug_kit.vhost.process.launch import hint_for_start

STAMP = "[2026-01-01 10:00:00.000000] app.c: 855:claim_cpu_cores: *ERROR*: "


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            STAMP + "Cannot create lock on core 2, probably process 77 has claimed it.",
            "Another SPDK, process 77, polls core 2: set spdk_core_mask",
        ),
        (
            STAMP + "Could not open /var/tmp/spdk_cpu_lock_000 (Permission denied).",
            "'/var/tmp/spdk_cpu_lock_000' belongs to another",
        ),
        ("/opt/nvmf_tgt: invalid option -- 'S'", "has no vhost: use build/bin/vhost"),
        ("EAL: No free 2048 kB hugepages reported on node 0", "set spdk_hugepages to 'never'"),
        ("EAL: Cannot init memory", "set spdk_memory_mib"),
        ("EAL: lcore 5 unavailable", "has no core 5"),
        (
            "/x/vhost: error while loading shared libraries: libaio.so.1: cannot open shared object file",
            "The library libaio.so.1 is missing",
        ),
        (STAMP + "create PDU immediate data pool failed", "set spdk_memory_mib"),
        ("/x/vhost: unrecognized option '--fast'", "wrong with option '--fast': look at spdk_arguments"),
        ("ls: cannot access '/x': No such file or directory", "Nothing in its log looks like SPDK"),
        ("", "Nothing in its log looks like SPDK"),
    ],
)
def test_known_lines(line: str, words: str) -> None:
    assert words in hint_for_start(line)


def test_an_unknown_line_of_spdk_is_left_to_the_reader() -> None:
    assert hint_for_start(STAMP + "something new") == ""
