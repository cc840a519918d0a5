"""The vhost process and its JSON-RPC."""
