# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of mail: dovecot for IMAP, exim for SMTP, and a server that keeps what exim sends."""
import getpass
import grp
import os
import shutil
import socketserver

import pytest

from seam import NATIVE, need

DOVECOT = """
protocols = {protocol}
listen = 127.0.0.1
base_dir = {dir}/run
state_dir = {dir}/state
log_path = /dev/stderr
{tls}
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = maildir:{dir}/mail
first_valid_uid = 1
service {protocol}-login {{
  inet_listener {protocol} {{
    port = {plain_port}
  }}
  inet_listener {protocol}s {{
    port = {tls_port}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = static
  args = {passdb}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={dir}/mail
}}
{identity}
"""
# Without root: everything as one user, and nobody locked into a folder.
ONE_USER = """
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
}}
service {protocol}-login {{
  chroot =
}}
"""
MAIL_USER = "nobody"


def start_dovecot(seam, passdb, policy=None, own_tls=False, starttls=False, protocol="imap"):
    """
    Its processes have an environment of its own making, so `policy` has to say that children are covered. It speaks TLS
    itself if that is asked for; after STARTTLS if that is.
    """
    need("dovecot")
    folder = seam.make_dir("dovecot")
    if os.geteuid() == 0:
        user, group, identity = MAIL_USER, "nogroup", ""
    else:
        user, group = getpass.getuser(), grp.getgrgid(os.getegid()).gr_name
        identity = ONE_USER.format(user=user, group=group, protocol=protocol)
    (folder / "mail").mkdir()
    shutil.chown(folder / "mail", user, group)
    tls = "ssl = no"
    if own_tls or starttls:
        tls = f"ssl = yes\nssl_cert = <{seam.pki.good.cert}\nssl_key = <{seam.pki.good.key}"

    def argv(port):
        config = folder / "dovecot.conf"
        ports = {"plain_port": 0 if own_tls else port, "tls_port": port if own_tls else 0}
        config.write_text(DOVECOT.format(dir=folder, user=user, group=group, identity=identity, passdb=passdb, tls=tls,
                                         protocol=protocol, **ports))
        return [shutil.which("dovecot"), "-F", "-c", config]

    return seam.serve(argv, policy)


def start_dovecot_proxy(seam, version):
    """A proxy under seamtls, in front of a dovecot with TLS of its own: what it passes on goes through TLS twice."""
    backend = start_dovecot(seam, "password=secret", own_tls=not NATIVE)

    def policy(port):
        return seam.policy(seam.inbound(port, version=version),
                           seam.outbound(backend.port, version=version, server_name="localhost"), cover_children="yes")

    return start_dovecot(seam, f"password=secret proxy=y host=127.0.0.1 port={backend.port}", policy)


EXIM = """
primary_hostname = localhost
exim_path = {exim}
spool_directory = {dir}/spool
log_file_path = {dir}/%slog
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
{tls}
host_lookup =
rfc1413_query_timeout = 0s
message_size_limit = 10M
queue_only
acl_smtp_rcpt = accept_all
begin acl
accept_all:
  accept
deny_all:
  deny
begin routers
to_sink:
  driver = manualroute
  route_data = 127.0.0.1
  self = send
  transport = to_sink
begin transports
to_sink:
  driver = smtp
  port = {sink}
  hosts_try_fastopen =
"""
EXIM_USER = "Debian-exim"
EXIM_WITHOUT_TLS = "tls_advertise_hosts ="
# Only after STARTTLS is anybody allowed to send.
EXIM_WITH_TLS = """
tls_advertise_hosts = *
tls_certificate = {dir}/cert.pem
tls_privatekey = {dir}/key.pem
acl_smtp_mail = ${{if eq{{$tls_in_cipher}}{{}}{{deny_all}}{{accept_all}}}}
"""


class Exim:
    """A daemon that queues what it is given, for the server on the port `sink`."""

    def __init__(self, seam, sink, own_tls=False):
        need("exim4")
        if os.geteuid() != 0:
            pytest.skip("exim is setuid, so only root can preload something into it")
        self.seam, self.sink = seam, sink
        self.dir = seam.make_dir("exim", EXIM_USER)
        self.config = seam.make_dir("config") / "exim.conf"
        self.tls = EXIM_WITH_TLS.format(dir=self.dir) if own_tls else EXIM_WITHOUT_TLS
        if own_tls:
            for source, name in ((seam.pki.good.cert, "cert.pem"), (seam.pki.good.key, "key.pem")):
                shutil.copy(source, self.dir / name)
                shutil.chown(self.dir / name, EXIM_USER, EXIM_USER)

    def argv(self, port):
        exim = shutil.which("exim4")
        self.config.write_text(EXIM.format(exim=exim, dir=self.dir, port=port, sink=self.sink,
                                           tls=self.tls))
        self.config.chmod(0o644)
        return [exim, "-C", self.config]

    def start(self, covered=True, **keys):
        return self.seam.serve(lambda port: [*self.argv(port), "-bdf", "-oP", self.dir / "pid"],
                               (lambda port: self.seam.policy(self.seam.inbound(port, **keys))) if covered else None)

    def deliver(self, port, **keys):
        """One run through the queue of the daemon on `port`."""
        return self.seam.run([*self.argv(port), "-qff"], self.seam.policy(self.seam.outbound(self.sink, **keys)))


class SmtpSink(socketserver.BaseRequestHandler):
    """Keeps the text of each message, without what the servers on its way have added."""

    def handle(self):
        stream = self.request.makefile("rwb")
        self.say(stream, "220 sink")
        for line in stream:
            verb = line.split()[0].upper()
            if verb == b"DATA":
                self.say(stream, "354 go on")
                self.request.seen.data += b"".join(iter(stream.readline, b".\r\n")).partition(b"\r\n\r\n")[2]
            self.say(stream, "221 bye" if verb == b"QUIT" else "250 good")
            if verb == b"QUIT":
                return

    @staticmethod
    def say(stream, text):
        stream.write(text.encode() + b"\r\n")
        stream.flush()
