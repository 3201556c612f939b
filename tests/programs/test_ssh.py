# SPDX-License-Identifier: GPL-3.0-or-later
"""
ssh inside TLS, as it is run where only port 443 is open. sshd executes itself anew for each connection, which it hands
on as 0 and 1, and what comes after that knows nothing of the one before.
"""
import pytest

import ssh as ssh_module
import stunnel
from peers import BIG, content, digest
from seam import NATIVE, check_opened, need


@pytest.fixture
def ssh(seam):
    return ssh_module.Ssh(seam)


def s_client(seam, port, version=None):
    """The usual ProxyCommand for an sshd behind TLS."""
    only = f"-tls{version.replace('.', '_')} " if version else ""
    return ("openssl s_client -quiet -verify_quiet -verify_return_error -verify_hostname localhost "
            f"-servername localhost -CAfile {seam.pki.ca} {only}-connect localhost:{port}")


def test_sshd(seam, ssh, version):
    """The client is ssh through openssl."""
    need("openssl")
    server = ssh.start(lambda port: seam.policy(seam.inbound(port, version=version)))
    proxy = None if NATIVE else s_client(seam, server.port, version)
    client = seam.run(ssh.command(server.port, "cat; echo $SSH_CONNECTION >&2; exit 7", proxy=proxy),
                      stdin=content(BIG), status=7)
    assert digest(client.stdout) == digest(content(BIG)), client.story() + server.stderr
    where = client.stderr.splitlines()[-1].split()
    assert where[0] == where[2] == "127.0.0.1" and int(where[3]) == server.port, client.story()
    check_opened(server, version=f"TLSv{version}")


def test_ssh_to_a_terminator(seam, ssh, version):
    port = stunnel.terminate(seam, ssh.start().port, version=version)
    client = seam.run(ssh.command(port, "cat; exit 7"), seam.policy(seam.outbound(port)), stdin=content(BIG), status=7)
    assert digest(client.stdout) == digest(content(BIG)), client.story()
    check_opened(client, version=f"TLSv{version}")


def test_ssh_and_sshd(seam, ssh):
    """Both ends, and nobody but them: a large answer, several sessions of one server, one that fails."""
    server = ssh.start(lambda port: seam.policy(seam.inbound(port)))
    policy = seam.policy(seam.outbound(server.port))
    data = seam.dir / "data"
    data.write_bytes(content(BIG) * 10)
    for _ in range(2):
        client = seam.run(ssh.command(server.port, f"cat {data}"), policy)
        assert digest(client.stdout) == digest(data.read_bytes()), client.story() + server.stderr
        check_opened(client)
    client = seam.run(ssh.command(server.port, "true", user="nobody-of-that-name"), policy, status=255)
    assert "Permission denied (publickey)" in client.stderr, client.story()
    check_opened(server, 3)


@pytest.mark.parametrize("options", [["-E"], []], ids=["covered", "alone"])
def test_sshd_of_inetd(seam, ssh, options):
    """With the library, which inetd leaves it (-E), it knows where its peer is."""
    server = ssh.start_by_inetd(lambda port: seam.policy(seam.inbound(port)), options)
    client = seam.run(ssh.command(server.port, "cat; echo $SSH_CONNECTION >&2"),
                      seam.policy(seam.outbound(server.port)), stdin=content(BIG))
    assert digest(client.stdout) == digest(content(BIG)), client.story()
    if options or NATIVE:
        assert client.stderr.split()[::2] == ["127.0.0.1"] * 2, client.story()
    check_opened(client)
    check_opened(server)


def test_sftp(seam, ssh):
    need("sftp")
    server = ssh.start(lambda port: seam.policy(seam.inbound(port)))
    sent, stored, back = seam.dir / "sent", seam.dir / "stored", seam.dir / "back"
    sent.write_bytes(content(BIG))
    script = f"put {sent} {stored}\nget {stored} {back}\n"
    client = seam.run(["sftp", "-q", *ssh.options(server.port), "-b", "-", "localhost"],
                      seam.policy(seam.outbound(server.port)), stdin=script.encode())
    assert digest(stored.read_bytes()) == digest(back.read_bytes()) == digest(sent.read_bytes()), client.story()
    check_opened(client)
    check_opened(server)
