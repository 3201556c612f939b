# SPDX-License-Identifier: GPL-3.0-or-later
"""
A kernel that refuses, gives less, interrupts, or kills: each call of a covered program is hit once, in both roles. The
program ends in time with an error that it can name or with all of its bytes, and nothing that is no TLS record left.

    FAULTS=all meson test -C build faults_faults      every call, TLS 1.2 and non-blocking descriptors too; a sample otherwise
"""
import os
import shlex
import shutil

import pytest

import observe
from exchanges import Exchanges
from peers import Sink, start_server
from servers import PYTHON

pytestmark = pytest.mark.tls_only

ALL = os.environ.get("FAULTS") == "all"
MODES = [("1.3",), ("1.3", "nonblocking"), ("1.2",), ("1.2", "nonblocking")] if ALL else [("1.3",)]
# As the manual pages have them. (Of memory by brk, libc itself thinks that there is always more.)
ERRORS = {
    "sendto": "EINTR EAGAIN ENOBUFS ENOMEM ECONNRESET EPIPE EIO",
    "recvfrom": "EINTR EAGAIN ENOMEM ECONNRESET EIO",
    "poll,ppoll": "EINTR ENOMEM",
    "connect": "EINTR EADDRNOTAVAIL ENOBUFS",
    "accept4": "EINTR ECONNABORTED EMFILE ENFILE ENOBUFS",
    "socket": "EMFILE ENFILE ENOMEM EACCES",
    "shutdown": "ENOTCONN",
    "close": "EINTR EIO",
    "getsockopt,setsockopt": "ENOBUFS ENOMEM ENOPROTOOPT",
    "getsockname,getpeername": "ENOBUFS ENOTCONN",
    "fcntl": "EMFILE EINTR EACCES",
    "mmap,mremap": "ENOMEM",
    "madvise,mprotect,munmap": "ENOMEM EINVAL",
    "openat": "EMFILE ENFILE ENOMEM EACCES EIO ENOENT EINTR",
    "read": "EINTR EIO",
    "write": "ENOSPC EIO EINTR EDQUOT",
    "newfstatat,fstat": "ENOMEM EIO EACCES",
    "lseek,ftruncate,fchmod,readlink,prlimit64": "EIO EPERM",
    "getrandom": "EINTR ENOSYS",
}
SHORT = "sendto,recvfrom,read,write,getrandom"
STRIDE = 1 if ALL else 83  # of the calls of all kinds
FEW = [1, 5]               # of one kind
MOST = 2000                # calls


def numbers(of_any):
    if ALL:
        return range(1, MOST)
    return range(3, MOST, STRIDE) if of_any else FEW


@pytest.fixture(params=["client", "server"])
def role(request):
    return request.param


def check(exchanges, call, what, before=None):
    """Hits the calls one after the other, until there are no more; the outcomes."""
    outcomes, problems = [], []
    for number in numbers(call == "any"):
        outcome = exchanges.run(f"{call}@{number}={what}", before)
        if outcome.problem():
            problems.append(f"{outcome.problem()}: {outcome}")
        if outcome.hit == 0:
            break
        outcomes.append(outcome)
        exchanges.forget()
    assert not problems, "\n".join(problems[:20])
    return outcomes


def each_mode(seam, role, call, what):
    return [outcome for version, *more in MODES for outcome in check(Exchanges(seam, role, version, *more), call, what)]


def expect_done(outcomes):
    failed = [str(outcome) for outcome in outcomes if outcome.status == 1]
    assert outcomes and not failed, "\n".join(failed[:20])


def test_without_a_fault(seam, role, version):
    outcome = Exchanges(seam, role, version).run()
    assert outcome.problem() is None and outcome.status == 0, outcome


def errors():
    for calls, names in ERRORS.items():
        for name in names.split() if ALL else names.split()[:1]:
            yield pytest.param(calls, name, id=f"{calls.split(',')[0]}-{name}")


@pytest.mark.parametrize("calls, name", errors())
def test_a_call_fails(seam, role, calls, name):
    if not each_mode(seam, role, calls, name):
        pytest.skip("it does not make this call")


def test_a_call_is_interrupted(seam, role):
    """By a signal with a handler, which costs nothing but the interruption."""
    expect_done(each_mode(seam, role, "any", "SIGUSR1"))


def test_the_program_forks(seam, role):
    """In a handler, wherever it is."""
    expect_done(each_mode(seam, role, "any", "SIGUSR2"))


def test_the_program_is_killed(seam, role):
    assert each_mode(seam, role, "any", "kill")


def test_less_than_was_asked_for(seam, role):
    expect_done(each_mode(seam, role, SHORT, "short"))


@pytest.mark.parametrize("change", ["rm -f {}", ": >{}", "echo nonsense >{}", "chmod 0 {}"], ids=["removed", "emptied", "broken", "shut"])
def test_the_policy_changes(seam, role, change):
    """At whatever moment: it protects as it did, or refuses; for a connection that has a policy nothing changes."""
    exchanges = Exchanges(seam, role, "1.3")
    text = exchanges.policy.read_text()
    command = change.format(shlex.quote(str(exchanges.policy)))

    def restore(_audit):
        exchanges.policy.unlink(missing_ok=True)
        exchanges.policy.write_text(text)
    check(exchanges, "any", f"run:{command}", restore)


@pytest.mark.parametrize("required", [False, True], ids=["on", "required"])
def test_the_audit_has_no_room(seam, role, required):
    """A connection goes on without it, or is refused, as policy says; and always in TLS."""
    exchanges = Exchanges(seam, role, "1.3")
    if required:
        exchanges.policy.write_text(exchanges.policy.read_text().replace("[global]", "[global]\naudit = required"))
    # Those that write files; what is said on standard output is written before there is one, or by the program.
    for number in range(1, 12) if ALL else (1, 2, 4):
        outcome = exchanges.run(f"write@{number}=ENOSPC")
        assert outcome.problem() is None, str(outcome)
        assert required or outcome.status == 0, str(outcome)
    full = exchanges.run(before=lambda audit: shutil.rmtree(audit) or audit.write_text("no directory"))
    assert full.problem() is None and full.status == int(required), str(full)


def test_out_of_descriptors(seam, role):
    """Whatever is left for the library: nothing, or one after the other."""
    exchanges = Exchanges(seam, role, "1.3")
    done = []
    for limit in range(4, 14) if ALL else (4, 5, 6, 8):
        outcome = exchanges.run(limit=["prlimit", f"--nofile={limit}"])
        assert outcome.problem() is None, f"{limit}: {outcome}"
        done.append(outcome.status)
    assert done[-1] == 0, done


HAND_ON = """
import socket, subprocess, sys
with socket.create_connection(("localhost", int(sys.argv[1]))) as sock:
    try:
        subprocess.run(["cat"], stdout=sock, input=b"it is plain to see, " * 10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        print(error)
    sock.send(b"it is plain to see, too, " * 10)
"""


def test_no_process_for_a_relay(seam):
    """What is handed on then is nothing, rather than the connection itself."""
    server = start_server(seam, Sink)
    policy = seam.policy(seam.outbound(server.port))
    for number in range(1, 12) if ALL else (1, 2, 3):
        report = seam.dir / f"report-{number}"
        command = observe.observer(report, "-p", f"out:{server.port}", "-f", f"clone,clone3,fork,vfork@{number}=EAGAIN")
        program = seam.run([*command, PYTHON, "-c", HAND_ON, server.port], policy, status=None)
        assert program.status in (0, 1), program.story()
        assert not observe.leaks(report)
    server.wait_ended(number)
    assert all(set(seen.data.split(b", ")) <= {b"it is plain to see", b"too", b""} for seen in server.seen)
