"""The device side of virtio 1.2: guest memory, split virtqueues, the SCSI host device.

This package knows neither disks nor RPC.
"""
