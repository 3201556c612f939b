# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls run`: what it starts and with which environment, and what it refuses to start, and why."""

import json
import os
import shutil
import subprocess
import tempfile

import pytest

PYTHON = "/usr/bin/python3"
HELLO = '#include <stdio.h>\nint main(void) { puts("it ran"); return 0; }\n'
POLICY = '[rule "web"]\ndirection = outbound\nremote_port = 443\naction = tls\n'
# Tells what the started program sees.
WITNESS = """
import json, os, sys
with open("/proc/self/maps") as maps:
    loaded = sorted({line.split()[-1] for line in maps if "libseamtls.so" in line})
print(json.dumps({"loaded": loaded, "argv": sys.argv, "env": dict(os.environ)}))
"""


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "a.conf"
    path.write_text(POLICY)
    return path


@pytest.fixture
def library(build):
    return os.path.join(build, "shim", "libseamtls.so")


@pytest.fixture
def compiled(tmp_path):
    """Builds a program that says 'it ran', with further options of the compiler."""

    def build(*options):
        source, program = tmp_path / "hello.c", tmp_path / "hello"
        source.write_text(HELLO)
        subprocess.run(["cc", "-o", program, source, *options], check=True)
        return program

    return build


@pytest.fixture
def script(tmp_path):
    def write(text):
        path = tmp_path / "script"
        path.write_text(text)
        path.chmod(0o755)
        return path

    return write


def refused(result, reason):
    assert (result.returncode, result.stdout) == (1, ""), result.stderr
    assert result.stderr.startswith("seamtls run: ")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


def witness(result):
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_program_starts_with_the_library_first(seamtls, policy, library):
    seen = witness(
        seamtls("run", "-p", "a.conf", "-l", "batch", "--", PYTHON, "-c", WITNESS, "-p", "x", env={"LD_PRELOAD": "libm.so.6"})
    )
    assert seen["loaded"] == [library]
    assert seen["argv"] == ["-c", "-p", "x"]
    assert seen["env"]["LD_PRELOAD"] == library + ":libm.so.6"
    assert seen["env"]["SEAMTLS_POLICY"] == str(policy)
    assert seen["env"]["SEAMTLS_LABEL"] == "batch"


def test_environment_is_kept_where_no_option_is_given(seamtls, policy, library):
    seen = witness(
        seamtls("run", PYTHON, "-c", WITNESS, env={"SEAMTLS_POLICY": "./a.conf", "SEAMTLS_LABEL": "mine", "LD_PRELOAD": library})
    )
    assert seen["loaded"] == [library]
    assert seen["env"]["LD_PRELOAD"] == library
    assert seen["env"]["SEAMTLS_POLICY"] == str(policy)
    assert seen["env"]["SEAMTLS_LABEL"] == "mine"


def test_policy_by_name(seamtls, tmp_path):
    (tmp_path / "seamtls").mkdir()
    (tmp_path / "seamtls" / "office.conf").write_text(POLICY)
    seen = witness(seamtls("run", "-p", "office", PYTHON, "-c", WITNESS, env={"XDG_CONFIG_HOME": str(tmp_path)}))
    assert seen["env"]["SEAMTLS_POLICY"] == str(tmp_path / "seamtls" / "office.conf")


def test_exit_status_is_the_programs(seamtls, policy):
    assert seamtls("run", "-p", policy, "sh", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize(
    "first_line", [f"#!{PYTHON}", f"#! {PYTHON} -u ", "#!/usr/bin/env python3", "#!/usr/bin/env -S A=1 python3 -u"]
)
def test_scripts_lead_to_their_interpreter(seamtls, policy, library, script, first_line):
    path = script(first_line + "\n" + WITNESS)
    seen = witness(seamtls("run", "-p", policy, path, "x", env={"PATH": "/usr/bin:/bin"}))
    assert seen["loaded"] == [library]
    assert seen["argv"] == [str(path), "x"]


@pytest.mark.parametrize(
    "name, reason",
    [
        ("no-such-program", "cannot run 'no-such-program': No such file or directory"),
        ("./no-such-program", "cannot run './no-such-program': No such file or directory"),
        ("", "cannot run '': No such file or directory"),
        ("./a.conf", "cannot run './a.conf': Permission denied"),
        ("/", "cannot run '/': Permission denied"),
    ],
)
def test_what_is_no_program(seamtls, policy, name, reason):
    refused(seamtls("run", "-p", policy, "--", name), reason)


@pytest.mark.parametrize("options", [["-static"], ["-static-pie"]])
def test_static_program(seamtls, policy, compiled, options):
    refused(seamtls("run", "-p", policy, compiled(*options)), "is statically linked, so no loader runs")


@pytest.mark.parametrize(
    "loader, reason",
    [("/lib/ld-musl-x86_64.so.1", "is linked with musl"), ("/system/bin/linker64", "has the loader '/system/bin/linker64'")],
)
def test_other_libc(seamtls, policy, compiled, loader, reason):
    refused(seamtls("run", "-p", policy, compiled(f"-Wl,--dynamic-linker={loader}")), reason)


def test_other_word_size(seamtls, policy, compiled):
    program = compiled()
    image = bytearray(program.read_bytes())
    image[4] ^= 3  # EI_CLASS: 1 and 2 change places
    program.write_bytes(image)
    refused(seamtls("run", "-p", policy, program), "is a program for another machine or word size")


def test_damaged_program(seamtls, policy, compiled):
    program = compiled()
    program.write_bytes(program.read_bytes()[:100])
    refused(seamtls("run", "-p", policy, program), "cannot make sense of the program")


def test_go_program(seamtls, policy, compiled, tmp_path):
    program = compiled()
    (tmp_path / "buildinfo").write_bytes(b"\xff Go buildinf:")
    subprocess.run(["objcopy", "--add-section", f".go.buildinfo={tmp_path}/buildinfo", program], check=True)
    refused(seamtls("run", "-p", policy, program), "is a Go program: it makes system calls itself")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to somebody else")
@pytest.mark.parametrize("mode, reason", [(0o4755, "is setuid"), (0o2755, "is setgid")])
def test_program_with_privileges(seamtls, policy, compiled, mode, reason):
    program = compiled()
    os.chown(program, 65534, 65534)
    program.chmod(mode)
    refused(seamtls("run", "-p", policy, program), reason)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to somebody else")
def test_setgid_without_execution_by_the_group_means_nothing(seamtls, policy, compiled):
    program = compiled()
    os.chown(program, 0, 65534)
    program.chmod(0o2745)
    assert seamtls("run", "-p", policy, program).stdout == "it ran\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file capabilities")
def test_program_with_capabilities(build, compiled):
    with tempfile.TemporaryDirectory() as there:
        os.chmod(there, 0o755)
        tool, program = shutil.copy(f"{build}/tools/seamtls", there), shutil.copy(compiled(), there)
        subprocess.run(["/usr/sbin/setcap", "cap_net_bind_service=ep", program], check=True)
        result = subprocess.run([tool, "run", program], user=65534, group=65534, extra_groups=[], cwd="/", env={}, text=True,
                                capture_output=True)
        refused(result, "has file capabilities")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("echo it ran\n", "is neither a program nor a script"),
        ("", "is neither a program nor a script"),
        ("#!\n", "is neither a program nor a script"),
        ("#!/no/such/interpreter\n", "cannot run '/no/such/interpreter', the interpreter of"),
        ("#!/usr/bin/env -i sh\n", "is started by env with an empty environment"),
        ("#!/usr/bin/env -S - sh\n", "is started by env with an empty environment"),
        ("#!/usr/bin/env A=1\n", "what that starts cannot be told"),
        ("#!/usr/bin/env no-such-program\n", "cannot run 'no-such-program', the interpreter of"),
        ("#!./script\n", "is a script run by scripts"),
        ("#!./hello\n", "hello' is statically linked"),
    ],
)
def test_scripts_that_lead_nowhere(seamtls, policy, script, compiled, text, reason):
    compiled("-static")
    refused(seamtls("run", "-p", policy, script(text)), reason)


def test_policy_that_is_not_there(seamtls):
    refused(seamtls("run", "-p", "./none.conf", "true"), "none.conf")
    refused(seamtls("run", "-p", "none", "true", env={"XDG_CONFIG_HOME": "/nonexistent"}), "there is no policy 'none'")


def test_policy_that_is_here_but_was_meant_as_a_name(seamtls, policy):
    policy.rename(policy.with_name("office"))
    refused(seamtls("run", "-p", "office", "true"), "for the file here, say ./office")


def test_every_error_of_a_policy_is_told(seamtls, tmp_path):
    (tmp_path / "bad.conf").write_text('[rule "a"]\naction = tsl\ncolour = red\n')
    result = seamtls("run", "-p", "bad.conf", "echo", "it ran")
    assert (result.returncode, result.stdout) == (1, "")
    assert "bad.conf:2: " in result.stderr and "'tsl'" in result.stderr
    assert "bad.conf:3: " in result.stderr and "colour" in result.stderr


def may_mount():
    return os.getuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="only root, and not in every container, can have an /etc of its own")
@pytest.mark.parametrize(
    "machine, option, want",
    [
        ("locked = yes", ["-p", "./a.conf"], (1, "", "the policy './a.conf' cannot be used: '/etc/seamtls/policy.conf' is locked")),
        ("locked = yes", [], (0, "it ran\n", "")),
        ("locked = no", ["-p", "./a.conf"], (0, "it ran\n", "")),
        ("locked = perhaps", ["-p", "./a.conf"], (1, "", "/etc/seamtls/policy.conf:2: locked: ")),
    ],
)
def test_policy_of_the_machine(build, policy, tmp_path, machine, option, want):
    (tmp_path / "policy.conf").write_text(f"[global]\n{machine}\n")
    in_own_etc = "mount -t tmpfs none /etc && mkdir /etc/seamtls && cp policy.conf /etc/seamtls && exec \"$@\""
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c", in_own_etc, "sh", f"{build}/tools/seamtls", "run", *option, "echo", "it ran"],
        cwd=tmp_path, capture_output=True, text=True,
    )
    status, output, message = want
    assert (result.returncode, result.stdout) == (status, output)
    assert result.stderr == "" if status == 0 else message in result.stderr


@pytest.mark.parametrize(
    "args, message",
    [
        ([], "seamtls run: no program is given\n"),
        (["--"], "seamtls run: no program is given\n"),
        (["-l", "", "true"], "seamtls run: a label is one word, without commas: ''\n"),
        (["-l", "a b", "true"], "seamtls run: a label is one word, without commas: 'a b'\n"),
        (["--nothing", "true"], "seamtls run: unrecognized option '--nothing'\n"),
        (["-p"], "seamtls run: option requires an argument -- 'p'\n"),
    ],
)
def test_misuse(seamtls, args, message):
    result = seamtls("run", *args)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == message + "Try 'seamtls run --help'.\n"
