# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs made from seeds, the same over plain TCP and over seamtls.

    SEED=N COUNT=M meson test -C build transparency_random       seeds N to N+M-1, of every kind

A seed that fails says what it did and how to run it again; one whose results differ from plain TCP is shown as a difference
of the two. Without SEED and COUNT the same seeds run each time.
"""
import difflib
import os

import pytest

from seam import built

SEED = int(os.environ.get("SEED", "1"))
COUNT = int(os.environ.get("COUNT", "400"))
# Seeds wait for each other's bytes more than they compute.
JOBS = 4
TIMEOUT_S = 120 + COUNT // 5
LINES_SHOWN = 60


def parts(first, count):
    """[first, first+count) in JOBS ranges, as (first, count)."""
    size = -(-count // JOBS)
    return [(at, min(size, first + count - at)) for at in range(first, first + count, size)]


def run_plain_or_covered(seam, policy, *args):
    """The digests of both ends of each seed."""
    program = built("tests", "transparency", "random")
    running = [seam.start([program, f"seed={first}", f"count={count}", *args], policy)
               for first, count in parts(SEED, COUNT)]
    digests = {}
    for program in running:
        assert program.wait(TIMEOUT_S) == 0, program.story()
        for line in program.stdout.decode().splitlines():
            seed, *both = line.split()
            digests[int(seed)] = both
    assert len(digests) == COUNT
    return digests, running


@pytest.fixture(scope="module")
def plain(shared):
    """What is to come out, by the arguments that make the kind of program."""
    known = {}

    def digests(*args):
        if args not in known:
            known[args], _ = run_plain_or_covered(shared, None, *args)
        return known[args]
    return digests


def show(seam, policy, seed, *args):
    program = seam.run([built("tests", "transparency", "random"), f"seed={seed}", "count=1", "show=1", *args], policy)
    return program.stdout.decode(errors="replace").splitlines()


def compare(seam, policy, plain, *args):
    want = plain(*args)
    got, running = run_plain_or_covered(seam, policy, *args)
    different = [seed for seed in got if got[seed] != want[seed]]
    if different:
        lines = difflib.unified_diff(show(seam, None, different[0], *args), show(seam, policy, different[0], *args),
                                     "plain", "covered", lineterm="", n=6)
        raise AssertionError(f"seeds {different[:20]} differ; the first ({' '.join(args)}):\n"
                             + "\n".join(list(lines)[:LINES_SHOWN]))
    for program in running:
        if program.covered:
            assert len(program.audit.wait("open")) > 0, program.story()


@pytest.mark.parametrize("ends", ["processes", "threads"])
def test_both_ends(seam, plain, version, ends):
    policy = seam.policy(seam.inbound("1-65535", version=version), seam.outbound("1-65535", version=version))
    compare(seam, policy, plain, *(["threads=1"] if ends == "threads" else []))
