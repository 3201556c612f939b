# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs as children: started in a process group of their own, watched through /proc, and always ended.

Nothing here waits for a time to pass. Waiting is a bounded loop over a pidfd, which also wakes when the
program ends, so a program that dies is reported at once and with what it printed.
"""
import ctypes
import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
LOOK_AGAIN_MS = 15
STOP_TIMEOUT_S = 10
START_TIMEOUT_S = 60
LISTEN = "0A"

_ports_given = set()


def adopt_orphans():
    """Makes this process the parent of whatever its children leave behind, so that it can be seen and ended."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def free_port():
    """A TCP port that nobody has, and that this session has not given out before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _ports_given:
            _ports_given.add(port)
            return port


def group_of(pid):
    """The process group of `pid`, or None if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, _parent, group = stat.rpartition(")")[2].split()[:3]
    return None if state == "Z" else int(group)


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(of=None):
    """The living children of this process, or of another, each with its command, for a message."""
    found = {}
    for pid in pids():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        state, parent = stat.rpartition(")")[2].split()[:2]
        if int(parent) == (of or os.getpid()) and state != "Z":
            found[pid] = command
    return found


def listening_inodes(port):
    """The inodes of sockets that listen on `port`, over IPv4 and IPv6."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as lines:
            next(lines)
            for line in lines:
                field = line.split()
                if field[3] == LISTEN and int(field[1].rpartition(":")[2], 16) == port:
                    inodes.add(field[9])
    return inodes


def has_socket(pid, inodes):
    wanted = {f"socket:[{inode}]" for inode in inodes}
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            if os.readlink(f"/proc/{pid}/fd/{fd}") in wanted:
                return True
    except OSError:
        pass
    return False


class Program:
    """A running program. Its output goes to files, so that it can never block on a pipe that nobody reads."""

    def __init__(self, argv, directory, env=None, cwd=None, user=None, stdin=None, stop_signal=signal.SIGTERM):
        self.argv = [str(arg) for arg in argv]
        self.name = os.path.basename(self.argv[0])
        self.stdout_path = Path(directory) / "stdout"
        self.stderr_path = Path(directory) / "stderr"
        identity = {"user": user, "group": user, "extra_groups": []} if user else {}
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.popen = subprocess.Popen(
                self.argv, env=env, cwd=cwd, start_new_session=True, stdout=out, stderr=err,
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL, **identity)
        self.stop_signal = stop_signal
        self.pid = self.popen.pid
        self.pidfd = os.pidfd_open(self.pid)
        if stdin is not None:
            self._feed(stdin)

    def _feed(self, data):
        try:
            self.popen.stdin.write(data)
            self.popen.stdin.close()
        except BrokenPipeError:
            pass

    @property
    def stdout(self):
        return self.stdout_path.read_bytes()

    @property
    def stderr(self):
        return self.stderr_path.read_bytes().decode(errors="replace")

    def story(self):
        """What the program was and said, for the message of a failure."""
        out = self.stdout
        text = out[-2000:].decode() if out.isascii() else f"{len(out)} bytes, beginning with {out[:60]!r}"
        return (f"{' '.join(self.argv)}\nexit status: {self.popen.poll()}\n"
                f"--- its output, at most 2,000 characters ---\n{text}\n"
                f"--- its errors, at most 4,000 characters ---\n{self.stderr[-4000:]}")

    def ended(self, timeout_ms=0):
        if self.pidfd < 0:
            return True
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(timeout_ms))

    def until(self, condition, what, timeout_s=START_TIMEOUT_S):
        """Waits until condition() is true; fails with the program's story if it ends or takes too long."""
        end = time.monotonic() + timeout_s
        while not condition():
            if self.ended(LOOK_AGAIN_MS) and not condition():
                raise AssertionError(f"{self.name} ended before {what}:\n{self.story()}")
            if time.monotonic() > end:
                raise AssertionError(f"{self.name} took over {timeout_s} s, and not yet {what}:\n{self.story()}")

    def group(self):
        return [pid for pid in pids() if group_of(pid) == self.pid]

    def listens(self, port):
        inodes = listening_inodes(port)
        return bool(inodes) and any(has_socket(pid, inodes) for pid in self.group())

    def wait(self, timeout_s):
        """Waits for the end and returns the exit status; a program that does not end is killed, and fails the test."""
        if not self.ended(timeout_s * 1000):
            story = self.story()
            self.kill()
            raise AssertionError(f"{self.name} did not end within {timeout_s} s:\n{story}")
        return self.popen.wait()

    def stop(self):
        """Asks the program to end. If it does not, that is the test's failure, but nothing is left running."""
        hung = None
        if self.popen.poll() is None:
            self.popen.send_signal(self.stop_signal)
            if not self.ended(STOP_TIMEOUT_S * 1000):
                hung = self.story()
        self.kill()
        assert hung is None, (
            f"{self.name} did not end within {STOP_TIMEOUT_S} s of {self.stop_signal.name}:\n{hung}")

    def kill(self):
        """Ends the whole process group, without mercy and without a trace."""
        end = time.monotonic() + STOP_TIMEOUT_S
        while self.group() and time.monotonic() < end:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                break
            self.popen.poll()
            self._reap_orphans()
            select.select([], [], [], LOOK_AGAIN_MS / 1000)
        self.popen.poll()
        self._reap_orphans()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def _reap_orphans(self):
        if self.popen.returncode is None:
            return
        try:
            while os.waitpid(-self.pid, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
