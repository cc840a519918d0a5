#!/usr/bin/env python3
"""Stands in for fio in the tests of runs: real processes, one a job, that "write" by raising a counter.

Takes fio's arguments and job file. What goes wrong is said by files in the folder $FAKE_FIO: `detach-NAME` makes the
job on that disk fail like a detach does, `end` ends all jobs early, `hang` keeps jobs from ending, `deaf` makes all
ignore SIGINT, `still-NAME` keeps a disk's counter from moving, `truncate` cuts the output short.
"""

import configparser
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

ORDERS = Path(os.environ["FAKE_FIO"])


def job(name: str, node: str, runtime: float) -> int:
    """One job process; its exit code is the error."""
    disk = Path(node).name
    stat = Path(os.environ["FAKE_SYS"]) / disk / "stat"
    number = int(stat.read_text().split()[6])
    end = time.monotonic() + runtime
    with Path(node).open("rb"):
        while (time.monotonic() < end and not (ORDERS / "end").exists()) or (ORDERS / "hang").exists():
            time.sleep(0.02)
            if (ORDERS / f"detach-{disk}").exists():
                for _ in range(3):
                    print(f"fio: io_u error on file {node}: Input/output error: write offset=0", file=sys.stderr)
                return 5
            if not (ORDERS / f"still-{disk}").exists():
                number += 8
                stat.write_text(f"1 2 3 4 5 6 {number} 8 9 10 11\n")
    return 0


def main() -> int:
    """fio's main process."""
    path = sys.argv[-1]
    text = Path(path).read_text()
    if "foo=" in text:
        print("Bad option <foo=3>\nfio: job global dropped", file=sys.stderr)
        return 1
    if "--parse-only" in sys.argv:
        return 0
    if (ORDERS / "broken").exists():
        print("fio: failed to load engine", file=sys.stderr)
        return 1
    jobs: dict[str, int] = {}
    stopped: list[int] = []

    def end_jobs(number: int, _: object) -> None:
        stopped.append(number)
        for pid in jobs.values():
            with contextlib.suppress(ProcessLookupError):  # it has ended already
                os.kill(pid, signal.SIGKILL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN if (ORDERS / "deaf").exists() else end_jobs)
    parser = configparser.RawConfigParser(allow_no_value=True, delimiters=("=",))
    parser.read_string(text)
    runtime = float(parser["global"]["runtime"].removesuffix("ms")) / 1000
    start = time.monotonic()
    for name in [section for section in parser.sections() if section != "global"]:
        if (pid := os.fork()) == 0:
            if not (ORDERS / "deaf").exists():
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_DFL)
            os._exit(job(name, parser[name]["filename"], runtime))
        jobs[name] = pid
    if stopped:  # before all had begun
        end_jobs(stopped[0], None)
    reports = []
    for name, pid in jobs.items():
        status = os.waitpid(pid, 0)[1]
        error = os.waitstatus_to_exitcode(status)
        ran = time.monotonic() - start
        io = {"io_bytes": 4096, "total_ios": 1}
        reports.append(
            {"jobname": name, "error": max(error, 0), "elapsed": 1 + int(ran), "job_runtime": int(ran * 1000)}
            | {"read": io, "write": io, "trim": {"io_bytes": 0, "total_ios": 0}}
        )
    text = json.dumps({"fio version": "fio-fake", "jobs": reports}, indent=2)
    print("fio: pid=1, err=5/file:io_u.c:1876")
    print(text[:-40] if (ORDERS / "truncate").exists() else text)
    return 128 if stopped else int(any(report["error"] for report in reports))


sys.exit(main())
