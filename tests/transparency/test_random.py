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
COUNT = int(os.environ.get("COUNT", "300"))
# Seeds wait for each other's bytes more than they compute.
JOBS = 8
TIMEOUT_S = 120 + COUNT // 5
LINES_SHOWN = 60
# For a capture in which nothing but TLS may be (tests/faults/observe): the plain runs, and so the comparison, are left out.
COVERED_ONLY = bool(os.environ.get("SEAMTLS_TEST_COVERED_ONLY"))
OTHER = {"client": "server", "server": "client"}


def parts(first, count):
    """[first, first+count) in JOBS ranges, as (first, count)."""
    size = -(-count // JOBS)
    return [(at, min(size, first + count - at)) for at in range(first, first + count, size)]


def start_both(seam, policy, seeds, *args):
    """One program that plays both ends."""
    covered = int(policy is not None and seam.covering)
    return seam.start([built("tests", "transparency", "random"), *seeds, f"covered={covered}", *args], policy)


def start_one(seam, policy, seeds, simple):
    """One that plays the end which is covered, and one that is the simple end by OpenSSL."""
    program = built("tests", "transparency", "random")
    meet = seam.make_dir("meet") / "socket"
    common = [program, *seeds, f"covered={int(seam.covering)}", f"simple={simple}", f"meet={meet}"]
    seam.start([*common, f"end={simple}", f"tls={int(seam.covering)}", f"cert={seam.pki.good.cert}", f"key={seam.pki.good.key}"])
    return seam.start([*common, f"end={OTHER[simple]}"], policy)


def run_seeds(start):
    """start(seeds) for some processes; the digests of each seed."""
    running = [start([f"seed={first}", f"count={count}"]) for first, count in parts(SEED, COUNT)]
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
        if COVERED_ONLY:
            return None
        if args not in known:
            known[args], _ = run_seeds(lambda seeds: start_both(shared, None, seeds, *args))
        return known[args]
    return digests


def lines_of(start, seed):
    program = start([f"seed={seed}", "count=1", "show=1"])
    assert program.wait(TIMEOUT_S) == 0, program.story()
    return program.stdout.decode(errors="replace").splitlines()


def compare(start_plain, want, start):
    got, running = run_seeds(start)
    different = [seed for seed in got if want and got[seed] != want[seed]]
    if different:
        lines = difflib.unified_diff(lines_of(start_plain, different[0]), lines_of(start, different[0]),
                                     "plain", "covered", lineterm="", n=6)
        raise AssertionError(f"seeds {different[:20]} differ; the first:\n" + "\n".join(list(lines)[:LINES_SHOWN]))
    for program in running:
        if program.covered:
            assert len(program.audit.wait("open")) > 0, program.story()


@pytest.mark.parametrize("ends", ["processes", "threads"])
def test_both_ends(seam, plain, version, ends):
    policy = seam.policy(seam.inbound("1-65535", version=version), seam.outbound("1-65535", version=version))
    args = ["threads=1"] if ends == "threads" else []
    compare(lambda seeds: start_both(seam, None, seeds, *args), plain(*args),
            lambda seeds: start_both(seam, policy, seeds, *args))


@pytest.mark.parametrize("simple", ["client", "server"])
def test_one_end(seam, plain, version, simple):
    """The other end is OpenSSL's: it tears records, dribbles bytes, and says what TLS 1.3 has to say in between."""
    if simple == "client":
        policy = seam.policy(seam.inbound("1-65535", version=version))
    else:
        policy = seam.policy(seam.outbound("1-65535", version=version))
    compare(lambda seeds: start_both(seam, None, seeds, f"simple={simple}"), plain(f"simple={simple}"),
            lambda seeds: start_one(seam, policy, seeds, simple))
