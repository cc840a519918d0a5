"""Runs are compared when they worked on the same, whatever each run has of its own."""

from ReportLibrary.past_runs import comparable_set_up

FACTS = {
    "Vhost": "SPDK v26.05, hugepages, started as '/opt/vhost -r /tmp/hotplug-1/rpc.sock'",
    "Disks": "16 of 64 MiB, source: split",
    "QEMU": "7.2.22, accelerator TCG (the CPU offers neither vmx nor svm)",
    "Seed": "12345",
}


def test_sockets_seeds_and_reasons_make_no_difference() -> None:
    other = {
        **FACTS,
        "Vhost": "SPDK v26.05, hugepages, started as '/opt/vhost -r /tmp/hotplug-2/rpc.sock'",
        "Seed": "6",
    }
    other["QEMU"] = "7.2.22, accelerator TCG (asked for)"
    assert comparable_set_up(other) == comparable_set_up(FACTS)
    assert "SPDK v26.05, hugepages" in comparable_set_up(FACTS)


def test_another_vhost_or_other_disks_make_one() -> None:
    for name, value in {"Vhost": "SPDK v24.01", "Disks": "16 of 32 MiB, source: split", "fio job": "nightly"}.items():
        assert comparable_set_up({**FACTS, name: value}) != comparable_set_up(FACTS)
