"""SPDK's nvmf_tgt next to its vhost: memory disks over NVMe/TCP on the loopback interface."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.process.child_process import ChildProcess
from hotplug_kit.process.run_directory import RunDirectory
from hotplug_kit.vhost.rpc.client import RpcClient, socket_is_served

MIB = 1 << 20
_CALL_SECONDS = 20.0
_PORTS = range(44200, 44300)


class NvmfTarget:
    """A running nvmf_tgt with its `rpc`; each subsystem that it offers listens on 127.0.0.1, port `port`."""

    def __init__(self, rpc: RpcClient, port: int) -> None:
        self.rpc = rpc
        self.port = port

    def offer(self, nqn: str, sizes_mib: Sequence[int]) -> None:
        """Offers a subsystem with a namespace for each size."""
        self.rpc.call("nvmf_create_subsystem", {"nqn": nqn, "allow_any_host": True})
        for size in sizes_mib:
            disk = self.rpc.call("bdev_malloc_create", {"num_blocks": size * MIB // 512, "block_size": 512})
            self.rpc.call("nvmf_subsystem_add_ns", {"nqn": nqn, "namespace": {"bdev_name": disk}})
        where = {"trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1", "trsvcid": str(self.port)}
        self.rpc.call("nvmf_subsystem_add_listener", {"nqn": nqn, "listen_address": where})


@contextmanager
def running_nvmf_target(program: Path, files: RunDirectory) -> Iterator[NvmfTarget]:
    """Starts nvmf_tgt on the core of vhost, because both poll, and waits until it answers."""
    path = files.sockets / "nvmf.sock"
    options = ["-m", "0x1", "--disable-cpumask-locks", "--no-huge", "-s", "1024", "--no-pci"]
    process = ChildProcess("nvmf_tgt", [program, "-r", path, *options], files.file("nvmf.log"))
    rpc = RpcClient(path, _CALL_SECONDS)
    try:
        wait_until(lambda: socket_is_served(path) or not process.alive, _CALL_SECONDS, f"nvmf_tgt to serve '{path}'")
        assert process.alive, process.output_tail()
        rpc.call("framework_wait_init")
        rpc.call("nvmf_create_transport", {"trtype": "TCP"})
        yield NvmfTarget(rpc, _PORTS[os.getpid() % len(_PORTS)])
    finally:
        rpc.close()
        process.stop()
