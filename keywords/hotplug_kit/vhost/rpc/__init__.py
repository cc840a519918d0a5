"""SPDK's JSON-RPC: client, typed answers, methods by version, hints for known errors, trace."""
