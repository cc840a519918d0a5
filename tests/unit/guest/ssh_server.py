"""An SSH server in this process, whose commands are Python functions."""

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

Handler = Callable[[paramiko.Channel], None]


def write_key(path: Path) -> Path:
    """Makes an ed25519 key file."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    path.write_bytes(pem)
    return path


class _Rules(paramiko.ServerInterface):
    def __init__(self, server: "SshServer") -> None:
        self.server = server

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.common.AUTH_SUCCESSFUL if key == self.server.key else paramiko.common.AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.common.AUTH_SUCCESSFUL if password == "right" else paramiko.common.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey,password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if command == b"never-answered":
            self.server.stuck.wait(20)
        if self.server.refusals:
            self.server.refusals -= 1
            channel.close()
            return False
        handler = self.server.commands[command.decode()]
        threading.Timer(0.02, _perform, args=(handler, channel)).start()  # after the answer to the request itself
        return True


def _perform(handler: Handler, channel: paramiko.Channel) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # the client may have gone
        handler(channel)


class SshServer:
    """Listens on a loopback port; `commands` maps a command to what it does with its channel."""

    def __init__(self, key_file: Path) -> None:
        self.key = paramiko.PKey.from_path(key_file)
        self.commands: dict[str, Handler] = {}
        self.refusals = 0
        """So many channels are closed before their command is taken."""
        self.stuck = threading.Event()
        self.transports: list[paramiko.Transport] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._host_key = paramiko.ECDSAKey.generate()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(sock)
            transport.add_server_key(self._host_key)
            self.transports.append(transport)
            try:
                transport.start_server(server=_Rules(self), event=threading.Event())
            except paramiko.SSHException:
                continue

    def close(self) -> None:
        """Ends all connections."""
        self.stuck.set()
        self._listener.close()
        for transport in self.transports:
            transport.close()


def finish(channel: paramiko.Channel, code: int) -> None:
    """Sends the exit status and closes the channel."""
    channel.send_exit_status(code)
    channel.close()
