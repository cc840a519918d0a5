"""A program that takes QEMU's command line and speaks just enough QMP. FAKE_QEMU tells it how to behave.

Started as a process by the tests of the VM's life; nothing boots here.
"""

import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

BEHAVIOUR = os.environ.get("FAKE_QEMU", "")


def requests(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """The client's requests; nothing but the JSON itself separates them."""
    text = ""
    while data := connection.recv(65536):
        text += data.decode()
        while text.strip():
            try:
                request, end = json.JSONDecoder().raw_decode(text.strip())
            except ValueError:
                break
            text = text.strip()[end:]
            yield request


def main() -> int:
    arguments = sys.argv[1:]
    if BEHAVIOUR == "refuse":
        print("qemu: -device vhost-user-scsi-pci: cannot connect", file=sys.stderr)
        return 1
    print("console of the guest\nguest: SSH listens", flush=True)
    match = re.search(r"unix:([^,]+)", arguments[arguments.index("-qmp") + 1])
    assert match is not None
    server = socket.socket(socket.AF_UNIX)
    server.bind(match.group(1))
    server.listen()
    connection, _ = server.accept()
    lines = connection.makefile("w")

    def send(**message: object) -> None:
        lines.write(json.dumps(message) + "\n")
        lines.flush()

    def event(name: str, **data: object) -> None:
        send(event=name, data=data, timestamp={"seconds": 1, "microseconds": 0})

    send(QMP={"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []})
    for request in requests(connection):
        command, answer = request["execute"], {"id": request["id"]} if "id" in request else {}
        if command == "no-answer":
            continue
        if command == "bad-command":
            send(error={"class": "CommandNotFound", "desc": "no such command"}, **answer)
        elif command == "human-monitor-command":
            send(**{"return": " TCP[HOST_FORWARD]   8   127.0.0.1 1     10.0.2.15    22     0     0\r\n"}, **answer)
        elif command == "query-status":
            send(**{"return": {"status": "paused" if BEHAVIOUR == "paused" else "running"}}, **answer)
        elif command == "query-chardev":
            lost = "disconnected:unix:/a" if BEHAVIOUR == "vhost-gone" else "unix:/a"
            send(**{"return": [{"label": "controller0", "filename": lost}]}, **answer)
        else:
            send(**{"return": {}}, **answer)
        if command == "cont":
            for name in re.findall(r"event:(\w+)", BEHAVIOUR):
                event(name, guest=True, reason="guest-reset")
            if BEHAVIOUR == "die":
                print("assertion failed", file=sys.stderr)
                return 134
        if command == "system_reset":
            event("RESET", guest=True, reason="guest-reset")
            for line in re.findall(r"console:(.+)", BEHAVIOUR):
                print(line, flush=True)
        if command == "quit" or (command == "system_powerdown" and BEHAVIOUR != "deaf"):
            event("SHUTDOWN", guest=True, reason="guest-shutdown")
            return 3 if BEHAVIOUR == "bad-end" else 0
    time.sleep(60)
    return 0


if __name__ == "__main__":
    sys.exit(main())
