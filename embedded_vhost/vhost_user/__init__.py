"""vhost-user protocol, back end side: messages, sessions, the listening socket."""
