"""JSON-RPC 2.0 over a UNIX socket, with SPDK's methods and errors."""
