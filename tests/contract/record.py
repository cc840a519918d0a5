"""Records SPDK's answers to the calls of a file: `python -m tests.contract.record FILE SPDK_VHOST`.

Each line of the file names a method, its params and perhaps a note. The answers are added to the lines, with
`{sockets}` and `{files}` in place of the run's directories. Run it for a new version of SPDK, or after adding a call.
"""

import json
import sys
from pathlib import Path

from tests.contract.rpc_exchange import call, load
from tests.contract.vhost_program import running_program


def record(file: Path, spdk_vhost: str) -> None:
    """Does all calls in order, on one SPDK, and rewrites the file."""
    lines = []
    with running_program("spdk", spdk_vhost) as program:
        for exchange in load(file):
            done = exchange.on(program.sockets, program.files)
            answer = call(program.rpc_socket, done.method, done.params)
            row: dict[str, object] = {"note": exchange.note} if exchange.note else {}
            row["method"] = exchange.method
            if exchange.params is not None:
                row["params"] = exchange.params
            row["response"] = answer
            text = json.dumps(row).replace(str(program.sockets), "{sockets}").replace(str(program.files), "{files}")
            lines.append(text + "\n")
    file.write_text("".join(lines))


if __name__ == "__main__":
    record(Path(sys.argv[1]), sys.argv[2])
