"""Facts about processes that hold after their ids are given to others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def started(pid: int) -> str | None:
    """When a process started, as a word that its id's next owner does not share; None when it is gone."""
    if sys.platform == "linux":
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if after_name[0] in "ZX" else after_name[19]
    done = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, start = done.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else start.strip()


def resident_kb(pid: int) -> int:
    """Resident memory of a process in KB (1,024 bytes); 0 when it is gone."""
    if sys.platform == "linux":
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except OSError:
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return int(done.stdout.strip() or 0)


def memory_mb(pid: int) -> int:
    """Resident memory of a process in MB, rounded up; 0 when it is gone."""
    return -(-resident_kb(pid) // 1024)


def peak_resident_kb(pid: int) -> int:
    """The most resident memory that a process ever had, in KB; where that is not told, what it has now."""
    if sys.platform == "linux":
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return 0
        return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])
    return resident_kb(pid)


def cpu_seconds(pid: int) -> float:
    """Processor seconds of a process with all its threads; outside Linux to a hundredth of a second."""
    if sys.platform == "linux":
        return time.clock_gettime((~pid << 3) | 2)  # the process's own clock: clock_getcpuclockid(3)
    done = subprocess.run(
        ["ps", "-o", "cputime=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    seconds = 0.0
    for part in done.stdout.strip().split(":"):
        seconds = seconds * 60 + float(part or 0)
    return seconds


def kill_group(pid: int) -> None:
    """Kill a process that leads its group, with all its children."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
