# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls check`, `explain` and `policy`: what people and programs are told about a policy."""

import csv
import io
import json
import os
import re
import subprocess

import pytest

POLICY = """
[global]
default = observe
[profile "internal"]
min_version = 1.3
ca = ca.pem
cert = server.pem
key = server.key
[rule "redis"]
direction = outbound
remote_port = 6380, 7000-7010
remote_host = *.cache.example.com
action = tls
profile = internal
[rule "web"]
direction = inbound
local_port = 8443
action = tls
profile = internal
handshake_timeout = 5
"""


@pytest.fixture
def policy(tmp_path, seamtls):
    """Writes a policy, beside the files that it may name."""
    assert seamtls("cert", "server").returncode == 0

    def write(text=POLICY, name="p.conf"):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o644)
        return path

    return write


def test_all_errors_go_to_stderr_where_editors_find_them(seamtls, policy):
    path = policy('[globl]\n[rule "a"]\naction = tsl\nremote_prot = 1\n')
    result = seamtls("check", path)
    assert (result.returncode, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{path}:1: unknown section [globl]; did you mean 'global'?")
    assert lines[1].startswith(f"{path}:3: action: found 'tsl', did you mean 'tls'?")
    assert lines[2] == f"{path}:4: remote_prot: unknown key; did you mean 'remote_port'?"
    assert len(lines) == 3


@pytest.mark.parametrize(
    "args, message",
    [
        (["check", "no-such-name"], "there is no policy 'no-such-name'"),
        (["check", "./missing.conf"], "No such file or directory"),
        (["check", "."], "is a directory"),
        (["check", "/dev/null"], "is not a regular file"),
        (["explain", "-p", "./missing.conf"], "No such file or directory"),
        (["explain", "--user", "no-such-user-here"], "cannot find the user 'no-such-user-here'"),
    ],
)
def test_failures(seamtls, tmp_path, args, message):
    result = seamtls(*[f"{tmp_path}/" if a == "." else a for a in args], env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert (result.returncode, result.stdout) == (1, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    "args, message",
    [
        (["check", "a", "b"], "one policy at a time"),
        (["check", "--format", "xml"], "--format: found 'xml', allowed: table, json, csv"),
        (["check", "--nonsense"], "unrecognized option"),
        (["explain", "--format", "csv"], "--format: found 'csv', allowed: table, json"),
        (["explain", "--direction", "both"], "--direction: found 'both', allowed: outbound, inbound"),
        (["explain", "--remote", "example.com:443"], "found 'example.com:443', allowed: ADDRESS:PORT"),
        (["explain", "--remote", "10.0.0.1:65536"], "allowed: ADDRESS:PORT"),
        (["explain", "--remote", "10.0.0.1:0"], "allowed: ADDRESS:PORT"),
        (["explain", "--remote", "10.0.0.1:"], "allowed: ADDRESS:PORT"),
        (["explain", "--remote", "[::1"], "allowed: ADDRESS:PORT"),
        (["explain", "--remote", "[]:443"], "allowed: ADDRESS:PORT"),
        (["explain", "--remote", ""], "allowed: ADDRESS:PORT"),
        (["explain", "x"], "unexpected argument 'x'"),
        (["policy"], "allowed: policy default"),
        (["policy", "other"], "allowed: policy default"),
    ],
)
def test_misuse(seamtls, args, message):
    result = seamtls(*args)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr


def test_table_of_rules(seamtls, policy):
    result = seamtls("check", policy())
    assert (result.returncode, result.stderr) == (0, "")
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert lines[0] == ["rule", "action", "relaxes  conditions"]
    assert lines[1] == ["redis", "tls", "direction = outbound; remote_port = 6380, 7000-7010; remote_host = *.cache.example.com"]
    assert lines[2] == ["web", "tls", "direction = inbound; local_port = 8443"]
    assert lines[3] == ["(no", "rule)", "observe"]
    assert not any(line.endswith(" ") for line in result.stdout.splitlines())


def test_json_and_csv_have_the_same_rows(seamtls, policy):
    path = policy(POLICY.replace("action = tls", "action = tls\ntruncation = accept", 1).replace('"web"', '"w,e\\b"'))
    rows = [json.loads(line) for line in seamtls("check", "--format", "json", path).stdout.splitlines()]
    assert rows[0]["rule"] == "redis"
    assert rows[0]["relaxes"] == "truncation = accept"
    assert rows[1] == {"rule": "w,e\\b", "action": "tls", "conditions": "direction = inbound; local_port = 8443"}
    assert rows[2] == {"action": "observe"}
    table = list(csv.DictReader(io.StringIO(seamtls("check", "--format", "csv", path).stdout)))
    assert [{k: v for k, v in row.items() if v} for row in table] == rows


@pytest.mark.parametrize(
    "change, message",
    [
        (("action = tls", "action = tls\nverify = none"), ':9: warning: the rule "redis" has verify = none: the peer is not verified'),
        (("action = tls", "action = tls\nverify = chain"), "has verify = chain: any host"),
        (("local_port = 8443", "accept = both"), 'the rule "web" has accept = both: clients may go on without TLS'),
        (("local_port = 8443", "local_port = 8443\nstart = program"), "has start = program: it is in the clear until the program itself"),
        (("local_port = 8443", "local_port = 8443\nkeylog = keys.log"), "/keys.log: whoever can read this file can read the connections"),
        (("[rule \"redis\"]", '[rule "own"]\nremote_port = 443\naction = pass\nrequire = tls\n[rule "redis"]'),
         ':9: warning: the rule "own" has require, and [global] has no strict = yes: what a program sends by io_uring is not seen'),
        (("[rule \"redis\"]", "[rule \"all\"]\naction = deny\n[rule \"redis\"]"), 'the rule "web" is never reached: the rule "all" at'),
    ],
)
def test_warnings_do_not_fail(seamtls, policy, change, message):
    result = seamtls("check", policy(POLICY.replace(*change, 1)))
    assert result.returncode == 0
    assert message in result.stderr
    assert "web" in result.stdout


def test_a_key_that_everybody_can_read(seamtls, policy, tmp_path):
    path = policy()
    (tmp_path / "server.key").chmod(0o644)
    result = seamtls("check", path)
    assert result.returncode == 0
    assert result.stderr.count("warning") == 1  # once, although two rules use it
    assert f"every user of this machine can read the key in '{tmp_path}/server.key'" in result.stderr
    (tmp_path / "server.key").chmod(0o600)
    (tmp_path / "server.pem").chmod(0o644)
    assert seamtls("check", path).stderr == ""
    with open(tmp_path / "server.pem", "ab") as file:
        file.write((tmp_path / "server.key").read_bytes())
    assert "can read the key in '" in seamtls("check", policy(POLICY.replace("key = server.key\n", ""))).stderr


def test_a_password_that_everybody_can_read(seamtls, policy, tmp_path):
    key, password = tmp_path / "server.key", tmp_path / "password"
    password.write_text("secret\n")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", key, "-out", tmp_path / "locked.key", "-passout", f"file:{password}"], check=True)
    path = policy(POLICY.replace("key = server.key", "key = locked.key\npassword_file = password"))
    (tmp_path / "locked.key").chmod(0o644)
    password.chmod(0o600)
    assert seamtls("check", path).stderr == ""
    password.chmod(0o644)
    result = seamtls("check", path)
    assert result.returncode == 0
    assert f"every user of this machine can read the password in '{password}'" in result.stderr


def test_credentials_that_cannot_be_used(seamtls, policy, tmp_path):
    assert seamtls("cert", "other").returncode == 0
    path = policy(POLICY.replace("key = server.key", "key = other.key"))
    result = seamtls("check", path)
    assert result.returncode == 1
    assert result.stderr == (
        f"{path}:9: error: the rule \"redis\": the key '{tmp_path}/other.key' does not belong to the certificate "
        f"'{tmp_path}/server.pem'\n"
    )
    assert "web" in result.stdout
    (tmp_path / "server.pem").write_text("x")
    assert "no certificate in '" in seamtls("check", policy()).stderr
    (tmp_path / "ca.pem").write_text("x")
    assert "no certificate in the CA file '" in seamtls("check", policy(POLICY.replace("cert = server.pem\nkey = server.key\n", "").replace("direction = inbound", "direction = outbound").replace("local_port", "remote_port"))).stderr


def test_certificates_that_end(seamtls, policy, tmp_path, pki):
    assert seamtls("cert", "--days=7", "--force", "server").returncode == 0
    result = seamtls("check", policy())
    assert result.returncode == 0
    assert result.stderr.count("warning") == 1
    assert re.search(f"the certificate '{tmp_path}/server.pem' expires in [67] days, on 2", result.stderr)
    (tmp_path / "server.pem").write_bytes(pki.expired.cert.read_bytes())
    (tmp_path / "server.key").write_bytes(pki.expired.key.read_bytes())
    result = seamtls("check", policy())
    assert result.returncode == 0
    assert f"the certificate '{tmp_path}/server.pem' has expired: a certificate in it is not valid after 2021-01-01" in result.stderr


def test_a_policy_that_everybody_can_write(seamtls, policy):
    path = policy()
    path.chmod(0o666)
    result = seamtls("check", path)
    assert result.returncode == 0
    assert result.stderr == f"{path}: warning: others than its owner can write the policy\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_key_that_this_user_cannot_read(build, policy, tmp_path):
    path = policy()
    for folder in [tmp_path, *tmp_path.parents]:
        if folder != folder.parent and folder.stat().st_mode & 0o5 != 0o5:
            folder.chmod(folder.stat().st_mode | 0o5)
    result = subprocess.run(
        [os.path.join(build, "tools", "seamtls"), "check", str(path)], capture_output=True, text=True, user=65534, group=65534, extra_groups=[]
    )
    assert result.returncode == 0
    assert f"cannot read the key '{tmp_path}/server.key': Permission denied" in result.stderr


def test_policy_by_name_and_by_environment(seamtls, policy, tmp_path):
    (tmp_path / "seamtls").mkdir()
    policy("[global]\ndefault = deny\n", "seamtls/mine.conf")
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert "deny" in seamtls("check", "mine", env=env).stdout
    assert "deny" in seamtls("check", env=env | {"SEAMTLS_POLICY": "mine"}).stdout
    assert "deny" in seamtls("check", "seamtls/mine.conf").stdout


def test_the_built_in_policy_is_a_policy(seamtls, policy):
    text = seamtls("policy", "default").stdout
    result = seamtls("check", policy(text))
    assert (result.returncode, result.stderr) == (0, "")
    assert "443, 465" in result.stdout


def explain(seamtls, *args):
    result = seamtls("explain", "-p", "p.conf", *args)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_explains_why_not_and_why(seamtls, policy):
    path = policy()
    out = explain(seamtls, "--direction", "inbound", "--local", "[::ffff:10.0.0.1]:8443")
    assert out.splitlines()[:3] == [
        f"policy: {path}",
        f'not "redis" ({path}:9): direction is outbound; the connection\'s is inbound',
        f'rule "web" ({path}:15): tls',
    ]
    settings = dict(line.split(maxsplit=1) for line in out.split("settings:\n")[1].splitlines())
    assert settings["min_version"] == "1.3"
    assert settings["handshake_timeout"] == "5"
    assert settings["cert"] == f"{path.parent}/server.pem"
    assert "verify" not in settings and settings["client_auth"] == "none"


def test_explains_starttls(seamtls, policy):
    policy(POLICY + "starttls = imap\n")
    out = explain(seamtls, "--direction", "inbound", "--local", ":8443")
    assert dict(line.split(maxsplit=1) for line in out.split("settings:\n")[1].splitlines())["starttls"] == "imap"
    other = explain(seamtls, "--remote", ":6380", "--host", "a.cache.example.com")
    assert not re.search("^ *starttls ", other, re.M)


def test_explains_the_default(seamtls, policy):
    policy()
    out = explain(seamtls, "--remote", "10.0.0.1:6380", "--host", "cache.example.com")
    assert "remote_host is *.cache.example.com; the program looked up cache.example.com" in out
    assert out.splitlines()[-1] == "no rule matches: the default action is observe"


def test_explain_as_json(seamtls, policy):
    path = policy()
    rows = [json.loads(line) for line in explain(seamtls, "--format", "json", "--direction", "inbound", "--local", ":8443").splitlines()]
    assert rows[0] == {
        "rule": "redis", "file": str(path), "line": 9, "action": "tls", "matches": False,
        "why": "direction is outbound; the connection's is inbound",
    }
    assert (rows[1]["rule"], rows[1]["matches"], rows[1]["settings"]["max_version"]) == ("web", True, "1.3")
    rows = [json.loads(line) for line in explain(seamtls, "--format", "json").splitlines()]
    assert rows[-1] == {"action": "observe", "matches": True, "why": "no rule matches"}


@pytest.mark.parametrize(
    "condition, args",
    [
        ("remote_port = 443", ["--remote", "10.0.0.1:443"]),
        ("remote_port = 443", ["--remote", ":443"]),
        ("remote_address = 2001:db8::1", ["--remote", "2001:db8::1"]),
        ("remote_address = 2001:db8::1\nremote_port = 5", ["--remote", "[2001:db8::1]:5"]),
        ("local_address = 10.0.0.0/8", ["--local", "10.9.9.9"]),
        ("remote_host = b.example", ["--host", "a.example", "--host", "B.example."]),
        ("program = /no/such/*", ["--program", "/no/such/program"]),
        ("program = sh, dash, bash, busybox", ["--program", "sh"]),
        ("user = daemon\ngroup = daemon", ["--user", "daemon"]),
        ("user = daemon", ["--user", "1"]),
        ("user = 4000000000\ngroup = 4000000000", ["--user", "4000000000"]),
        ("label = prod", ["-l", "prod"]),
    ],
)
def test_explain_asks_for_what_was_said(seamtls, policy, condition, args):
    policy(f'[rule "it"]\naction = deny\n{condition}\n')
    assert 'rule "it"' in explain(seamtls, *args).splitlines()[-1]
    assert explain(seamtls).splitlines()[-1] == "no rule matches: the default action is pass"
