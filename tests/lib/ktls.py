# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says of its own TLS: which sockets have it, and how often it was used."""
import re
import subprocess
from pathlib import Path

STAT = Path("/proc/net/tls_stat")
FIELDS = re.compile(r"tcp-ulp-tls version: (\S+)(?: cipher: (\S+))? rxconf: (\S+) txconf: (\S+)")
CIPHERS = {  # of a policy, and of ss, which has no name for the last
    "AES_128_GCM_SHA256": "aes-gcm-128",
    "AES_256_GCM_SHA384": "aes-gcm-256",
    "CHACHA20_POLY1305_SHA256": "",
}


def rekeys():
    """Whether the kernel can change keys."""
    return tuple(int(part) for part in Path("/proc/sys/kernel/osrelease").read_text().split("-")[0].split(".")[:2]) >= (6, 14)


def counters():
    """The kernel's counts since its start, by name; none where it has no TLS."""
    return {name: int(count) for name, count in map(str.split, STAT.read_text().splitlines())} if STAT.exists() else {}


def sockets(where):
    """(version, cipher, receives, sends) of each connection with kernel TLS that `where` chooses, in the words of ss."""
    listed = subprocess.run(["ss", "-tnOei", where], capture_output=True, text=True, timeout=60, check=True).stdout
    return FIELDS.findall(listed)


def local(port):
    return sockets(f"sport = :{port}")


def remote(port):
    return sockets(f"dport = :{port}")


def in_both_directions(version, suite):
    """What is said of a connection that the kernel has whole."""
    return [(version, next(name for cipher, name in CIPHERS.items() if suite.endswith(cipher)), "sw", "sw")]
