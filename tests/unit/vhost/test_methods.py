"""Methods that a vhost lacks are named with the version that has them."""

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.vhost.rpc.methods import METHODS, NEEDED_ALWAYS, check_methods
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.vhost.fake_rpc_server import FakeVhost

CURRENT = [*METHODS, "nvmf_create_transport"]
NONE_OF_VHOST = [name for name in CURRENT if not name.startswith("vhost_")]
BEFORE_THE_RENAMING = [method.formerly for method in METHODS.values()]


def test_a_current_spdk_lacks_nothing() -> None:
    check_methods(CURRENT, "SPDK v26.05")
    check_methods(CURRENT, "SPDK v26.05", list(METHODS))


@pytest.mark.parametrize(
    ("available", "needed", "words"),
    [
        (
            NONE_OF_VHOST,
            NEEDED_ALWAYS,
            "has no vhost: it has none of vhost_create_scsi_controller, .*built with vhost",
        ),
        (
            BEFORE_THE_RENAMING,
            ["bdev_get_bdevs"],
            r"'bdev_get_bdevs', which SPDK has since v19.10 \(earlier name: get_bdevs\); use SPDK v24",
        ),
        (
            [name for name in CURRENT if name != "bdev_split_create"],
            ["bdev_split_create"],
            "lacks method 'bdev_split_create', which SPDK has since v19.10.*--rpcs-allowed",
        ),
        ([], ["bdev_wait_for_examine"], "'bdev_wait_for_examine', which SPDK has since v21.01; use"),
    ],
)
def test_a_missing_method_is_named(available: list[str], needed: list[str], words: str) -> None:
    with pytest.raises(SetupError, match=words):
        check_methods(available, "SPDK v1", needed)


def test_a_method_that_only_some_runs_need_is_missed_when_it_is_called(vhost: Vhost, fake: FakeVhost) -> None:
    vhost.learn_methods()
    with pytest.raises(SetupError, match=r"This vhost \(Fake v1\) lacks method 'bdev_split_create'"):
        vhost.require("bdev_split_create", {"base_bdev": "D0", "split_count": 2})
