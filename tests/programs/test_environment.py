# SPDX-License-Identifier: GPL-3.0-or-later
"""
What the environment chooses: the policy, by path or by name, and its label; and what it may not choose. Which policy is in
force is seen in whether it lets a connection through: the port that a policy denies tells which one it was.
"""
import os
import shutil
import subprocess
import sys

import pytest

from peers import Echo, start_plain_server
from seam import rule, section

pytestmark = pytest.mark.tls_only

CONNECT = """
import os, socket, sys
{before}
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10).close()
    print("ok")
except OSError as error:
    print(error.errno == 13 and "denied" or error)
"""
AS_NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
EMPTIED = "os.environ.clear(); os.environ['HOME'] = '/nowhere'; os.environ['XDG_CONFIG_HOME'] = '/nowhere'"


@pytest.fixture
def port(seam):
    return start_plain_server(seam, Echo).port


def deny(port, **conditions):
    return section("global", None, {"default": "pass"}) + rule("outbound", port, action="deny", **conditions)


def outcome(seam, port, before="", wrapper=(), cwd=None, python=sys.executable, preload=True, **env):
    """What a program's connection to the port came to: "ok", "denied", or an error."""
    full = {"PATH": os.environ["PATH"], "SEAMTLS_AUDIT": str(seam.dir / "audit"), **env}
    if preload:
        full["LD_PRELOAD"] = str(seam.library)
    done = subprocess.run([*wrapper, python, "-c", CONNECT.format(before=before), str(port)], env=full, cwd=cwd,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def is_in_force(seam, port, *args, **env):
    """The policy that denies the port, and nothing else: what cannot be found would deny everything."""
    other = start_plain_server(seam, Echo).port
    return outcome(seam, port, *args, **env) == "denied" and outcome(seam, other, *args, **env) == "ok"


def test_path(seam, port):
    (seam.dir / "p.conf").write_text(deny(port))
    assert outcome(seam, port) == "ok"
    assert is_in_force(seam, port, SEAMTLS_POLICY=str(seam.dir / "p.conf"))


@pytest.mark.parametrize("place, variable", [("seamtls", "XDG_CONFIG_HOME"), (".config/seamtls", "HOME")])
@pytest.mark.parametrize("before", ["", EMPTIED], ids=["kept", "emptied"])
def test_name(seam, port, place, variable, before):
    """The directories are those that the program was started with, whatever it has made of its environment."""
    (seam.dir / place).mkdir(parents=True)
    (seam.dir / place / "office.conf").write_text(deny(port))
    assert is_in_force(seam, port, before, SEAMTLS_POLICY="office", **{variable: str(seam.dir)})


@pytest.mark.parametrize("setting", ["p.conf", "./p.conf"])
def test_relative_path_after_a_change_of_directory(seam, port, setting):
    (seam.dir / "p.conf").write_text(deny(port))
    before = "os.chdir('/')"
    assert is_in_force(seam, port, before, cwd=seam.dir, SEAMTLS_POLICY=setting)
    assert is_in_force(seam, port, before + "\npid = os.fork()\nif pid: os.waitpid(pid, 0); sys.exit()",
                       cwd=seam.dir, SEAMTLS_POLICY=setting)


@pytest.mark.parametrize("setting", ["no-such-name", "./no-such-file", "/dev/null/x", "broken"])
def test_what_is_not_there_or_does_not_load_stops_all_connections(seam, port, setting):
    (seam.dir / "seamtls").mkdir()
    (seam.dir / "seamtls" / "broken.conf").write_text("[rule\n")
    assert outcome(seam, port, SEAMTLS_POLICY=setting, XDG_CONFIG_HOME=str(seam.dir)) == "denied"


def test_audit_directory_of_a_user_who_empties_the_environment(seam, port):
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    (seam.dir / "p.conf").write_text(section("global", None, {"default": "observe"}))
    home = seam.make_dir("home")
    os.chown(home, 65534, 65534)
    full = {"SEAMTLS_POLICY": str(seam.dir / "p.conf"), "SEAMTLS_AUDIT": "", "HOME": str(home)}
    assert outcome(seam, port, EMPTIED, wrapper=AS_NOBODY, **full) == "ok"
    assert list((home / ".local/state/seamtls").iterdir()), "no audit where the home was at the start"


def test_label(seam, port):
    (seam.dir / "p.conf").write_text(deny(port, label="batch, night-*"))
    policy = {"SEAMTLS_POLICY": str(seam.dir / "p.conf")}
    assert outcome(seam, port, **policy) == "ok"
    assert outcome(seam, port, SEAMTLS_LABEL="batches", **policy) == "ok"
    assert outcome(seam, port, SEAMTLS_LABEL="batch", **policy) == "denied"
    assert outcome(seam, port, EMPTIED, SEAMTLS_LABEL="night-1", **policy) == "denied"


def test_disable(seam, port):
    (seam.dir / "p.conf").write_text(deny(port))
    policy = {"SEAMTLS_POLICY": str(seam.dir / "p.conf")}
    assert outcome(seam, port, SEAMTLS_DISABLE="1", **policy) == "ok"
    assert outcome(seam, port, SEAMTLS_DISABLE="0", **policy) == "denied"


# --- With a policy of the machine: in a mount namespace, so that the real /etc stays as it is.

def may_mount():
    return os.getuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


needs_own_etc = pytest.mark.skipif(not may_mount(), reason="only root, and not in every container, can have an /etc of its own")


def own_etc(seam, policy, user=(), **files):
    """The beginning of a command that runs with an /etc that has nothing but this."""
    made = seam.make_dir("etc")
    (made / "seamtls").mkdir()
    if policy is not None:
        (made / "seamtls" / "policy.conf").write_text(policy)
    for name, text in files.items():
        (made / name).write_text(text)
    return ["unshare", "--mount", "sh", "-c", f"mount --bind {made} /etc && exec \"$@\"", "sh", *user]


@needs_own_etc
def test_precedence(seam, port):
    other = start_plain_server(seam, Echo).port
    (seam.dir / "own.conf").write_text(deny(other))
    own = {"SEAMTLS_POLICY": str(seam.dir / "own.conf")}
    machine = own_etc(seam, deny(port))
    locked = own_etc(seam, deny(port).replace("[global]", "[global]\nlocked = yes", 1))
    none = own_etc(seam, None)

    assert outcome(seam, port, wrapper=none) == "ok", "the built-in policy observes"
    assert outcome(seam, port, wrapper=machine) == "denied", "the machine's goes before the built-in one"
    assert outcome(seam, port, wrapper=machine, **own) == "ok", "the environment goes before the machine's"
    assert outcome(seam, other, wrapper=machine, **own) == "denied"
    assert outcome(seam, port, wrapper=locked, **own) == "denied", "a locked one goes before the environment"
    assert outcome(seam, other, wrapper=locked, **own) == "ok"
    assert outcome(seam, port, wrapper=locked, SEAMTLS_DISABLE="1") == "denied"
    assert outcome(seam, port, wrapper=machine, SEAMTLS_DISABLE="1") == "ok"


@needs_own_etc
def test_name_in_the_machine_s_directory(seam, port):
    (seam.dir / "seamtls").mkdir()
    wrapper = own_etc(seam, None, **{"seamtls/office.conf": deny(port)})
    assert is_in_force(seam, port, wrapper=wrapper, SEAMTLS_POLICY="office", XDG_CONFIG_HOME=str(seam.dir))


@needs_own_etc
def test_setuid_program_does_not_follow_the_environment(seam, port):
    """AT_SECURE: the loader takes the library from /etc/ld.so.preload only, and the library takes nothing from a user."""
    other = start_plain_server(seam, Echo).port
    (seam.dir / "own.conf").write_text(deny(other))
    python = seam.dir / "python"
    shutil.copy(os.path.realpath(sys.executable), python)
    python.chmod(0o4755)
    library = seam.dir / "libseamtls.so"
    shutil.copy(seam.library, library)
    library.chmod(0o755)
    wrapper = own_etc(seam, deny(port), AS_NOBODY, **{"ld.so.preload": f"{library}\n"})
    setting = {"SEAMTLS_POLICY": str(seam.dir / "own.conf"), "SEAMTLS_DISABLE": "1", "SEAMTLS_AUDIT": "none"}
    assert outcome(seam, port, wrapper=wrapper, python=str(python), preload=False, **setting) == "denied"
    assert outcome(seam, other, wrapper=wrapper, python=str(python), preload=False, **setting) == "ok"
