# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls doctor`: programs as they are on a machine, and processes that run."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit_files import rows


@pytest.fixture
def doctor(seamtls):
    """{what: (verdict, detail)} of the subject, and the exit status. What is said of the machine's kernel is the same for all."""

    def run(subject):
        result = seamtls("doctor", "--format=json", subject)
        assert result.stderr == ""
        found = {row["what"]: (row["verdict"], row["detail"]) for row in rows(result)}
        verdict, detail = found.pop("kernel TLS")
        loaded = "tls" in Path("/proc/sys/net/ipv4/tcp_available_ulp").read_text().split()
        assert verdict in ("ok", "note") and ("stay with the library" in detail or loaded)
        return found, result.returncode

    return run


@contextlib.contextmanager
def process(*argv, **env):
    """A process that waits, and has said that it does."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    child = subprocess.Popen([*(argv or (sys.executable, "-c", code))], env=os.environ | env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if not argv:
            child.stdout.readline()
        yield child
    finally:
        child.kill()
        child.communicate()


def test_program(doctor):
    found, status = doctor("sh")
    assert status == 0 and found["coverage"][0] == "ok"
    assert set(found) == {"coverage"}


@pytest.mark.parametrize("program, library", [("openssl", "libssl.so"), ("curl", "libgnutls.so|libssl.so"), ("gnutls-cli", "libgnutls.so")])
def test_own_tls(doctor, program, library):
    """Its own, or that of a library that it asks for."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    found, status = doctor(program)
    assert status == 0 and found["own TLS"][0] == "note" and re.search(library, found["own TLS"][1])


def test_static_program(doctor, tmp_path):
    (tmp_path / "p.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["cc", "-static", "-o", tmp_path / "p", tmp_path / "p.c"], check=True)
    found, status = doctor(tmp_path / "p")
    assert status == 1 and found["coverage"][0] == "no" and "statically linked" in found["coverage"][1]


def test_script(doctor, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert doctor(script) == ({"coverage": doctor("sh")[0]["coverage"], "interpreter": ("note", "/bin/sh")}, 0)


# System calls without libc, as compilers and people write them.
RAW = """
static long call(long number) { long r = number; %s return r; }
int main(int argc, char **argv) { return argc > 1 ? (int)call(0) : 0; }
"""


def compiled(tmp_path, name, text, *flags):
    (tmp_path / f"{name}.c").write_text(text)
    subprocess.run(["cc", "-O1", "-o", tmp_path / name, tmp_path / f"{name}.c", *flags], check=True)
    return tmp_path / name


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="code is looked at on x86-64 only")
@pytest.mark.parametrize("code, what, word", [
    ('asm volatile("mov $44, %%eax; syscall" : "=a"(r) :: "rcx", "r11", "memory");', "system calls", "sendto"),
    ('asm volatile("mov $42, %%rax; xor %%r10d, %%r10d; syscall" : "=a"(r) :: "rcx", "r10", "r11", "memory");', "system calls", "connect"),
    ('asm volatile("mov $425, %%eax; syscall" : "=a"(r) :: "rcx", "r11", "memory");', "io_uring", "strict"),
    ('asm volatile("mov $39, %%eax; syscall" : "=a"(r) :: "rcx", "r11", "memory");', None, None),
    ('asm volatile("mov $44, %%r8d; mov $39, %%eax; syscall" : "=a"(r) :: "r8", "rcx", "r11", "memory");', None, None),
    ('asm volatile("mov $44, %%eax; mov $39, %%eax; syscall" : "=a"(r) :: "rcx", "r11", "memory");', None, None),
])
def test_system_calls_without_libc(doctor, tmp_path, code, what, word):
    path = compiled(tmp_path, "raw", RAW % code)
    found, status = doctor(path)
    assert status == 0 and set(found) == {"coverage", *([what] if what else [])}
    assert not what or (found[what][0] == "warning" and word in found[what][1] and "raw" in found[what][1])


def test_what_is_loaded_while_it_runs(doctor, tmp_path):
    """TLS by dlopen(), TLS that is linked in, and a namespace of its own."""
    text = '#define _GNU_SOURCE\n#include <dlfcn.h>\nint main(void) { return dlopen("%s", 2) == 0; }'
    found, _ = doctor(compiled(tmp_path, "opens", text % "libssl.so.3"))
    assert "libssl.so, which opens may load" in found["own TLS"][1]
    found, _ = doctor(compiled(tmp_path, "spaces", text.replace("dlopen(", "dlmopen(LM_ID_NEWLM, ") % "libm.so.6"))
    assert "refused" in found["namespaces"][1]
    found, _ = doctor(compiled(tmp_path, "inside", '#include <stdio.h>\nint main(void) { puts("TLS_AES_128_GCM_SHA256"); }'))
    assert "linked into it" in found["own TLS"][1]


def test_the_interpreter_of_a_script_is_looked_at(doctor, tmp_path):
    path = compiled(tmp_path, "raw", RAW % 'asm volatile("mov $44, %%eax; syscall" : "=a"(r) :: "rcx", "r11", "memory");')
    script = tmp_path / "script"
    script.write_text(f"#!{path}\n")
    script.chmod(0o755)
    found, _ = doctor(script)
    assert found["interpreter"] == ("note", str(path)) and (os.uname().machine != "x86_64" or "system calls" in found)


def library(build):
    with open(f"{build}/tools/seamtls", "rb") as file:
        if b"__asan_init" in file.read():
            pytest.skip("the sanitizer's runtime would have to come first")
    return os.path.realpath(f"{build}/shim/libseamtls.so")


def test_covered_process(build, doctor):
    path = library(build)
    with process(LD_PRELOAD=path, SEAMTLS_POLICY="/some/policy.conf", SEAMTLS_DISABLE="1") as child:
        found, status = doctor(child.pid)
    assert status == 0 and found["coverage"] == ("ok", path)
    assert found["SEAMTLS_POLICY"] == ("note", "/some/policy.conf") and found["SEAMTLS_DISABLE"] == ("warning", "1")


def test_the_policy_that_a_process_has_loaded(build, doctor, tmp_path):
    """What it says itself, in the audit that it writes."""
    (tmp_path / "p.conf").write_text(f"[global]\ndefault = observe\naudit_dir = {tmp_path}/audit\n")
    code = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); print(flush=True); sys.stdin.read()"
    with process(sys.executable, "-c", code, LD_PRELOAD=library(build), SEAMTLS_POLICY=str(tmp_path / "p.conf")) as child:
        child.stdout.readline()
        found, status = doctor(child.pid)
    assert status == 0 and found["policy"] == ("note", f"loaded {tmp_path}/p.conf, 0 rules")
    assert found["audit"][1].startswith(f"{tmp_path}/audit/")


def test_replaced_library(build, doctor, tmp_path):
    copied = shutil.copy(library(build), tmp_path)
    with process(LD_PRELOAD=copied) as child:
        os.unlink(copied)
        found, status = doctor(child.pid)
    assert status == 0 and found["version"][0] == "warning"


def test_process_that_is_not_covered(doctor):
    with process() as child:
        found, status = doctor(child.pid)
    assert status == 1 and found["coverage"] == ("no", "the library is not in the process")
    assert "LD_PRELOAD did not name the library" in found["reason"][1]


def test_truncated_and_damaged_programs(seamtls, tmp_path):
    """Whatever the file holds, it is an answer or a message."""
    with open("/bin/sh", "rb") as file:
        data = file.read()
    for n in [0, 1, 20, 63, 64, 100, 1000, 4096, len(data) // 2]:
        wrong = tmp_path / "cut"
        wrong.write_bytes(data[:n])
        wrong.chmod(0o755)
        assert seamtls("doctor", wrong).returncode in (0, 1)
    for n in range(64, 1200, 7):
        changed = bytearray(data)
        changed[n:n + 8] = b"\xff" * 8
        wrong.write_bytes(changed)
        assert seamtls("doctor", wrong).returncode in (0, 1)


@pytest.mark.parametrize("args, status", [([], 2), (["a", "b"], 2), (["--format=x", "sh"], 2), (["no-such-program"], 1), (["999999999"], 1), (["99999999999"], 1)])
def test_misuse(seamtls, args, status):
    result = seamtls("doctor", *args)
    assert (result.returncode, result.stdout) == (status, "") and result.stderr
