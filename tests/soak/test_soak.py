# SPDX-License-Identifier: GPL-3.0-or-later
"""A short one; tests/soak/run has a long one."""
import os

import pytest

from soak import Soak

pytestmark = pytest.mark.tls_only
SECONDS = float(os.environ.get("SOAK_S", "8"))


def test_soak(seam):
    Soak(seam, SECONDS).run()
