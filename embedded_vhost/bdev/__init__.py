"""Block devices: memory, files and parts of others. This package knows neither SCSI nor RPC."""
