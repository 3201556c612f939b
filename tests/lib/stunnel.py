# SPDX-License-Identifier: GPL-3.0-or-later
"""stunnel as the other end of TLS for programs whose protocol is not spoken here. Left away in native mode."""
from seam import NATIVE, need

COMMON = """
foreground = yes
pid =
syslog = no
debug = warning
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[it]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{target}
{version}
{role}
"""


def start(seam, target, role, version):
    """A stunnel in front of the port `target`; the answer is the port to use, `target` itself in native mode."""
    if NATIVE:
        return target
    need("stunnel")
    config = seam.make_dir("stunnel") / "stunnel.conf"
    only = f"sslVersion = TLSv{version}" if version else ""

    def argv(port):
        config.write_text(COMMON.format(port=port, target=target, role=role, version=only))
        return ["stunnel", config]

    return seam.serve(argv).port


def terminate(seam, target, cert=None, version=None):
    """TLS from the network, plain TCP to the port `target`."""
    cert = cert or seam.pki.good
    return start(seam, target, f"cert = {cert.cert}\nkey = {cert.key}", version)


def originate(seam, target, version=None):
    """Plain TCP from a program, verified TLS to the port `target`."""
    return start(seam, target, f"client = yes\nCAfile = {seam.pki.ca}\nverifyChain = yes\ncheckHost = localhost", version)
