# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls cert`, judged by OpenSSL."""

import os
import stat
import subprocess

import pytest


def openssl(*args):
    result = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def extension(pem, name):
    """The text of an extension, 'critical' in front if it is."""
    lines = openssl("x509", "-in", pem, "-noout", "-ext", name).strip().splitlines()
    critical = "critical " if lines[0].strip().endswith("critical") else ""
    return critical + " ".join(line.strip() for line in lines[1:])


def verify(ca, pem, *options):
    return openssl("verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", ca, *options, pem)


def key_id(pem, name):
    return extension(pem, name).split()[-1]


@pytest.fixture
def made(seamtls, tmp_path):
    """Runs `seamtls cert -d DIR ARGUMENT...`, which must work, and gives DIR."""

    def make(*args):
        result = seamtls("cert", "-d", tmp_path / "pki", *args)
        assert (result.returncode, result.stderr) == (0, "")
        make.printed = result.stdout.splitlines()
        return tmp_path / "pki"

    return make


def test_files(made):
    pki = made("a.example", "b.example")
    names = ["ca.pem", "ca.key", "a.example.pem", "a.example.key", "b.example.pem", "b.example.key"]
    assert made.printed == [str(pki / name) for name in names]
    assert sorted(os.listdir(pki)) == sorted(names)
    for name in names:
        assert stat.S_IMODE((pki / name).stat().st_mode) == (0o600 if name.endswith(".key") else 0o644)


def test_ca(made):
    ca = made("a.example") / "ca.pem"
    assert extension(ca, "basicConstraints") == "critical CA:TRUE, pathlen:0"
    assert extension(ca, "keyUsage") == "critical Certificate Sign, CRL Sign"
    assert key_id(ca, "subjectKeyIdentifier") == key_id(ca, "authorityKeyIdentifier")
    openssl("x509", "-in", ca, "-noout", "-checkend", 3600 * 24 * 3600)
    verify(ca, ca)


@pytest.mark.parametrize(
    "options, purpose, eku",
    [
        ([], "sslserver", "TLS Web Server Authentication"),
        (["--client"], "sslclient", "TLS Web Client Authentication"),
        (["--rsa"], "sslserver", "TLS Web Server Authentication"),
        (["--rsa", "--client"], "sslclient", "TLS Web Client Authentication"),
    ],
)
def test_certificate(made, options, purpose, eku):
    pki = made(*options, "a.example")
    pem, ca = pki / "a.example.pem", pki / "ca.pem"
    verify(ca, pem, "-purpose", purpose, "-verify_hostname", "a.example")
    assert extension(pem, "extendedKeyUsage") == eku
    assert extension(pem, "keyUsage") == "critical Digital Signature"
    assert key_id(pem, "authorityKeyIdentifier") == key_id(ca, "subjectKeyIdentifier")
    assert key_id(pem, "subjectKeyIdentifier") != key_id(ca, "subjectKeyIdentifier")
    text = openssl("x509", "-in", pem, "-noout", "-text")
    assert "Version: 3" in text
    assert ("rsaEncryption" in text, "prime256v1" in text) == ("--rsa" in options, "--rsa" not in options)


@pytest.mark.parametrize("options", [[], ["--rsa"]])
@pytest.mark.parametrize("name", ["ca", "a.example"])
def test_key_belongs_to_certificate(made, options, name):
    pki = made(*options, "a.example")
    openssl("pkey", "-in", pki / f"{name}.key", "-noout", "-check")
    assert openssl("pkey", "-in", pki / f"{name}.key", "-pubout") == openssl("x509", "-in", pki / f"{name}.pem", "-noout", "-pubkey")


LONG = ".".join(["x" * 63, "y" * 63, "z" * 63, "w" * 61])
MIDDLE = ".".join(["x" * 63, "y" * 61])  # its list of names has a length that takes one byte, but not as such


@pytest.mark.parametrize(
    "name, san, file",
    [
        ("a.example", "DNS:a.example", None),
        ("*.a.example", "DNS:*.a.example", "_wildcard.a.example"),
        ("localhost", "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1", None),
        ("192.0.2.7", "IP Address:192.0.2.7", None),
        ("2001:db8::7", "IP Address:2001:DB8:0:0:0:0:0:7", None),
        ("a.b+c@a.example", "email:a.b+c@a.example", None),
        ("1.2.3", "DNS:1.2.3", None),
        (MIDDLE, "DNS:" + MIDDLE, None),
    ],
)
def test_alternative_names(made, name, san, file):
    pki = made(name)
    assert extension(pki / f"{file or name}.pem", "subjectAltName") == san
    verify(pki / "ca.pem", pki / f"{file or name}.pem")


def test_longest_name(made):
    assert len(LONG) == 253
    pki = made(LONG[1:-1])  # a file's name is no longer than 255
    pem = pki / (LONG[1:-1] + ".pem")
    assert extension(pem, "subjectAltName") == "DNS:" + LONG[1:-1]


def test_days(made):
    pem = made("--days", "2", "a.example") / "a.example.pem"
    openssl("x509", "-in", pem, "-noout", "-checkend", 47 * 3600)
    assert subprocess.run(["openssl", "x509", "-in", pem, "-noout", "-checkend", str(49 * 3600)], capture_output=True).returncode == 1


@pytest.mark.parametrize("first, second", [([], ["--rsa"]), (["--rsa"], [])])
def test_ca_is_used_again(made, first, second):
    pki = made(*first, "a.example")
    ca = (pki / "ca.pem").read_bytes()
    made(*second, "b.example")
    assert made.printed == [str(pki / "b.example.pem"), str(pki / "b.example.key")]
    assert (pki / "ca.pem").read_bytes() == ca
    for name in ("a", "b"):
        verify(pki / "ca.pem", pki / f"{name}.example.pem")


@pytest.mark.parametrize("type_options", [["RSA"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]])
def test_ca_of_another_maker(made, tmp_path, type_options):
    pki = tmp_path / "pki"
    pki.mkdir()
    openssl("genpkey", "-algorithm", *type_options, "-out", pki / "ca.key")
    openssl("req", "-x509", "-new", "-key", pki / "ca.key", "-subj", "/O=Elsewhere/CN=CA", "-days", 9, "-out", pki / "ca.pem",
            "-addext", "keyUsage=critical,keyCertSign")
    made("a.example")
    verify(pki / "ca.pem", pki / "a.example.pem", "-verify_hostname", "a.example")


@pytest.mark.parametrize("file", ["b.example.pem", "b.example.key"])
def test_nothing_is_overwritten(made, seamtls, file):
    pki = made("a.example")
    (pki / file).write_text("mine")
    before = sorted(os.listdir(pki))
    result = seamtls("cert", "-d", pki, "c.example", "b.example")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"seamtls cert: '{pki / file}' is there already; --force replaces it\n"
    assert sorted(os.listdir(pki)) == before
    assert (pki / file).read_text() == "mine"


def test_force_replaces_all_but_the_ca(made):
    pki = made("a.example")
    before = {name: (pki / name).read_bytes() for name in os.listdir(pki)}
    made("--force", "a.example")
    changed = {name for name in os.listdir(pki) if (pki / name).read_bytes() != before[name]}
    assert changed == {"a.example.pem", "a.example.key"}
    verify(pki / "ca.pem", pki / "a.example.pem")


def swap_key(pki):
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", pki / "ca.key")


def expire(pki):
    openssl("x509", "-in", pki / "ca.pem", "-signkey", pki / "ca.key", "-days", "-1", "-out", pki / "ca.pem")


@pytest.mark.parametrize(
    "harm, message",
    [
        (swap_key, "cannot sign 'b.example'"),
        (expire, "cannot sign 'b.example'"),
        (lambda pki: (pki / "ca.key").unlink(), "cannot read '{pki}/ca.key': No such file or directory"),
        (lambda pki: (pki / "ca.pem").unlink(), "cannot read '{pki}/ca.pem': No such file or directory"),
        (lambda pki: (pki / "ca.pem").write_text(""), "cannot sign 'b.example'"),
        (lambda pki: (pki / "ca.pem").write_bytes(os.urandom(70000)), "cannot sign 'b.example'"),
        (lambda pki: (pki / "ca.key").write_text("-----BEGIN PRIVATE KEY-----\n"), "is not an unencrypted ECDSA or RSA key"),
        (lambda pki: (pki / "ca.key").write_bytes(os.urandom(70000)), "is not an unencrypted ECDSA or RSA key"),
    ],
    ids=["other key", "expired", "no key", "no certificate", "empty certificate", "no PEM", "key cut short", "no PEM key"],
)
def test_ca_that_cannot_sign(made, seamtls, harm, message):
    pki = made("a.example")
    harm(pki)
    result = seamtls("cert", "-d", pki, "b.example")
    assert (result.returncode, result.stdout) == (1, "")
    assert message.format(pki=pki) in result.stderr
    assert not (pki / "b.example.pem").exists() and not (pki / "b.example.key").exists()


def test_directory_that_cannot_be_made(seamtls, tmp_path):
    result = seamtls("cert", "-d", tmp_path / "no" / "where", "a.example")
    assert result.returncode == 1
    assert "cannot make the directory" in result.stderr and "No such file or directory" in result.stderr


@pytest.mark.parametrize(
    "args, message",
    [
        ([], "no name is given"),
        (["../x"], "neither a host name nor an address: '../x'"),
        (["a/b"], "neither a host name nor an address: 'a/b'"),
        ([""], "neither a host name nor an address: ''"),
        (["*"], "neither a host name nor an address: '*'"),
        (["a.*.example"], "neither a host name nor an address"),
        (["a..example"], "neither a host name nor an address"),
        (["a.example."], "neither a host name nor an address"),
        (["-a.example"], "invalid option -- 'a'"),
        (["--", "-a.example"], "neither a host name nor an address"),
        (["x" * 64], "neither a host name nor an address"),
        ([LONG + "ww"], "neither a host name nor an address"),
        (["@a.example"], "neither a host name nor an address"),
        (["a@*.example"], "neither a host name nor an address"),
        (["a@" + LONG], "neither a host name nor an address"),
        (["a b"], "neither a host name nor an address"),
        (["ca"], "the name 'ca' is the CA's own"),
        (["--days", "0", "a.example"], "--days: found '0', allowed: 1 to 3650"),
        (["--days", "-1", "a.example"], "--days: found '-1', allowed: 1 to 3650"),
        (["--days", "1x", "a.example"], "--days: found '1x', allowed: 1 to 3650"),
        (["--days", "9999999999999999999", "a.example"], "--days: found '9999999999999999999'"),
    ],
)
def test_misuse(seamtls, tmp_path, args, message):
    result = seamtls("cert", *args)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("seamtls cert: " + message)
    assert os.listdir(tmp_path) == []
