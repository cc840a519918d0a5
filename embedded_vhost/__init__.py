"""Embedded vhost-user-scsi target: stands in for SPDK's vhost app where there is none."""

VERSION = "0.2.0"
DESCRIPTION = f"embedded vhost-user-scsi target {VERSION} (stand-in, not SPDK)"
