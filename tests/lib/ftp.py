# SPDX-License-Identifier: GPL-3.0-or-later
"""vsftpd for anonymous users who may write, and a client of Python's with implicit TLS on both of FTP's connections."""
import ftplib
import os
import shutil
import socket

from peers import TIMEOUT_S, client_context, read_exactly
from seam import NATIVE, need

CONFIG = """
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
anon_root={root}
no_anon_password=YES
secure_chroot_dir={empty}
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_world_readable_only=NO
xferlog_enable=NO
{identity}
"""
USER = "ftp"
EVERY_PORT = "1-65535"  # the data connections' ports are of nobody's choice


def start(seam, root, **keys):
    """A server whose folder `incoming` may be written to."""
    need("vsftpd")
    (root / "incoming").mkdir()
    if os.geteuid() == 0:
        shutil.chown(root / "incoming", USER)
    identity = f"ftp_username={USER}" if os.geteuid() == 0 else "run_as_launching_user=YES"
    folder = seam.make_dir("vsftpd")

    def argv(port):
        config = folder / "vsftpd.conf"
        config.write_text(CONFIG.format(port=port, root=root, empty=seam.make_dir("empty"), identity=identity))
        return ["vsftpd", config]

    return seam.serve(argv, lambda _port: seam.policy(seam.inbound(EVERY_PORT, **keys)))


class Client(ftplib.FTP):
    """Python's own class for TLS knows the explicit way only, where the client asks for it."""

    def __init__(self, seam, port, version=None):
        super().__init__(timeout=TIMEOUT_S)
        self.context = None if NATIVE else client_context(seam.pki, version)
        # connect() of the parent reads the greeting, which comes after the handshake.
        self.sock = self.secured(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.host = "127.0.0.1"
        self.welcome = self.getresp()
        self.login()

    def secured(self, sock):
        return sock if self.context is None else self.context.wrap_socket(sock, server_hostname="localhost")

    def ntransfercmd(self, cmd, rest=None):
        sock, size = super().ntransfercmd(cmd, rest)
        return self.secured(sock), size

    def fetch(self, name):
        """Unlike retrbinary() it hears the end of the stream as close_notify, and says its own."""
        with self.transfercmd(f"RETR {name}") as sock:
            data = read_exactly(sock, 1 << 30)
            self.say_goodbye(sock)
        self.voidresp()
        return data

    def store(self, name, data):
        with self.transfercmd(f"STOR {name}") as sock:
            sock.sendall(data)
            self.say_goodbye(sock)
        self.voidresp()

    def say_goodbye(self, sock):
        if self.context is not None:
            sock.unwrap()
