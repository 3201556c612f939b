# SPDX-License-Identifier: GPL-3.0-or-later
"""What `seamtls doctor` says of a kernel that has TLS."""
import json
import subprocess

import ktls


def test_doctor(seam):
    run = subprocess.run([seam.tool, "doctor", "--format=json", "sh"], capture_output=True, check=True)
    (row,) = (row for row in map(json.loads, run.stdout.splitlines()) if row["what"] == "kernel TLS")
    suites = "AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305"
    assert row["detail"].startswith(f"TLS 1.2: {suites}; TLS 1.3: {suites}; keys can"), row
    assert ("cannot be changed" in row["detail"]) == (not ktls.rekeys()) == (row["verdict"] == "note"), row
