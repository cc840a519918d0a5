"""Block devices: memory, files and parts of others. Knows neither SCSI nor RPC."""
