"""What a suite may ask of its test bed, and the sentences for what it may not."""

from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError, SuiteError
from hotplug_kit.testbed.loader import load_testbed
from hotplug_kit.testbed.suite import SuiteBed, check_size
from PreflightLibrary import PreflightLibrary

DEFAULT = Path(__file__).parents[3] / "resources" / "testbed.yaml"
HOTDETACH = ["naa.ctrlr5", "naa.ctrlr6", "naa.ctrlr7", "naa.ctrlr8"]
WHAT_IT_HAS = "it has Ctrlr 5 (naa.ctrlr5), Ctrlr 6 (naa.ctrlr6), Ctrlr 7 (naa.ctrlr7) and Ctrlr 8 (naa.ctrlr8)"


def suite(name: str = "hotdetach", **keys: object) -> SuiteBed:
    return SuiteBed(load_testbed(DEFAULT, values=keys), name)


def test_controllers_go_by_number_word_and_name() -> None:
    for which in (5, "5", "Ctrlr 5", "ctrlr-5", "naa.ctrlr5"):
        assert suite().controller(which) == "naa.ctrlr5"


@pytest.mark.parametrize("which", [1, "Ctrlr 1", "naa.ctrlr1", "Ctrl 5", "Controller 5", 9, 0, -5, "x", ""])
def test_controller_that_the_suite_does_not_have(which: object) -> None:
    with pytest.raises(SuiteError) as raised:
        suite().controller(which)
    assert str(raised.value).startswith(f"Suite 'hotdetach' has no controller '{which}'; {WHAT_IT_HAS}.")
    assert f"give the controller to a VM of the suite in key 'vms' of test bed file '{DEFAULT}'" in str(raised.value)


def test_disks_per_controller() -> None:
    nothing = dict.fromkeys(HOTDETACH, 0)
    assert suite().disks_per_controller({}) == nothing
    asked = {"Ctrlr 5": "2", "naa.ctrlr8": 8}
    assert suite().disks_per_controller(asked) == {**nothing, "naa.ctrlr5": 2, "naa.ctrlr8": 8}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"Ctrl 5": "1"}, f"has no controller 'Ctrl 5'; {WHAT_IT_HAS}"),
        ({"Ctrlr 1": "2"}, f"has no controller 'Ctrlr 1'; {WHAT_IT_HAS}"),
        ({"Ctrlr 5": "two"}, "Controller 'Ctrlr 5' is to have 'two' disks; give a number from 0 to 8"),
        ({"Ctrlr 5": "9"}, "is to have '9' disks; give a number from 0 to 8"),
        ({"Ctrlr 5": "-1"}, "is to have '-1' disks"),
        ({"Ctrlr 5": 1.5}, "is to have 1.5 disks"),
        ({"Ctrlr 5": "1", "naa.ctrlr5": "2"}, "Controller 'naa.ctrlr5' is named twice"),
        ({"Ctrlr 5": 8, "Ctrlr 6": 8, "Ctrlr 7": 1}, "are to have 17 disks, but key 'disks' of test bed file"),
    ],
)
def test_what_cannot_be_brought_about_is_refused(asked: dict[str, object], words: str) -> None:
    with pytest.raises(SuiteError) as raised:
        suite().disks_per_controller(asked)
    assert words in str(raised.value)


def test_step_without_a_suite_is_told_what_to_put_into_the_settings() -> None:
    with pytest.raises(SuiteError, match=r"No VMs run for this suite\. Put 'Suite Setup    Run VMs Of Suite    NAME'"):
        PreflightLibrary().run_keyword("get_controller_of_suite", [None, 5])


def test_needs_of_the_plan_fit_the_default_test_bed() -> None:
    library = PreflightLibrary()
    library.run_keyword("test_bed_should_have", [suite().testbed], {"controllers": 8, "disks": 16})
    library.run_keyword("vms_of_suite_should_have", [suite(), "Ctrlr 5 and Ctrlr 6", "ctrlr-7, ctrlr-8"])


@pytest.mark.parametrize(
    ("vms", "words"),
    [
        (
            [["5", "6"]],
            "needs 1 VMs in this order: one with naa.ctrlr5 and naa.ctrlr6; but key 'suites' of test bed file",
        ),
        ([["5", "6"], ["7"]], "gives it 'vm3' with naa.ctrlr5 and naa.ctrlr6; 'vm4' with naa.ctrlr7 and naa.ctrlr8."),
        ([["7", "8"], ["5", "6"]], "Change key 'suites.hotdetach', or the controllers of these VMs in key 'vms'."),
    ],
)
def test_vms_that_do_not_fit_are_named_with_the_key_to_change(vms: list[list[str]], words: str) -> None:
    with pytest.raises(SetupError) as raised:
        suite().check_vms(vms)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("controllers", "disks", "words"),
    [
        (9, 16, "The suite needs 9 controllers, but key 'vms' of test bed file"),
        (
            8,
            16,
            "The suite needs 16 disks, but key 'disks' of Robot variable ${DISKS} has 4; set key 'disks.count' to 16",
        ),
    ],
)
def test_test_bed_that_is_too_small(controllers: int, disks: int, words: str) -> None:
    with pytest.raises(SetupError) as raised:
        check_size(suite(DISKS="{count: 4}").testbed, controllers, disks)
    assert words in str(raised.value)
