# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU time and memory of a program with all its processes, as the kernel accounts for them."""
import os
import time
from pathlib import Path

from process import children

TICKS = os.sysconf("SC_CLK_TCK")
CPUCLOCK_SCHED = 2


def _lines(path):
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _running_s(pid):
    """The CPU clock of another process, with its threads that have ended (clock_getcpuclockid(3))."""
    try:
        return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)
    except OSError:
        return 0.0


def _ended_children_s(pid):
    for line in _lines(f"/proc/{pid}/stat"):
        field = line.rpartition(")")[2].split()
        return (int(field[13]) + int(field[14])) / TICKS
    return 0.0


def family(programs):
    """Their groups, and their children with a session of their own (PostgreSQL's)."""
    return {pid for program in programs for pid in (*program.group(), *children(program.pid))}


def cpu_s(programs):
    """Seconds that these programs and their children have used so far."""
    return sum(_running_s(pid) + _ended_children_s(pid) for pid in family(programs))


def memory_kb(programs):
    """Memory that belongs to these programs, each page that they share counted once."""
    total = 0
    for pid in family(programs):
        for line in _lines(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total
