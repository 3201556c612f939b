# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit files that make_audit writes, and what the command makes of them."""

import json
import subprocess

T0 = 1763900000  # 2025-11-23T12:13:20Z


def line(event_type, fields):
    words = [event_type]
    for key, value in fields.items():
        for part in value if isinstance(value, list) else [value]:
            raw = part if isinstance(part, bytes) else str(part).encode()
            words.append(key + "=" + "".join(f"%{byte:02X}" for byte in raw))
    return " ".join(words) + "\n"


def at(second, **fields):
    return {"time_us": round((T0 + second) * 1_000_000), "pid": 1, "uid": 0} | fields


def rows(result):
    return [json.loads(row) for row in result.stdout.splitlines()]


def write(build, path, *events):
    """Appends events, given as (type, fields)."""
    text = "".join(line(event_type, fields) for event_type, fields in events)
    subprocess.run([f"{build}/tests/tools/make_audit", path], input=text, text=True, check=True)
    return path
