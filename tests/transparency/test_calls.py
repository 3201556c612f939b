# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way out of a program: what it does over plain TCP, and that under the library it does the same, or is refused."""
import pytest

from seam import built, check_opened

# What calls.c prints for a case: plain, and under the library if that has to differ.
SAME = {
    "pwritev2_flags": "received 'hello hello hello hello hello hello ', then the end\n",
    "preadv2_flags": "received 'greeting', then the end\n",
    "fast_open": "received 'one two', then the end\n",
    "stream_first": "received 'text in a stream', then the end\n",
    "stream_reopened": "received 'last words', then the end\n",
    "raw_copy": "received 'copy copy', then the end\n",
    "exit_quickly": "received 'quick', then the end\n",
    "exit_raw": "received 'raw', then the end\n",
    "bare_fork": "received 'parent child', then the end\n",
    "clone_raw": "received 'parent child', then the end\n",
    "clone3_raw": "received 'parent child', then the end\n",
    "fork_raw": "received 'parent child', then the end\n",
    "no_mark": "received '', then the end\n",
    "passed_on": "sendmsg: done\nsendmmsg: done\nreceived 'kept', then the end\n",
    "wait_raw": 5 * "received 'ready ', then the end\n",
}
PLAIN = {
    **SAME,
    "kernel_jobs": "io_submit: done\nreceived 'by the kernel', then the end\n",
}
COVERED = {
    **SAME,
    "kernel_jobs": "io_submit: EINVAL\nreceived '', then the end\n",
}
PROGRAM = ("tests", "transparency", "calls")


@pytest.mark.parametrize("case", PLAIN)
def test_plain(seam, case):
    assert seam.run([built(*PROGRAM), case]).stdout.decode() == PLAIN[case]


@pytest.mark.tls_only
@pytest.mark.parametrize("case", COVERED)
def test_covered(seam, case):
    policy = seam.policy(seam.inbound("1-65535"), seam.outbound("1-65535"))
    done = seam.run([built(*PROGRAM), case], policy)
    assert done.stdout.decode() == COVERED[case], done.story()
    check_opened(done, 2 * done.stdout.count(b"received"))
