"""A program that poses as SPDK's vhost: takes its options and answers a few RPC methods, or fails as it is told to."""

import argparse
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

METHODS = (
    "bdev_get_bdevs",
    "vhost_create_scsi_controller",
    "vhost_delete_controller",
    "vhost_get_controllers",
    "vhost_scsi_controller_add_target",
    "vhost_scsi_controller_remove_target",
)
ANSWERS: dict[str, object] = {"spdk_get_version": {"version": "Fake SPDK v0"}, "vhost_get_controllers": []}


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-r", dest="rpc", type=Path)
    parser.add_argument("--die-at-start", action="store_true")
    parser.add_argument("--never-listen", action="store_true")
    parser.add_argument("--ignore-sigint", action="store_true")
    parser.add_argument("--exit-code", type=int, default=0)
    parser.add_argument("--lack", help="a method that it does not have")
    options, _ = parser.parse_known_args()
    print("fake vhost starts", flush=True)
    if options.die_at_start:
        print("*ERROR*: no memory", flush=True)
        sys.exit(3)
    signal.signal(signal.SIGINT, signal.SIG_IGN if options.ignore_sigint else lambda *_: os._exit(options.exit_code))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(options.exit_code))
    while options.never_listen:
        time.sleep(1)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(options.rpc))
    listener.listen(8)
    while True:
        connection, _ = listener.accept()
        text = ""
        while data := connection.recv(65536):
            text += data.decode()
            try:
                request, end = json.JSONDecoder().raw_decode(text)
            except ValueError:
                continue
            text = text[end:]
            if request["method"] == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            result = ANSWERS.get(request["method"], True)
            if request["method"] == "rpc_get_methods":
                result = [name for name in METHODS if name != options.lack]
            connection.sendall(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode())


if __name__ == "__main__":
    main()
