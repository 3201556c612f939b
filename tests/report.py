#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the logs that `meson test` left in build folders, prints what failed in full, and counts.

The last line is `N passed, N failed` (and `, N skipped`). Counted are the cases inside a test (Check's, pytest's); a test that
fails without a failed case (it crashed, or ran out of time) counts as one more failure, one without cases as one.
"""

import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

GOOD = ("OK", "EXPECTEDFAIL")


def cases_of_tap(path):
    with open(path, encoding="utf-8", errors="replace") as tap:
        lines = re.findall(r"^(not )?ok\b.*?(# *skip)?", tap.read(), re.M | re.I)
    failed = sum(1 for no, _ in lines if no)
    skipped = sum(1 for no, skip in lines if skip and not no)
    return len(lines) - failed - skipped, failed, skipped


def cases_of_junit(path):
    counts = [0, 0, 0]
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        counts[1 if kinds & {"failure", "error"} else 2 if "skipped" in kinds else 0] += 1
    return tuple(counts)


def cases_of(test):
    """(passed, failed, skipped) of one test of Meson."""
    path = test["env"].get("SEAMTLS_RESULT", "")
    counts = (0, 0, 0)
    if os.path.exists(path):
        try:
            counts = cases_of_tap(path) if path.endswith(".tap") else cases_of_junit(path)
        except ElementTree.ParseError:
            print(f"report.py: '{path}' was cut short")
    passed, failed, skipped = counts
    if test["result"] == "SKIP" and counts == (0, 0, 0):
        return 0, 0, 1
    if test["result"] not in GOOD and failed == 0:
        return passed, 1, skipped
    if counts == (0, 0, 0):
        return 1, 0, 0
    return counts


def show(build, test):
    print(f"\n==== {test['result']}: {test['name']} ({os.path.basename(build)}), exit status {test.get('returncode')}")
    print(" ".join(test["command"]))
    for stream in ("stdout", "stderr"):
        if test.get(stream):
            print(f"---- {stream}\n{test[stream].rstrip()}")


def main(builds):
    total = [0, 0, 0]
    for build in builds:
        with open(os.path.join(build, "meson-logs", "testlog.json"), encoding="utf-8") as log:
            for line in log:
                test = json.loads(line)
                counts = cases_of(test)
                total = [a + b for a, b in zip(total, counts)]
                if counts[1]:
                    show(build, test)
    passed, failed, skipped = total
    print(f"\n{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
