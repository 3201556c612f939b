# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for all tests that run real programs. See lib/seam.py for how a program gets under seamtls."""
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "lib"))

import pki as pki_module  # noqa: E402
import process  # noqa: E402
from seam import NATIVE, Seam  # noqa: E402


def pytest_runtest_setup(item):
    if NATIVE and item.get_closest_marker("tls_only"):
        pytest.skip("about TLS itself; nothing to compare with over plain TCP")


@pytest.fixture(scope="session", autouse=True)
def no_process_left():
    process.adopt_orphans()
    yield
    left = process.children()
    assert not left, f"the tests left processes running: {left}"


@pytest.fixture(scope="session")
def pki():
    with tempfile.TemporaryDirectory(prefix="seamtls-pki-") as base:
        yield pki_module.make(base)


@pytest.fixture
def seam(pki):
    """Runs programs for one test."""
    made = Seam(pki)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(pki):
    """Runs programs that all tests of a file share, because they are slow to start."""
    made = Seam(pki)
    yield made
    made.close()


@pytest.fixture(params=["1.2", "1.3"])
def version(request):
    """Each TLS version in turn."""
    if NATIVE and request.param != "1.3":
        pytest.skip("one run is enough over plain TCP")
    return request.param
