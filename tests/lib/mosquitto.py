# SPDX-License-Identifier: GPL-3.0-or-later
"""The MQTT broker mosquitto and its clients, which speak TLS by themselves if they are to."""
import os

from seam import NATIVE, need, versions

CONFIG = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
log_dest stderr
{user}
{tls}
{more}
"""
USER = "mosquitto"


def start(seam, covered, version=None, more="", rules=()):
    """A broker that speaks TLS by the library, or by OpenSSL; `rules` are for what it connects to by `more`."""
    need("mosquitto", "mosquitto_sub", "mosquitto_pub")
    config = seam.make_dir("mosquitto") / "mosquitto.conf"
    user = f"user {USER}" if os.geteuid() == 0 else ""
    tls = f"certfile {seam.pki.good.cert}\nkeyfile {seam.pki.good.key}\ntls_version tlsv{version or '1.2'}"

    def argv(port):
        config.write_text(CONFIG.format(port=port, user=user, tls="" if covered or NATIVE else tls, more=more))
        return ["mosquitto", "-c", config]

    def policy(port):
        return seam.policy(seam.inbound(port, version=version), *rules)

    return seam.serve(argv, policy if covered else None)


def run(seam, tool, port, covered, version, *args, **options):
    """One of the clients, that speaks TLS by the library or by OpenSSL."""
    tls = [] if covered or NATIVE else ["--cafile", seam.pki.ca, "--tls-version", f"tlsv{version}"]
    policy = seam.policy(seam.outbound(port, **versions(version))) if covered else None
    return seam.run([tool, "-h", "localhost", "-p", port, *tls, *args], policy, **options)
