"""The first cause."""

import pytest

from hotplug.common.vital_signs import VitalSigns


def test_all_well_without_checks_and_with_healthy_ones() -> None:
    signs = VitalSigns()
    signs.check()
    signs.watch("vhost", lambda: None)
    assert signs.first_cause() is None
    signs.check()


def test_the_check_registered_first_is_named_first() -> None:
    signs = VitalSigns()
    signs.watch("vhost", lambda: "vhost died.")
    signs.watch("vm1", lambda: "QEMU died.")
    assert signs.first_cause() == "vhost died."
    with pytest.raises(AssertionError, match=r"^vhost died\.$"):
        signs.check()


def test_forgotten_and_replaced_checks_are_not_asked() -> None:
    signs = VitalSigns()
    signs.watch("vhost", lambda: "vhost died.")
    signs.watch("vm1", lambda: "QEMU died.")
    signs.forget("vhost")
    assert signs.first_cause() == "QEMU died."
    signs.watch("vm1", lambda: None)
    assert signs.first_cause() is None
    signs.forget("never registered")
