"""SCSI device server: takes CDBs, returns status, data and sense. This package knows neither virtio nor RPC."""
