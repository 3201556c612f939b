# SPDX-License-Identifier: GPL-3.0-or-later
"""An observer around covered programs, that sees each system call with which they send (tests/faults/observer.c).

SEAMTLS_TEST_OBSERVER=DIRECTORY puts it around every covered program of every test; what it saw is left in the directory,
and a test fails if something that is no TLS record left by a connection that the policy protects. tests/faults/observe
does that for all of them.
"""
import itertools
import os
import re
from pathlib import Path

from built import built

DIRECTORY = os.environ.get("SEAMTLS_TEST_OBSERVER")
# Conditions that a port does not tell, and settings under which the clear is allowed.
NOT_BY_PORT = {"remote_host", "program", "user", "group", "label", "local_address", "remote_address"}
IN_THE_CLEAR = [("start", "program"), ("accept", "both"), ("if_program_tls", "pass")]
_numbers = itertools.count(1)


def rules_of(text):
    """The rules of a policy, each as a dict; what a profile says is not looked at."""
    for title, body in re.findall(r'^\[(rule|profile)[^\]]*\]\n(.*?)(?=^\[|\Z)', text, re.M | re.S):
        if title == "rule":
            yield dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", body, re.M))


def ports_of(policy):
    """The observer's `-p` options: what the policy protects for certain."""
    try:
        text = Path(policy).read_text()
    except (OSError, ValueError):
        return []
    options = []
    for rule in rules_of(text):
        if NOT_BY_PORT & rule.keys() or any(rule.get(key) == value for key, value in IN_THE_CLEAR):
            return options  # what comes after may be about the same ports
        if rule.get("action") != "tls":
            return options
        prefix = "+" if "starttls" in rule else ""
        for way, key in (("in", "local_port"), ("out", "remote_port")):
            if key in rule and rule.get("direction", f"{way}bound") == f"{way}bound":
                options += ["-p", f"{prefix}{way}:{rule[key].replace(' ', '')}"]
    return options


def observer(report, *options):
    """The command before which a program's command is put."""
    return [str(built("tests", "faults", "observer")), "-r", str(report), *map(str, options)]


def leaks(report):
    """What should not have been sent, a line each."""
    try:
        lines = Path(report).read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if line.startswith("leak: ")]


def reap(report):
    """The tracer is an orphan, which the tests adopt."""
    try:
        tracer = re.match(r"tracer: (\d+)\n", Path(report).read_text(errors="replace"))
        os.waitpid(int(tracer.group(1)), os.WNOHANG)
    except (AttributeError, OSError):
        pass


def wrap(argv, policy):
    """argv under the observer, and its report; as it is, and None, if nobody is to be observed."""
    options = ports_of(policy) if DIRECTORY and policy is not None else []
    if not options:
        return argv, None
    test = re.sub(r"\W+", "-", os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0])[-120:]
    report = Path(DIRECTORY) / f"{os.getpid()}-{next(_numbers)}-{test}"
    return [*observer(report, *options), *map(str, argv)], report
