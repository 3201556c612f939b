# SPDX-License-Identifier: GPL-3.0-or-later
"""`strict = yes`: io_uring, which no preloaded library sees, fails for the program, however it asks for it."""
import os
import re
import socket
import subprocess

import pytest

from audit import Audit
from seam import built

PROGRAM = ("tests", "transparency", "rings")
WAYS = ["function", "instruction", "thread", "child", "executed"]


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made.getsockname()[1]


def outcomes(done):
    return dict(line.split(": ", 1) for line in done.stdout.decode().splitlines())


def rings(seam, port, policy=None, **options):
    return outcomes(seam.run([built(*PROGRAM), str(port)], policy, **options))


def observing(seam, **keys):
    """A policy under which every connection leaves a line in the audit, which shows that the library is there."""
    return seam.policy(default="observe", **keys)


def test_plain_has_rings(seam, listener):
    seen = rings(seam, listener)
    assert {seen[way] for way in WAYS} <= {"a ring", "EPERM", "ENOSYS"} and seen["connect"] == "done"


@pytest.mark.tls_only
@pytest.mark.parametrize("strict", [None, "no"])
def test_not_strict_changes_nothing(seam, listener, strict):
    plain = rings(seam, listener)
    assert rings(seam, listener, observing(seam, strict=strict)) == plain


@pytest.mark.tls_only
def test_strict_refuses_rings(seam, listener):
    plain = rings(seam, listener)
    if plain["instruction"] != "a ring":
        pytest.skip("this machine has no io_uring, so nothing could be refused")
    seen = rings(seam, listener, observing(seam, strict="yes"))
    assert {way: seen[way] for way in WAYS} == dict.fromkeys(WAYS, "ENOSYS")
    assert seen["connect"] == "done"


@pytest.mark.tls_only
def test_strict_in_an_included_file(seam, listener):
    part = seam.make_dir() / "part.conf"
    part.write_text("[global]\nstrict = yes\n")
    assert rings(seam, listener, observing(seam, include=part))["instruction"] == "ENOSYS"


@pytest.mark.tls_only
def test_no_new_privileges_only_where_it_must_be(seam, listener):
    """Root keeps what set-user-ID programs would gain; who cannot install a filter otherwise gives it up."""
    if os.geteuid() != 0:
        pytest.skip("has to be root to be somebody else")
    policy = observing(seam, strict="yes")
    assert rings(seam, listener, policy)["no new privileges"] == "0"
    seen = rings(seam, listener, policy, user="daemon")
    assert (seen["instruction"], seen["no new privileges"]) == ("ENOSYS", "1")


@pytest.mark.tls_only
def test_a_policy_that_does_not_load_lets_no_ring_through(seam, listener):
    done = seam.run([built(*PROGRAM), str(listener)], observing(seam, strict="perhaps"))
    seen = outcomes(done)
    assert seen["instruction"] == "ENOSYS" and seen["connect"] == "EACCES", done.story()


@pytest.mark.tls_only
def test_what_cannot_be_enforced_refuses_connections(seam, listener):
    """A filter on top that forbids filters: systemd and containers have such."""
    audit_dir = seam.make_dir()
    env = seam.environment(observing(seam, strict="yes"), audit_dir, None)
    env["RINGS_PRELOAD"] = env.pop("LD_PRELOAD")
    done = subprocess.run([built(*PROGRAM), "--no-filters", str(listener)], env=env, capture_output=True, timeout=60, check=True)
    assert outcomes(done)["connect"] == "EACCES", done
    assert b"'strict = yes'" in done.stderr
    reason = Audit(seam.tool, audit_dir).find("policy")[0]["reason"]
    assert "strict = yes: io_uring cannot be kept" in reason


@pytest.mark.tls_only
def test_filters_do_not_pile_up(seam, listener):
    """Each program that a shell starts finds the filter there and adds none."""
    policy = observing(seam, strict="yes")
    script = "; ".join(["grep ^Seccomp_filters /proc/self/status"] * 2)
    done = seam.run(["sh", "-c", f"sh -c 'sh -c \"{script}\"'; {built(*PROGRAM)} {listener}"], policy)
    counts = re.findall(r"Seccomp_filters:\s*(\d+)", done.stdout.decode())
    own = re.search(r"Seccomp_filters:\s*(\d+)", open("/proc/self/status", encoding="ascii").read())
    assert set(counts) == {str(int(own.group(1)) + 1)}, done.story()


@pytest.mark.tls_only
def test_a_program_with_liburing_falls_back(seam):
    try:
        program = built("tests", "transparency", "rings_library")
    except AssertionError:
        pytest.skip("liburing-dev was not there when this was built")
    if seam.run([program]).stdout != b"by io_uring\n":
        pytest.skip("this machine has no io_uring")
    done = seam.start([program], observing(seam, strict="yes"))
    assert done.wait(30) == 0 and done.stdout == b"by read and write\n", done.story()
