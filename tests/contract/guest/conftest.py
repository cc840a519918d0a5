"""One vhost and one VM for all tests of the guest part; each test starts with empty controllers."""

from collections.abc import Iterator

import pytest

from hotplug_kit.vm.guest_disks import GuestDisk
from tests.contract.agreement import Agreement, Part, VhostKind
from tests.contract.guest.bed import SPLIT, GuestBed, guest_bed


@pytest.fixture(scope="session")
def running_bed(vhost_kind: VhostKind, spdk_vhost: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuestBed]:
    """The bed of the whole run."""
    with guest_bed(vhost_kind, spdk_vhost, tmp_path_factory.mktemp("guest"), print) as bed:
        yield bed


@pytest.fixture
def bed(running_bed: GuestBed) -> Iterator[GuestBed]:
    """The bed, with nothing attached before and after the test."""
    yield running_bed
    running_bed.tidy()


@pytest.fixture
def disk(bed: GuestBed) -> GuestDisk:
    """The first split disk at the first controller's target 0."""
    return bed.attach(SPLIT[0], number=0)


@pytest.fixture(scope="session")
def agreement(agreements: dict[Part, Agreement]) -> Agreement:
    """What the guest part compares with."""
    return agreements["guest"]
