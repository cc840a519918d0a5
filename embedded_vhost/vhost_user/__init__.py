"""The back end side of the vhost-user protocol: messages, sessions, vrings."""
