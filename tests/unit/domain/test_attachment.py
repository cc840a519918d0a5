"""Attachments and events as sentences name them."""

from hotplug_kit.domain.attachment import Attachment, Event


def test_event_knows_what_was_attached_and_where() -> None:
    event = Event("detach", "naa.1", 3, "D0", 1.0, 1.5, 4096)
    assert event.attachment == Attachment("naa.1", 3, "D0", 4096)
    assert event.attachment.place == ("naa.1", 3)
    assert str(event.attachment) == "disk 'D0' at controller 'naa.1' target 3"
    assert str(event) == "detach of disk 'D0' from controller 'naa.1' target 3"
    assert "attach of disk 'D0' to controller" in str(Event("attach", "naa.1", 3, "D0", 1.0, 1.5))
