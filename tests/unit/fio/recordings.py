"""The recorded fio runs of tests/data/fio, as texts and as results."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotplug_kit.domain.attachment import Event
from hotplug_kit.fio.result import DiskResult, LiveOutput, RunResult, jobs_by_disk, parse_output
from hotplug_kit.process.bounded_log import BoundedLog

DATA = Path(__file__).parents[2] / "data" / "fio"

STARTED = 1000.0
VM, RUN = "vm1", "fio run 1"
DETACH = Event("detach", "naa.ctrlr5", 0, "ctrlr5-0", sent=STARTED + 2.2, answered=STARTED + 2.21)
"""A detach that fits the recording "detach": its job ended 2.215 s after its start."""


@dataclass
class Recording:
    """One recorded run."""

    out: str
    err: str
    code: int

    @classmethod
    def load(cls, name: str) -> "Recording":
        return cls(
            (DATA / f"{name}.out").read_text(),
            (DATA / f"{name}.err").read_text(),
            int((DATA / f"{name}.rc").read_text()),
        )

    @property
    def document(self) -> dict[str, Any]:
        """The JSON part."""
        document = json.loads(self.out[self.out.index("{") :])
        assert isinstance(document, dict)
        return document

    def job(self, number: int) -> dict[str, Any]:
        """One job of the JSON part; changing it changes nothing, see `with_job`."""
        job = self.document["jobs"][number]
        assert isinstance(job, dict)
        return job

    def with_job(self, number: int, **changes: Any) -> "Recording":
        """The same run with other values in one of its jobs."""
        document = self.document
        document["jobs"][number].update(changes)
        return Recording(json.dumps(document), self.err, self.code)

    def result(
        self,
        tmp_path: Path,
        *,
        error_at: float = DETACH.sent + 0.1,
        moving_since: float | None = STARTED + 0.5,
        asked_seconds: float | None = None,
        stopped: bool = False,
    ) -> RunResult:
        """The typed result, as if all lines of standard error had arrived at `error_at`."""
        with BoundedLog(tmp_path / "err") as log:
            live = LiveOutput(log)
            for line in self.err.splitlines():
                live.take("stderr", line, error_at)
        document = self.document
        disks = {job["jobname"]: job["job options"]["filename"] for job in document["jobs"]}
        output = parse_output(self.out, "run")
        jobs = jobs_by_disk(output, disks, "run")
        asked = asked_seconds or float(document["global options"]["runtime"])
        return RunResult(
            vm=VM,
            name=RUN,
            fio_version=output.fio_version,
            exit_code=self.code,
            asked_seconds=asked,
            asked_at=STARTED,
            ended_at=STARTED + asked + 0.5,
            disks={
                serial: DiskResult(
                    serial,
                    node,
                    jobs[serial],
                    live.first_errors.get(node),
                    moving_since,
                    moving_last=moving_since and STARTED + jobs[serial].job_runtime / 1000,
                    name=node.removeprefix("/dev/"),
                )
                for serial, node in disks.items()
            },
            verify_lines=list(live.verify_lines),
            stopped=stopped,
            label=RUN,
        )
