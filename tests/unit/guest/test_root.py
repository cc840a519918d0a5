"""Commands as root: over sudo where another user logs in, with a plain refusal where that may not."""

from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.guest.root import RootGuest, as_root
from hotplug_kit.guest.ssh import SshAddress, SshConnection
from tests.unit.guest.ssh_server import Handler, SshServer, finish, write_key


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    server = SshServer(write_key(tmp_path / "key"))
    yield server
    server.close()


def says(text: bytes, code: int) -> Handler:
    def handle(channel: paramiko.Channel) -> None:
        if code == 0:
            channel.sendall(text)
        else:
            channel.sendall_stderr(text)
        finish(channel, code)

    return handle


def connect(server: SshServer, key: Path, user: str) -> SshConnection:
    return SshConnection.open(SshAddress("vm1", "127.0.0.1", server.port, user, key), 5)


def test_a_user_runs_commands_through_sudo(server: SshServer, tmp_path: Path) -> None:
    server.commands["sudo -n sh -c true"] = says(b"", 0)
    server.commands["sudo -n sh -c 'cat /etc/x'"] = says(b"from root\n", 0)
    guest = RootGuest(connect(server, tmp_path / "key", "qa"))
    assert guest.run("cat /etc/x").stdout == "from root\n"
    assert guest.start("cat /etc/x").wait(5).stdout == "from root\n"
    guest.close()
    assert not guest.alive


def test_root_needs_no_sudo(server: SshServer, tmp_path: Path) -> None:
    server.commands["cat /etc/x"] = says(b"plain\n", 0)
    guest = RootGuest(connect(server, tmp_path / "key", "root"))
    assert guest.run("cat /etc/x").stdout == "plain\n"
    guest.close()


def test_a_user_who_may_not_become_root_is_a_fault_of_the_set_up(server: SshServer, tmp_path: Path) -> None:
    server.commands["sudo -n sh -c true"] = says(b"sudo: a password is required\n", 1)
    connection = connect(server, tmp_path / "key", "qa")
    with pytest.raises(SetupError, match=r"User 'qa' of VM 'vm1' cannot become root.*a password is required"):
        RootGuest(connection)
    connection.close()


def test_quotes_survive() -> None:
    assert as_root("qa", "echo 'a b'") == "sudo -n sh -c 'echo '\"'\"'a b'\"'\"''"
