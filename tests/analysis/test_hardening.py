# SPDX-License-Identifier: GPL-3.0-or-later
"""What was built has the protections that the compiler, the linker and the processor offer (README, SECURITY.md).

A library that is loaded into every program must not weaken one of them.
"""
import json
import re
import subprocess

import pytest

from seam import built

LIBRARY = ("shim", "libseamtls.so")
COMMAND = ("tools", "seamtls")


def output(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"
    return done.stdout


@pytest.fixture(params=[LIBRARY, COMMAND], ids=["library", "command"])
def binary(request):
    return built(*request.param)


def segments(path):
    """(type, flags) of each program header."""
    rows = re.findall(r"^ +([A-Z_]+) +0x\w+ 0x\w+ 0x\w+ 0x\w+ 0x\w+ ([RWE ]{3})", output("readelf", "-Wl", path), re.M)
    assert rows, "readelf shows no segments"
    return rows


def dynamic(path):
    """The dynamic section, a (tag, value) each."""
    return re.findall(r"^ 0x\w+ \((\w+)\) +(.*)$", output("readelf", "-Wd", path), re.M)


def test_relocations_are_read_only_from_the_start(binary):
    tags = dict(dynamic(binary))
    assert "GNU_RELRO" in [kind for kind, _ in segments(binary)]
    assert "NOW" in tags["FLAGS_1"] and "BIND_NOW" in tags["FLAGS"]
    assert "TEXTREL" not in tags and "TEXTREL" not in tags["FLAGS"]


def test_nothing_is_writable_and_executable(binary):
    rows = segments(binary)
    assert [flags for kind, flags in rows if kind == "GNU_STACK"] == ["RW "]
    assert not [row for row in rows if "W" in row[1] and "E" in row[1]]


def test_no_folder_is_searched_for_libraries(binary):
    assert not [value for tag, value in dynamic(binary) if tag in ("RPATH", "RUNPATH")]


def test_only_libc_is_needed(binary):
    needed = {re.search(r"\[(.*)\]", value)[1] for tag, value in dynamic(binary) if tag == "NEEDED"}
    assert needed <= {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def test_the_command_may_lie_anywhere():
    assert "PIE" in dict(dynamic(built(*COMMAND)))["FLAGS_1"]


def test_stacks_are_guarded_and_copies_are_checked(binary):
    imported = output("nm", "-D", "--undefined-only", binary)
    assert "__stack_chk_fail" in imported and "__memcpy_chk" in imported


def test_every_source_is_compiled_with_the_protections():
    """shim/calls and shim/*_names.c define the very names that fortified headers make inline functions of."""
    rows = json.loads(built("compile_commands.json").read_text())
    assert any("wolfssl" in row["file"] for row in rows) and any("shim/conn/" in row["file"] for row in rows)
    for row in rows:
        if row["file"].endswith(".S") or "/tests/" in row["file"]:
            continue
        flags = row["command"].split()
        assert "-fstack-protector-strong" in flags, row["file"]
        assert "-D_FORTIFY_SOURCE=2" in flags, row["file"]
        if "-U_FORTIFY_SOURCE" in flags[flags.index("-D_FORTIFY_SOURCE=2"):]:
            assert "shim/calls/" in row["file"] or re.search(r"shim/\w+_names\.c$", row["file"]), row["file"]


@pytest.mark.skipif(output("uname", "-m").strip() != "x86_64", reason="ENDBR64 is an instruction of x86-64")
def test_indirect_branches_have_landing_pads():
    """Each function that a program can call begins with ENDBR64, in case the processor insists on it."""
    path = built(*LIBRARY)
    exported = {line.split()[-1].split("@")[0] for line in output("nm", "-D", "--defined-only", path).splitlines() if " T " in line}
    first = dict(re.findall(r"^\w+ <(\w+)>:\n +\w+:\t(\w+)", output("objdump", "-d", "--no-show-raw-insn", path), re.M))
    assert len(exported & set(first)) > 100
    assert not [name for name in exported & set(first) if first[name] != "endbr64"]
