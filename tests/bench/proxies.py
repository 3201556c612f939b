# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS proxies as they stand beside a program that has none: one process or thread, TLS from the network, TCP to the program."""
import os
import shutil

import stunnel

USER = "www-data"
HITCH = """
frontend = "[127.0.0.1]:{port}"
backend = "[127.0.0.1]:{target}"
pem-file = "{pem}"
tls-protos = TLSv{version}
ciphersuites = "{cipher}"
workers = 1
daemon = off
{hitch_user}
"""
HAPROXY = """
global
    maxconn 5000
    nbthread 1
    {haproxy_user}
    hard-stop-after 10s
defaults
    mode tcp
    timeout connect 20s
    timeout client 300s
    timeout server 300s
listen it
    bind 127.0.0.1:{port} ssl crt {pem} ssl-min-ver TLSv{version} ciphersuites {cipher} curves X25519
    server one 127.0.0.1:{target}
"""


def from_file(seam, name, text, argv, **values):
    folder, root = seam.make_dir(name), os.geteuid() == 0
    pem = folder / "both.pem"
    pem.write_text(values["cert"].cert.read_text() + values["cert"].key.read_text())

    def command(port):
        (folder / "conf").write_text(text.format(
            port=port, pem=pem, haproxy_user=f"user {USER}" if root else "", hitch_user=f'user = "{USER}"' if root else "", **values))
        return [shutil.which(name), *argv, folder / "conf"]

    return seam.serve(command).port


def hitch(seam, target, cert, version, cipher):
    return from_file(seam, "hitch", HITCH, ["--config"], target=target, cert=cert, version=version, cipher=cipher)


def haproxy(seam, target, cert, version, cipher):
    return from_file(seam, "haproxy", HAPROXY, ["-db", "-f"], target=target, cert=cert, version=version, cipher=cipher)


PROXIES = {
    "stunnel": lambda seam, target, cert, version, cipher: stunnel.terminate(seam, target, cert, version),
    "hitch": hitch,
    "haproxy": haproxy,
}
