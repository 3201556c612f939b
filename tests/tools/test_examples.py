# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in policy/examples: each is a policy without mistakes, and the drop-in for systemd covers a service."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

EXAMPLES = pathlib.Path(os.environ["SEAMTLS_SOURCE"]) / "policy" / "examples"
POLICIES = sorted(EXAMPLES.glob("*.conf"))
DROP_IN = EXAMPLES / "systemd" / "seamtls.conf"
INSTALLED = "/usr/local/lib/x86_64-linux-gnu/seamtls/libseamtls.so"
# Fails with EACCES only if the library is there and has the policy.
CLIENT = "import socket, sys; s = socket.socket(); sys.exit(s.connect_ex(('127.0.0.1', 9)))"


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.name)
def test_examples_are_policies(seamtls, tmp_path, path):
    assert seamtls("cert", "server").returncode == 0
    (tmp_path / "p.conf").write_text(path.read_text())
    (tmp_path / "p.conf").chmod(0o644)
    result = seamtls("check", "p.conf")
    assert result.returncode == 0, result.stderr
    relaxed = [line for line in result.stderr.splitlines() if "accept = both" not in line]
    assert relaxed == []


def test_there_are_examples():
    wanted = {"web", "mail", "database", "cache", "mutual", "migration", "lockdown"}
    assert wanted <= {path.stem for path in POLICIES}
    assert all(path.read_text().startswith("# ") for path in POLICIES)  # what it is for


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_drop_in_is_one(tmp_path):
    (tmp_path / "x.service").write_text("[Service]\nExecStart=/bin/true\n")
    (tmp_path / "x.service.d").mkdir()
    shutil.copy(DROP_IN, tmp_path / "x.service.d")
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "x.service"],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"}, capture_output=True, text=True, timeout=60,
    )
    assert "x.service" not in result.stderr


def test_the_drop_in_covers_a_service(build, tmp_path):
    """Its environment, as systemd would make it, around a program."""
    (tmp_path / "seamtls").mkdir()
    (tmp_path / "seamtls" / "web.conf").write_text('[rule "mine"]\nlabel = toy\naction = deny\n')
    text = DROP_IN.read_text().replace("%N", "toy").replace("%L", str(tmp_path))
    env = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.M))
    assert env["LD_PRELOAD"] == INSTALLED
    assert f"ExecStartPre=/usr/bin/test -r {INSTALLED}\n" in text
    logs = tmp_path / re.search(r"^LogsDirectory=(.*)", text, re.M).group(1)
    logs.mkdir()
    env |= {"LD_PRELOAD": f"{build}/shim/libseamtls.so", "XDG_CONFIG_HOME": str(tmp_path)}
    result = subprocess.run(["/usr/bin/python3", "-c", CLIENT], env=env, capture_output=True, text=True, timeout=60)
    assert result.returncode == 13, result.stderr
    audit = subprocess.run([f"{build}/tools/seamtls", "log", "--format=json", "--event=deny", logs], capture_output=True, text=True, timeout=60)
    assert '"label":"toy","rule":"mine"' in audit.stdout
