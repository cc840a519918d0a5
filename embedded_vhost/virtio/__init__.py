"""Virtio 1.2 device side: guest memory, split virtqueues, the SCSI host device. Knows no disks and no RPC."""
