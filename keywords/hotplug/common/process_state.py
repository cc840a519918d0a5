"""What the kernel says about a process that does not answer."""

from pathlib import Path

_STATES = {"R": "running", "S": "sleeping", "D": "waiting in the kernel", "T": "stopped by a signal", "t": "traced"}


def describe_state(pid: int | None) -> str:
    """A sentence with the state of a process, by proc(5); empty when it is gone or not known."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    letter = status.rpartition(")")[2].split()[0]
    return f"Its state is {letter} ({_STATES.get(letter, 'see proc(5)')})."
