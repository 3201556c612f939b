# SPDX-License-Identifier: GPL-3.0-or-later
"""The `seamtls` command of the build under test."""

import os
import subprocess

import pytest

import audit_files


@pytest.fixture(scope="session")
def build():
    return os.environ["SEAMTLS_BUILD"]


@pytest.fixture
def seamtls(build, tmp_path):
    """Runs `seamtls ARGUMENT...` in an empty directory, and returns its status, stdout and stderr."""

    def run(*args, **kwargs):
        env = {k: v for k, v in os.environ.items() if not k.startswith("SEAMTLS_") and k != "LD_PRELOAD"}
        env.update(kwargs.pop("env", {}))
        return subprocess.run(
            [os.path.join(build, "tools", "seamtls"), *map(str, args)],
            cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, **kwargs,
        )

    return run


@pytest.fixture
def audit_dir(tmp_path):
    path = tmp_path / "audit"
    path.mkdir()
    return path


@pytest.fixture
def make(build, audit_dir):
    """Appends events, given as (type, fields), to a file of the directory."""

    def append(name, *events):
        return audit_files.write(build, audit_dir / (name + ".audit"), *events)

    return append
