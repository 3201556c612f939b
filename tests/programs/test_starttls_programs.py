# SPDX-License-Identifier: GPL-3.0-or-later
"""`starttls` with real programs: at one end under seamtls, at the other with the TLS of their own, and at both."""
import imaplib
import poplib
import signal
import smtplib
import warnings

import pytest

import ldap
import mail
import postgres
from capture import Capture
from clients import PYTHON
from peers import TIMEOUT_S, client_context, content, start_server
from seam import check_opened, need
from starttls import SCRIPTS, start_upgrading

pytestmark = pytest.mark.tls_only
TEXT = b"".join(content(size).hex().encode() + b"\r\n" for size in [30] * 200 + [400] * 80)
MESSAGE = b"Subject: test\r\nFrom: <a@localhost>\r\nTo: <b@localhost>\r\n\r\n" + TEXT

# --- SMTP

SENDER = """
import smtplib, sys
client = smtplib.SMTP("localhost", int(sys.argv[1]), timeout=20)
client.sendmail("a@localhost", ["b@localhost"], sys.stdin.buffer.read())
client.quit()
"""


def queue(seam, own_tls):
    """An exim that keeps what it gets, and what it is to hand it to."""
    sink = start_server(seam, mail.SmtpSink)
    sink.context = None
    return mail.Exim(seam, sink.port, own_tls), sink


def check_delivered(exim, server, sink):
    """What exim has taken is what it gives, in the clear here."""
    exim.seam.run([*exim.argv(server.port), "-qff"])
    sink.wait_ended()
    assert sink.seen[0].data == TEXT, (sink.seen[0].error, server.story())


@pytest.mark.parametrize("program", ["smtplib", "swaks"])
def test_exim(seam, version, program):
    """Covered; clients that upgrade by themselves."""
    exim, sink = queue(seam, False)
    server = exim.start(starttls="smtp", version=version)
    if program == "swaks":
        need("swaks")
        seam.run(["swaks", "--server", f"localhost:{server.port}", "--from", "a@localhost", "--to", "b@localhost", "-tls",
                  "--tls-verify", "--tls-ca-path", seam.pki.ca, "--data", "-"], stdin=MESSAGE)
    else:
        with smtplib.SMTP("localhost", server.port, timeout=TIMEOUT_S) as client:
            with pytest.raises(smtplib.SMTPResponseException, match="530"):
                client.sendmail("a@localhost", ["b@localhost"], MESSAGE)
            client.starttls(context=client_context(seam.pki, version))
            client.sendmail("a@localhost", ["b@localhost"], MESSAGE)
    check_opened(server, version=f"TLSv{version}", direction="inbound")
    if program == "smtplib":
        check_delivered(exim, server, sink)


def test_exim_with_tls(seam):
    """Not covered; a client that speaks plaintext, and is. exim takes nothing without TLS."""
    exim, sink = queue(seam, True)
    server = exim.start(covered=False)
    with smtplib.SMTP("localhost", server.port, timeout=TIMEOUT_S) as client:
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("a@localhost", ["b@localhost"], MESSAGE)
    client = seam.run([PYTHON, "-c", SENDER, server.port], seam.policy(seam.outbound(server.port, starttls="smtp")),
                      stdin=MESSAGE)
    check_opened(client, direction="outbound")
    check_delivered(exim, server, sink)


def test_curl_sends(seam):
    need("curl")
    exim, sink = queue(seam, True)
    server = exim.start(covered=False)
    client = seam.run(["curl", "-sSf", "--mail-from", "a@localhost", "--mail-rcpt", "b@localhost", "-T", "-",
                       f"smtp://localhost:{server.port}"], seam.policy(seam.outbound(server.port, starttls="smtp")),
                      stdin=MESSAGE)
    check_opened(client, direction="outbound")
    check_delivered(exim, server, sink)


def test_exim_to_exim(seam):
    """Both covered, each with the upgrade."""
    last, sink = queue(seam, False)
    receiver = last.start(starttls="smtp")
    first = mail.Exim(seam, receiver.port)
    taker = first.start(starttls="smtp")
    seam.run([PYTHON, "-c", SENDER, taker.port], seam.policy(seam.outbound(taker.port, starttls="smtp")), stdin=MESSAGE)
    check_opened(first.deliver(taker.port, starttls="smtp"), direction="outbound")
    check_opened(receiver, direction="inbound")
    check_delivered(last, receiver, sink)


# --- IMAP, POP3, NNTP

READERS = {
    "imap": """
import imaplib, sys
client = imaplib.IMAP4("localhost", int(sys.argv[1]), timeout=20)
assert "LOGINDISABLED" not in client.capabilities, client.capabilities
client.login("user", "secret")
print(client.select())
client.logout()
""",
    "pop3": """
import poplib, sys
client = poplib.POP3("localhost", int(sys.argv[1]), timeout=20)
client.user("user")
client.pass_("secret")
print(client.stat())
client.quit()
""",
}


@pytest.mark.parametrize("protocol", READERS)
def test_dovecot_with_tls(seam, protocol):
    server = mail.start_dovecot(seam, "password=secret", starttls=True, protocol=protocol)
    client = seam.run([PYTHON, "-c", READERS[protocol], server.port],
                      seam.policy(seam.outbound(server.port, starttls=protocol)))
    assert b"0" in client.stdout, client.story()
    check_opened(client, direction="outbound")
    need("curl")
    client = seam.run(["curl", "-sSf", "-u", "user:secret", f"{protocol}://localhost:{server.port}"],
                      seam.policy(seam.outbound(server.port, starttls=protocol)))
    check_opened(client, direction="outbound")


def test_dovecot_proxy(seam, version):
    """Covered in both directions: its login process takes the upgrade, and passes on to a dovecot that wants one."""
    backend = mail.start_dovecot(seam, "password=secret", starttls=True)

    def policy(port):
        return seam.policy(seam.inbound(port, starttls="imap", version=version),
                           seam.outbound(backend.port, starttls="imap", server_name="localhost"), cover_children="yes")

    server = mail.start_dovecot(seam, f"password=secret proxy=y host=127.0.0.1 port={backend.port}", policy)
    with imaplib.IMAP4("localhost", server.port, timeout=TIMEOUT_S) as client:
        assert "STARTTLS" in client.capabilities and "LOGINDISABLED" in client.capabilities
        client.starttls(client_context(seam.pki, version))
        client.login("user", "secret")
        assert client.append("INBOX", None, None, MESSAGE)[0] == "OK"
        client.select()
        assert client.fetch("1", "(RFC822)")[1][0][1] == MESSAGE
    check_opened(server, 2)
    server.audit.wait("open", direction="inbound", version=f"TLSv{version}")


# Serves one connection after the other: a greeting, and an answer for each line that it knows.
TINY = """
import socket, sys
port, greeting, *known = sys.argv[1:]
answers = dict(pair.split("=", 1) for pair in known)
listener = socket.create_server(("127.0.0.1", int(port)))
while True:
    sock, _ = listener.accept()
    stream = sock.makefile("rwb", 0)
    try:
        stream.write(greeting.encode() + b"\\r\\n")
        for line in stream:
            text = answers.get(line.split()[0].decode().upper(), "500 what")
            stream.write(text.replace("|", "\\r\\n").encode() + b"\\r\\n")
    except OSError:
        pass
    stream.close()
    sock.close()
"""


def start_tiny(seam, protocol, *known):
    return seam.serve(lambda port: [PYTHON, "-c", TINY, port, *known],
                      lambda port: seam.policy(seam.inbound(port, starttls=protocol)))


def test_poplib(seam):
    server = start_tiny(seam, "pop3", "+OK hi", "CAPA=+OK|USER|.", "USER=+OK", "PASS=+OK", "STAT=+OK 7 77", "QUIT=+OK")
    client = poplib.POP3("localhost", server.port, timeout=TIMEOUT_S)
    with pytest.raises(poplib.error_proto, match="STLS first"):
        client.user("user")
    assert list(client.capa()) == ["STLS"]
    client.stls(client_context(seam.pki))
    assert list(client.capa()) == ["USER"]
    client.user("user")
    client.pass_("secret")
    assert client.stat() == (7, 77)
    client.quit()
    check_opened(server, direction="inbound")


@pytest.fixture
def nntplib():
    """Python's client, which 3.13 has no more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return pytest.importorskip("nntplib")


def test_nntplib(seam, nntplib):
    server = start_tiny(seam, "nntp", "200 hi", "CAPABILITIES=101 list|VERSION 2|READER|.", "DATE=111 20260101000000",
                        "QUIT=205 bye")
    client = nntplib.NNTP("localhost", server.port, timeout=TIMEOUT_S)
    assert "STARTTLS" in client.getcapabilities()
    with pytest.raises(nntplib.NNTPTemporaryError, match="483"):
        client.date()
    client.starttls(client_context(seam.pki))
    assert "READER" in client.getcapabilities()
    assert client.date()[0] == "111 20260101000000"
    client.quit()
    check_opened(server, direction="inbound")


@pytest.mark.usefixtures("nntplib")
def test_nntplib_under_seamtls(seam):
    server = start_tiny(seam, "nntp", "200 hi", "CAPABILITIES=101 list|VERSION 2|READER|.", "DATE=111 20260101000000",
                        "QUIT=205 bye")
    client = seam.run([PYTHON, "-c", "import nntplib, sys\n"
                       "with nntplib.NNTP('localhost', int(sys.argv[1]), timeout=20) as client: print(client.date()[0])",
                       server.port], seam.policy(seam.outbound(server.port, starttls="nntp")))
    assert client.stdout == b"111 20260101000000\n", client.story()
    check_opened(client)


# --- LDAP

SEARCH = ["-LLL", "-o", "ldif-wrap=no", "-b", "dc=test", "(objectClass=inetOrgPerson)", "uid", "jpegPhoto"]


def ldap_command(name, port, *arguments, host="127.0.0.1"):
    return [name, *ldap.AUTHENTICATION, "-H", f"ldap://{host}:{port}", *arguments]


def test_slapd(seam, version):
    server = ldap.start(seam, lambda port: seam.policy(seam.inbound(port, starttls="ldap", version=version)))
    env = {"LDAPTLS_CACERT": str(seam.pki.ca), "LDAPTLS_REQCERT": "demand"}
    ldif, pictures = ldap.entries(50)
    refused = seam.run(ldap_command("ldapadd", server.port), stdin=ldif, status=13)
    assert "Confidentiality required (13)" in refused.stderr and "TLS is required" in refused.stderr, refused.story()
    seam.run(ldap_command("ldapadd", server.port, "-ZZ"), env=env, stdin=ldif)
    found = seam.run(ldap_command("ldapsearch", server.port, "-ZZ", *SEARCH), env=env)
    assert ldap.pictures_in(found.stdout) == pictures, found.story()
    assert len(server.audit.wait("open", 2, version=f"TLSv{version}")) == 2


def test_slapd_with_tls(seam):
    server = ldap.start(seam, own_tls=True)
    policy = seam.policy(seam.outbound(server.port, starttls="ldap"))
    ldif, pictures = ldap.entries(50)
    assert "TLS confidentiality required" in seam.run(ldap_command("ldapadd", server.port), stdin=ldif, status=13).stderr
    added = seam.run(ldap_command("ldapadd", server.port, host="localhost"), policy, stdin=ldif)
    found = seam.run(ldap_command("ldapsearch", server.port, *SEARCH, host="localhost"), policy)
    assert ldap.pictures_in(found.stdout) == pictures, found.story()
    for program in (added, found):
        check_opened(program, direction="outbound")


# --- PostgreSQL

@pytest.fixture(scope="module")
def native(shared):
    return postgres.start(shared, own_tls=True)


@pytest.fixture(scope="module")
def covered(shared):
    return postgres.start(shared, lambda port: shared.policy(shared.inbound(port, starttls="pgsql")))


MODES = ["disable", "allow", "prefer"]


@pytest.mark.parametrize("mode", MODES)
def test_psql(seam, native, version, mode):
    """Whatever it thinks of TLS by itself; the server accepts nothing else."""
    policy = seam.policy(seam.outbound(native.port, starttls="pgsql", version=version))
    query = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()"
    program = seam.run(postgres.psql(native.port, query, f"sslmode={mode}"), policy)
    assert program.stdout.decode() == f"t|TLSv{version}\n", program.story()
    check_opened(program, version=f"TLSv{version}", server_name="localhost")


def test_psql_that_insists(seam, native):
    """It is told that there is none, and says so; nothing else has left."""
    policy = seam.policy(seam.outbound(native.port, starttls="pgsql"))
    program = seam.run(postgres.psql(native.port, "select 1", "sslmode=require"), policy, status=2)
    assert "server does not support SSL, but SSL was required" in program.stderr, program.story()
    seam.run(postgres.psql(native.port, "select 1", "sslmode=disable"), status=2)


def test_psql_cancels(seam, native):
    """By a connection of its own, made in a signal handler; the server takes it through TLS."""
    program = seam.start(postgres.psql(native.port, "select pg_sleep(60)"),
                         seam.policy(seam.outbound(native.port, starttls="pgsql")))

    def sleeps():
        query = "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'"
        found = seam.run([postgres.tool("psql"), "-X", "-A", "-t", "-c", query, "-h", native.socket_dir, "-p", native.port,
                          "-U", postgres.USER, "postgres"])
        return found.stdout == b"1\n"

    program.until(sleeps, "it slept")
    program.popen.send_signal(signal.SIGINT)
    program.wait(TIMEOUT_S)
    assert "canceling statement due to user request" in program.stderr, program.story()
    assert len(program.audit.wait("open", 2)) == 2


def test_pgbench(seam, native):
    env = {"PGGSSENCMODE": "disable"}
    server = ["-h", "localhost", "-p", native.port, "-U", postgres.USER, "postgres"]
    policy = seam.policy(seam.outbound(native.port, starttls="pgsql"))
    pgbench = postgres.tool("pgbench")
    seam.run([pgbench, "-i", "-q", *server], policy, env=env)
    program = seam.run([pgbench, "-n", "-C", "-c", "3", "-t", "5", *server], policy, env=env)
    assert "15/15" in program.stdout.decode(), program.story()


def test_postgres(seam, covered, version):
    """Clients with libpq's own TLS, and one without any."""
    for mode in ("require", "verify-full", "prefer"):
        tls = f"sslmode={mode} sslrootcert={seam.pki.ca} ssl_max_protocol_version=TLSv{version}"
        program = seam.run(postgres.psql(covered.port, postgres.BIG_QUERY, tls))
        assert len(program.stdout) == 32 * postgres.BIG_ROWS + 1, program.story()
    assert len(covered.audit.wait("open", 3, version=f"TLSv{version}", direction="inbound")) >= 3
    refused = seam.run(postgres.psql(covered.port, "select 1"), status=2)
    assert "FATAL:  connections without TLS are not accepted" in refused.stderr, refused.story()


@pytest.mark.parametrize("mode", MODES)
def test_psql_and_postgres(seam, covered, mode):
    policy = seam.policy(seam.outbound(covered.port, starttls="pgsql"))
    program = seam.run(postgres.psql(covered.port, "select 6 * 7", f"sslmode={mode}"), policy)
    assert program.stdout == b"42\n", program.story()
    check_opened(program)


# --- On the wire

def test_openssl_asks_postgres(seam, covered):
    client = seam.start(["openssl", "s_client", "-brief", "-starttls", "postgres", "-connect", f"localhost:{covered.port}",
                         "-CAfile", seam.pki.ca, "-verify_return_error"], stdin=b"")
    client.wait(TIMEOUT_S)
    assert "Verification: OK" in client.stderr, client.story()


def test_openssl_asks_slapd(seam):
    server = ldap.start(seam, lambda port: seam.policy(seam.inbound(port, starttls="ldap")))
    client = seam.start(["openssl", "s_client", "-brief", "-starttls", "ldap", "-connect", f"localhost:{server.port}",
                         "-CAfile", seam.pki.ca, "-verify_return_error"], stdin=b"")
    client.wait(TIMEOUT_S)
    assert "Verification: OK" in client.stderr, client.story()


def test_nothing_but_the_dialogue_is_on_the_wire(seam):
    """Both ends covered; what the program greets with is there, what is said after it is not."""
    exim, _ = queue(seam, False)
    server = exim.start(starttls="smtp")
    capture = Capture(seam, server.port)
    seam.run([PYTHON, "-c", SENDER, server.port], seam.policy(seam.outbound(server.port, starttls="smtp")), stdin=MESSAGE)
    captured = capture.finish()
    assert len(captured) > len(MESSAGE)
    for seen in (b"220 localhost ESMTP Exim", b"EHLO [127.0.0.1]", b"250 STARTTLS", b"220 2.0.0 Ready"):
        assert captured.count(seen) == 1, seen
    for hidden in (b"MAIL FROM", b"mail FROM", b"a@localhost", b"b@localhost", b"Subject", TEXT[:32], TEXT[-40:-8]):
        assert hidden.lower() not in captured.lower(), hidden


def test_login_is_not_on_the_wire(seam):
    server = start_upgrading(seam, "imap", script=[*SCRIPTS["imap"]])
    capture = Capture(seam, server.port)
    seam.run([PYTHON, "-c", "import socket, sys\ns = socket.create_connection(('localhost', int(sys.argv[1])))\n"
              "s.recv(100)\ns.sendall(b'a LOGIN user topsecretword\\r\\n')\ns.recv(100)", server.port],
             seam.policy(seam.outbound(server.port, starttls="imap")))
    captured = capture.finish()
    assert b"S1 STARTTLS" in captured and b"topsecret" not in captured.lower() and b"LOGIN user" not in captured
