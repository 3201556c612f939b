# SPDX-License-Identifier: GPL-3.0-or-later
"""
Mail. dovecot's login process, unprivileged and in a folder of its own, is covered in both directions as a proxy. exim's
processes use libc's streams on their connections.
"""
import imaplib
import smtplib

import pytest

import mail
from peers import TIMEOUT_S, client_context, content, start_server
from seam import NATIVE, check_opened, need

# Lines as mail has them, and long ones.
TEXT = b"".join(content(size).hex().encode() + b"\r\n" for size in [30] * 2000 + [400] * 800)
MESSAGE = b"Subject: test\r\nFrom: <a@localhost>\r\nTo: <b@localhost>\r\n\r\n" + TEXT


def imap(seam, port, version=None):
    if NATIVE:
        return imaplib.IMAP4("localhost", port, timeout=TIMEOUT_S)
    return imaplib.IMAP4_SSL("localhost", port, ssl_context=client_context(seam.pki, version), timeout=TIMEOUT_S)


def smtp(seam, port, version=None):
    if NATIVE:
        return smtplib.SMTP("localhost", port, timeout=TIMEOUT_S)
    return smtplib.SMTP_SSL("localhost", port, context=client_context(seam.pki, version), timeout=TIMEOUT_S)


def good(answer):
    kind, data = answer
    assert kind == "OK", answer
    return data


def test_dovecot_proxy(seam, version):
    server = mail.start_dovecot_proxy(seam, version)
    with imap(seam, server.port, version) as client:
        good(client.login("user", "secret"))
        good(client.append("INBOX", None, None, MESSAGE))
        assert good(client.select()) == [b"1"]
        assert good(client.fetch("1", "(RFC822)"))[0][1] == MESSAGE
        good(client.store("1", "+FLAGS", "\\Flagged"))
        good(client.create("other"))
        good(client.copy("1", "other"))
    with imap(seam, server.port, version) as client:
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.login("user", "wrong")
        good(client.login("user", "secret"))
        assert good(client.select("other")) == [b"1"]
        assert good(client.fetch("1", "(BODY.PEEK[TEXT]<100.200>)"))[0][1] == TEXT[100:300]
    check_opened(server, 2, version=f"TLSv{version}", direction="inbound")
    check_opened(server, 2, version=f"TLSv{version}", direction="outbound")


@pytest.mark.parametrize("program", ["smtplib", "curl"])
def test_exim(seam, version, program):
    """Takes a message from a client with TLS of its own, and hands it to such a server."""
    sink = start_server(seam, mail.SmtpSink, version=version)
    exim = mail.Exim(seam, sink.port)
    server = exim.start(version=version)
    if program == "curl":
        need("curl")
        scheme = "smtp" if NATIVE else "smtps"
        seam.run(["curl", "-sSf", "--cacert", seam.pki.ca, "--mail-from", "a@localhost", "--mail-rcpt", "b@localhost",
                  "-T", "-", f"{scheme}://localhost:{server.port}"], stdin=MESSAGE)
    else:
        with smtp(seam, server.port, version) as client:
            client.sendmail("a@localhost", ["b@localhost"], MESSAGE)
    check_opened(server, version=f"TLSv{version}", direction="inbound")
    client = exim.deliver(server.port)
    sink.wait_ended()
    assert sink.seen[0].data == TEXT, (sink.seen[0].error, client.story(), server.story())
    check_opened(client, version=f"TLSv{version}", direction="outbound")
