"""SCSI device server: CDBs in, status, data and sense out. Knows neither virtio nor RPC."""
