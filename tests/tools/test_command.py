# SPDX-License-Identifier: GPL-3.0-or-later
"""What all subcommands share: help, usage errors, exit statuses."""

import re
import subprocess

import pytest


def commands(seamtls):
    return re.findall(r"^  (\w+) ", seamtls("--help").stdout, re.M)


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["help"]])
def test_overview_is_data(seamtls, args):
    result = seamtls(*args)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: seamtls COMMAND")


def test_every_command_has_help(seamtls):
    names = commands(seamtls)
    assert "help" in names
    for name in names:
        result = seamtls(name, "--help")
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith(f"usage: seamtls {name} ")
        assert seamtls("help", name).stdout == result.stdout


@pytest.mark.parametrize(
    "args, message",
    [
        ([], "usage: seamtls"),
        (["nothing"], "seamtls: unknown command 'nothing'\n"),
        (["--nothing"], "seamtls: unknown command '--nothing'\n"),
        ([""], "seamtls: unknown command ''\n"),
        (["help", "nothing"], "seamtls help: unknown command 'nothing'\n"),
        (["help", "help", "help"], "seamtls help: one command at a time\n"),
    ],
)
def test_misuse_is_2(seamtls, args, message):
    result = seamtls(*args)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(message)


def test_version(seamtls):
    assert re.fullmatch(r"seamtls \d+\.\d+\.\d+\n", seamtls("--version").stdout)


def test_output_that_cannot_be_written_is_a_failure(build):
    with open("/dev/full", "w") as full:
        result = subprocess.run([f"{build}/tools/seamtls", "--version"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1
    assert result.stderr == "seamtls: cannot write to standard output\n"
