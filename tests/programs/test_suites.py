# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's own tests of its network modules, both ends of every connection covered, often in one process and one thread."""
import importlib.util

import pytest

from seam import NATIVE
from servers import PYTHON

SUITES = {
    "test_socketserver": ["-u", "network"],
    "test_httplib": [],
    "test_httpservers": [],
    "test_urllib2_localnet": [],
    "test_wsgiref": [],
    "test_smtplib": [],
    "test_nntplib": [],
    "test_ftplib": ["-i", "test_abort"],  # which sends MSG_OOB
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SUITES)
def test_python(seam, name):
    if importlib.util.find_spec("test") is None or importlib.util.find_spec(f"test.{name}") is None:
        pytest.skip("Python's test suite is not installed")
    policy = seam.policy(seam.inbound("1-65535"), seam.outbound("1-65535", server_name="localhost", handshake_at="first_use"))
    argv = [PYTHON, "-m", "test", "--tempdir", seam.make_dir("suite"), *SUITES[name], name]
    program = seam.run(argv, policy, timeout_s=240)
    assert b"Tests result: SUCCESS" in program.stdout, program.story()
    if not NATIVE:
        assert program.audit.find("open"), "no connection of the suite was protected"
