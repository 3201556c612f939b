# SPDX-License-Identifier: GPL-3.0-or-later
"""What the audit of a covered program says, read by the tool that users read it with."""
import json
import os
import select
import subprocess
import time

WAIT_S = 15


def matches(event, fields):
    """A field that is to be None is left out. Of the two events of a connection that is left alone the first has no `protocol`."""
    return all(event.get(name) == value for name, value in fields.items())


class Audit:
    """The audit directory of one covered program (and of what it forked)."""

    def __init__(self, tool, directory):
        self.tool = tool
        self.dir = directory

    def events(self):
        """All events so far, oldest first."""
        done = subprocess.run([self.tool, "log", "--format", "json"], capture_output=True, text=True,
                              env={**os.environ, "SEAMTLS_AUDIT": str(self.dir)}, timeout=30, check=False)
        if "no audit files" in done.stderr:
            return []
        assert done.returncode == 0, f"`seamtls log` failed ({done.returncode}): {done.stderr}"
        return [json.loads(line) for line in done.stdout.splitlines()]

    def find(self, event, **fields):
        return [e for e in self.events() if matches(e, {"event": event, **fields})]

    def wait(self, event, count=1, **fields):
        """The events of that kind, once there are `count` of them; a program writes some after its peer has gone."""
        end = time.monotonic() + WAIT_S
        while True:
            found = self.find(event, **fields)
            if len(found) >= count:
                return found
            if time.monotonic() > end:
                raise AssertionError(
                    f"the audit has {len(found)} of {count} {event!r} events with {fields} after {WAIT_S} s; "
                    f"it has:\n{self.text()}")
            select.select([], [], [], 0.05)

    def text(self):
        return "\n".join(json.dumps(event) for event in self.events()) or "(nothing)"
