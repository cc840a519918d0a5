"""vhost-user-scsi controllers: their sockets, the VMs that connect to them, and the disks attached to them."""
