"""The command line, with the option names of SPDK's applications."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embedded_vhost import DESCRIPTION
from embedded_vhost.core_mask import parse_core_mask
from embedded_vhost.faults.base import Fault, FaultError
from embedded_vhost.faults.registry import describe_faults, parse_faults
from embedded_vhost.quirks import Quirk, QuirkError, describe_quirks, parse_quirks


@dataclass(frozen=True)
class Options:
    """The options of one run.

    `ignored` are the given options of SPDK that have no effect here. `faults` are injected to test the tests. `quirks`
    are behaviours of SPDK that the embedded vhost shows only on request.
    """

    rpc_socket: Path
    socket_dir: Path
    core_mask: int
    wait_for_rpc: bool
    verbose: bool
    ignored: list[str]
    faults: Sequence[Fault]
    quirks: Sequence[Quirk]


def parse(arguments: list[str]) -> Options:
    """Parses the command line; ends the process with a usage message when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m embedded_vhost",
        description=f"{DESCRIPTION}: serves virtio-scsi disks to QEMU over vhost-user, with SPDK's JSON-RPC methods.",
        allow_abbrev=False,
    )
    parser.add_argument("-r", "--rpc-socket", type=Path, default=Path("/var/tmp/spdk.sock"), help="RPC socket")  # noqa: S108
    parser.add_argument("-S", "--vhost-dir", type=Path, default=Path(), help="directory of the controllers' sockets")
    parser.add_argument("--wait-for-rpc", action="store_true", help="serve only after framework_start_init")
    parser.add_argument(
        "-m", "--cpumask", default="0x1", help="cores that controllers may name; the program uses one thread"
    )
    parser.add_argument("-L", "--logflag", action="append", default=[], help="log more; all flags have the same effect")
    parser.add_argument("-s", "--mem-size", help="ignored; exists because SPDK has it")
    parser.add_argument("--no-huge", action="store_true", help="ignored; exists because SPDK has it")
    parser.add_argument("-u", "--no-pci", action="store_true", help="ignored; exists because SPDK has it")
    parser.add_argument("-v", "--version", action="version", version=DESCRIPTION)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[:PARAMETER]",
        help="inject a fault, to prove that a test notices it; can be repeated",
    )
    parser.add_argument(
        "--quirk", action="append", default=[], metavar="NAME", help=f"show a quirk of SPDK: {describe_quirks()}"
    )
    parser.add_argument("--list-faults", action="store_true", help="list the faults and exit")
    given = parser.parse_args(arguments)
    if given.list_faults:
        print(describe_faults())
        parser.exit()
    try:
        core_mask = parse_core_mask(given.cpumask)
    except ValueError as exc:
        parser.error(f"-m {given.cpumask}: {exc}; expected a mask such as 0x1 or a list such as [0,1]")
    try:
        faults = parse_faults(given.fault)
        quirks = parse_quirks(given.quirk)
    except (FaultError, QuirkError) as exc:
        parser.error(str(exc))
    ignored = [f"-s {given.mem_size}"] if given.mem_size else []
    ignored += ["--no-huge"] if given.no_huge else []
    ignored += ["--no-pci"] if given.no_pci else []
    return Options(
        given.rpc_socket,
        given.vhost_dir,
        core_mask,
        given.wait_for_rpc,
        bool(given.logflag),
        ignored,
        faults,
        quirks,
    )
