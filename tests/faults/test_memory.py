# SPDX-License-Identifier: GPL-3.0-or-later
"""
Memory that is not there: each allocation of the library fails once in a whole program, and all from one on. The library
here is one with the program's malloc(); its own has fewer ways to fail, which test_faults.py tries (mmap).

    FAULTS=all meson test -C build faults_memory      every allocation; a sample otherwise
"""
import os

import pytest

from built import built
from exchanges import Exchanges
from peers import Echo, start_server

pytestmark = pytest.mark.tls_only

ALL = os.environ.get("FAULTS") == "all"
STRIDE = 1 if ALL else 61
MOST = 100_000


@pytest.mark.parametrize("onwards", ["", "+"], ids=["once", "from_then_on"])
@pytest.mark.parametrize("role", ["client", "server"])
def test_an_allocation_fails(seam, role, version, onwards):
    exchanges = Exchanges(seam, role, version)
    preload = " ".join(str(built("tests", "faults", name)) for name in ("libseamtls_with_malloc.so", "libmalloc_fails.so"))
    problems, failed = [], 0
    for number in range(1, MOST, STRIDE):
        outcome = exchanges.run(LD_PRELOAD=preload, MALLOC_FAILS=f"{number}{onwards}")
        outcome.fault = f"allocation {number}{onwards}"
        if outcome.problem():
            problems.append(f"{outcome.problem()}: {outcome}")
        exchanges.forget()
        if "there was no memory" not in outcome.errors:
            break
        failed += outcome.status == 1
    assert not problems, "\n".join(problems[:20])
    assert outcome.status == 0, "what has all its memory comes through"
    assert failed > 0


def test_in_the_middle_of_malloc(seam, version):
    """A signal handler makes the first use of a connection."""
    server = start_server(seam, Echo, version=version)
    program = seam.run([built("tests", "faults", "inside_malloc"), server.port], seam.policy(seam.outbound(server.port)))
    assert program.stdout == b""
    server.wait_ended()
