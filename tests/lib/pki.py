# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority for one test session, made with the openssl command.

Every certificate goes through `openssl ca`, because that is the one of its subcommands that can give any
validity dates, so an expired certificate needs no clock to be set back.
"""
import hashlib
import ssl
import subprocess
from pathlib import Path

CA_CONFIG = """
[ca]
default_ca = this
[this]
dir = {dir}
database = $dir/index.txt
serial = $dir/serial
new_certs_dir = $dir
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
"""

GOOD_NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1"
VALID = ("20240101000000Z", "20490101000000Z")
PAST = ("20200101000000Z", "20210101000000Z")
KEYS = {
    "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
}


class Cert:
    """A certificate and its key, each a PEM file."""

    def __init__(self, cert, key):
        self.cert = cert
        self.key = key

    def sha256(self):
        """The fingerprint that an audit event gives as peer.sha256."""
        der = ssl.PEM_cert_to_DER_cert(self.cert.read_text())
        return hashlib.sha256(der).hexdigest()


class Authority:
    """One self-signed CA; issue() makes certificates below it."""

    def __init__(self, base, name):
        self.dir = base / name
        self.dir.mkdir(mode=0o755)
        self.dir.chmod(0o755)
        self.ca = self.dir / "ca.pem"
        self.config = self.dir / "openssl.cnf"
        self.config.write_text(CA_CONFIG.format(dir=self.dir))
        (self.dir / "index.txt").touch()
        (self.dir / "serial").write_text("1000\n")
        openssl("req", "-x509", *KEYS["ecdsa"], "-nodes", "-keyout", self.dir / "ca.key",
                "-out", self.ca, "-days", "30", "-subj", f"/CN=Test {name}",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, common_name, san, dates=VALID, key="ecdsa", usage="serverAuth", more=""):
        cert = Cert(self.dir / f"{name}.pem", self.dir / f"{name}.key")
        request, extensions = self.dir / f"{name}.csr", self.dir / f"{name}.ext"
        openssl("req", "-new", *KEYS[key], "-nodes", "-keyout", cert.key, "-out", request,
                "-subj", f"/CN={common_name}")
        extensions.write_text(f"basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
                              f"extendedKeyUsage={usage}\nsubjectAltName={san}\n"
                              f"authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n{more}\n")
        openssl("ca", "-batch", "-notext", "-config", self.config, "-keyfile", self.dir / "ca.key",
                "-cert", self.ca, "-in", request, "-out", cert.cert, "-extfile", extensions,
                "-startdate", dates[0], "-enddate", dates[1])
        # Servers that drop privileges read it as another user.
        cert.key.chmod(0o644)
        return cert


    def crl(self, name, *revoked, dates=("20260101000000Z", "20490101000000Z")):
        """A revocation list with these certificates."""
        for cert in revoked:
            openssl("ca", "-config", self.config, "-keyfile", self.dir / "ca.key", "-cert", self.ca,
                    "-revoke", cert.cert, "-crl_reason", "keyCompromise")
        path = self.dir / f"{name}.crl"
        openssl("ca", "-gencrl", "-config", self.config, "-keyfile", self.dir / "ca.key", "-cert", self.ca, "-out", path,
                "-crl_lastupdate", dates[0], "-crl_nextupdate", dates[1])
        return path


    def ocsp_response(self, cert):
        """What a responder would say of a certificate now, in DER."""
        request, response = cert.cert.with_suffix(".req"), cert.cert.with_suffix(".ocsp")
        openssl("ocsp", "-issuer", self.ca, "-cert", cert.cert, "-reqout", request)
        openssl("ocsp", "-index", self.dir / "index.txt", "-CA", self.ca, "-rsigner", self.ca, "-rkey", self.dir / "ca.key",
                "-reqin", request, "-respout", response, "-ndays", "30")
        return response


class Pki:
    """All certificates the tests know; each made once for a session, when it is asked for first."""

    ISSUED = {
        "good": ("main", "good", "localhost", GOOD_NAMES, {}),
        "good_rsa": ("main", "good-rsa", "localhost", GOOD_NAMES, {"key": "rsa"}),
        "name_only": ("main", "name-only", "localhost", "DNS:localhost", {}),
        "wrong_name": ("main", "wrong-name", "elsewhere.example", "DNS:elsewhere.example", {}),
        "expired": ("main", "expired", "localhost", GOOD_NAMES, {"dates": PAST}),
        "critical": ("main", "critical", "localhost", GOOD_NAMES, {"more": "1.2.3.4=critical,ASN1:NULL"}),
        "other": ("other_main", "other", "localhost", GOOD_NAMES, {}),
        "client": ("main", "client", "client one", "DNS:client.example", {"usage": "clientAuth"}),
        "other_client": ("other_main", "other-client", "client two", "DNS:client.example", {"usage": "clientAuth"}),
    }

    def __init__(self, base):
        self.base = base
        self.main, self.other_main = Authority(base, "ca"), Authority(base, "other-ca")
        self.ca, self.other_ca = self.main.ca, self.other_main.ca

    def __getattr__(self, name):
        if name == "self_signed":
            made = self_signed(self.base)
        elif name in self.ISSUED:
            authority, *what, more = self.ISSUED[name]
            made = getattr(self, authority).issue(*what, **more)
        else:
            raise AttributeError(name)
        setattr(self, name, made)
        return made


def self_signed(base):
    cert = Cert(base / "self-signed.pem", base / "self-signed.key")
    openssl("req", "-x509", *KEYS["ecdsa"], "-nodes", "-keyout", cert.key, "-out", cert.cert,
            "-days", "30", "-subj", "/CN=localhost", "-addext", f"subjectAltName={GOOD_NAMES}")
    cert.key.chmod(0o644)
    return cert


def openssl(*args):
    done = subprocess.run(["openssl", *map(str, args)], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    assert done.returncode == 0, f"openssl {args[0]} failed while making certificates:\n{done.stdout}"


def make(base):
    base = Path(base)
    base.chmod(0o755)
    return Pki(base)
