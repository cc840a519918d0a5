"""The embedded vhost: a small vhost-user-scsi program with SPDK's RPC, for machines without SPDK.

It is not SPDK: a pass on it says nothing about SPDK.
"""

VERSION = "0.2.0"
DESCRIPTION = f"embedded vhost {VERSION} (not SPDK)"
