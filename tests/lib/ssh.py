# SPDX-License-Identifier: GPL-3.0-or-later
"""sshd with keys and a configuration of its own, for the user who runs the tests."""
import getpass
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import inetd
from seam import need

SERVER = """
ListenAddress 127.0.0.1
HostKey {dir}/host
AuthorizedKeysFile {dir}/user.pub
AuthenticationMethods publickey
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
UseDNS no
PrintMotd no
PrintLastLog no
PermitUserRC no
X11Forwarding no
Subsystem sftp internal-sftp
LogLevel INFO
"""
# Where sshd wants to give up root; the distribution's service makes it at its start.
SEPARATION = Path("/run/sshd")


class Ssh:
    def __init__(self, seam):
        need("sshd", "ssh", "ssh-keygen")
        if os.geteuid() == 0:
            SEPARATION.mkdir(mode=0o755, exist_ok=True)
        elif not SEPARATION.exists():
            pytest.skip(f"sshd needs {SEPARATION}, which only root can make")
        self.seam = seam
        self.dir = seam.make_dir("ssh")
        self.dir.chmod(0o700)
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.dir / name]
            subprocess.run(command, check=True)
        (self.dir / "sshd_config").write_text(SERVER.format(dir=self.dir))

    def start(self, policy=None):
        # It re-executes itself for each connection, and so wants to be called by its whole path.
        sshd = [shutil.which("sshd"), "-D", "-e", "-f", self.dir / "sshd_config"]
        return self.seam.serve(lambda port: [*sshd, "-p", port], policy)

    def start_by_inetd(self, policy, options=()):
        script = f"#!/bin/sh\nexec {shutil.which('sshd')} -i -f {self.dir}/sshd_config\n"
        program = inetd.write_script(self.seam, script)
        return self.seam.serve(inetd.openbsd(self.seam, program, options=options), policy)

    def options(self, port, proxy=None, user=None):
        known = self.dir / "known"
        known.write_text(f"server {(self.dir / 'host.pub').read_text()}")
        chosen = {"Port": port, "User": user or getpass.getuser(), "IdentityFile": self.dir / "user",
                  "IdentitiesOnly": "yes",
                  "UserKnownHostsFile": known, "GlobalKnownHostsFile": "/dev/null", "HostKeyAlias": "server",
                  "StrictHostKeyChecking": "yes", "BatchMode": "yes"}
        if proxy:
            chosen["ProxyCommand"] = proxy
        return ["-F", "none", *(f"-o{name}={value}" for name, value in chosen.items())]

    def command(self, port, *words, **keys):
        return ["ssh", *self.options(port, **keys), "localhost", *words]
