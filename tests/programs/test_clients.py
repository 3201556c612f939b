# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmodified clients that speak plain TCP, under seamtls, to a server that speaks TLS by itself."""
import socket
import sys

import pytest

from peers import (BIG, SMALL, Echo, Http, content, digest, start_plain_server, start_server)
from process import free_port
from seam import check_opened, need, rule

PYTHON = sys.executable

URLLIB = """
import sys, hashlib, urllib.request
got = urllib.request.urlopen(sys.argv[1]).read()
data = bytes(range(256)) * 2000
posted = urllib.request.urlopen(sys.argv[1].rpartition("/")[0] + "/", data=data).read().decode()
assert posted == hashlib.sha256(data).hexdigest(), posted
print(hashlib.sha256(got).hexdigest())
"""

ASK_AND_CLOSE = """
import socket, sys
data = sys.stdin.buffer.read()
sock = socket.create_connection(("localhost", int(sys.argv[1])))
sock.sendall(data)
got = b""
while len(got) < len(data) and (part := sock.recv(100)):
    got += part
sock.close()
sys.stdout.buffer.write(got)
"""

ASYNCIO = """
import asyncio, hashlib, sys
async def fetch(host, port, path):
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {path} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n".encode())
    head = await reader.readuntil(b"\\r\\n\\r\\n")
    assert b" 200 " in head, head
    body = await reader.read()
    writer.close()
    await writer.wait_closed()
    return hashlib.sha256(body).hexdigest()
async def main(host, port, path):
    found = await asyncio.gather(*(fetch(host, port, path) for _ in range(5)))
    print(found[0] if len(set(found)) == 1 else found)
asyncio.run(main(*sys.argv[1:]))
"""

PERL = """
use strict; use IO::Socket::INET; use Digest::SHA qw(sha256_hex);
my ($host, $port, $path) = @ARGV;
my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Proto => "tcp") or die "connect: $@ $!";
print $s "GET $path HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"; $s->flush;
my $all = do { local $/; <$s> };
my ($head, $body) = split /\\r\\n\\r\\n/, $all, 2;
$head =~ / 200 / or die $head;
print sha256_hex($body), "\\n";
"""

NODE = """
const http = require("http"), crypto = require("crypto");
const hash = () => crypto.createHash("sha256");
const agent = new http.Agent({ keepAlive: true });
const call = (method, path, data) => new Promise((good, bad) => {
  const req = http.request({ host: process.argv[1], port: process.argv[2], path, method, agent,
    headers: data ? { "Content-Length": data.length } : {} }, res => {
    const h = hash(), text = [];
    res.on("data", d => { h.update(d); text.push(d); });
    res.on("end", () => good([h.digest("hex"), Buffer.concat(text)]));
    res.on("error", bad);
  });
  req.on("error", bad);
  req.end(data);
});
(async () => {
  const [got] = await call("GET", process.argv[3]);
  const data = Buffer.alloc(600001, "seam");
  const [, posted] = await call("POST", "/", data);
  if (posted.toString() !== hash().update(data).digest("hex")) throw new Error("post: " + posted);
  console.log(got);
  agent.destroy();
})();
"""

JAVA = """
import java.io.*; import java.net.*; import java.security.*; import java.util.*;
public class Fetch {
    public static void main(String[] a) throws Exception {
        URL url = new URL("http://" + a[0] + ":" + a[1] + a[2]);
        byte[] body = ((HttpURLConnection) url.openConnection()).getInputStream().readAllBytes();
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(body);
        System.out.println(HexFormat.of().formatHex(hash));
    }
}
"""


def check_fetch(seam, server, argv, size, version, stdin=None):
    """Runs a client that prints the SHA-256 of content(size), and checks both ends' account of it."""
    program = seam.run(argv, seam.policy(seam.outbound(server.port)), stdin=stdin)
    assert program.stdout.decode().strip() == digest(content(size)), program.story()
    check_opened(program, version=f"TLSv{version}", direction="outbound")
    if seam.covering:
        assert {seen.version for seen in server.seen} == {f"TLSv{version}"}


@pytest.mark.parametrize("size", [0, 1, SMALL, 16384, BIG])
def test_curl(seam, version, size):
    need("curl")
    server = start_server(seam, Http, version=version)
    program = seam.run(["curl", "-sSf", f"http://localhost:{server.port}/{size}"], seam.policy(seam.outbound(server.port)))
    assert digest(program.stdout) == digest(content(size)), program.story()
    check_opened(program, version=f"TLSv{version}")


def test_curl_reuses_connection_and_posts(seam, version):
    need("curl")
    server = start_server(seam, Http, version=version, cert=seam.pki.good_rsa)
    body = seam.dir / "body"
    body.write_bytes(content(BIG))
    url = f"http://localhost:{server.port}"
    program = seam.run(["curl", "-sSf", "-H", "Expect:", "--data-binary", f"@{body}", f"{url}/", f"{url}/"],
                       seam.policy(seam.outbound(server.port)))
    assert program.stdout.decode() == digest(content(BIG)) * 2, program.story()
    check_opened(program)
    assert len(server.seen) == 1, "curl was to use its connection twice"


@pytest.mark.parametrize("size", [SMALL, BIG])
def test_wget(seam, version, size):
    need("wget")
    server = start_server(seam, Http, version=version)
    program = seam.run(["wget", "-q", "-O", "-", f"http://localhost:{server.port}/{size}"],
                       seam.policy(seam.outbound(server.port)))
    assert digest(program.stdout) == digest(content(size)), program.story()
    check_opened(program, version=f"TLSv{version}")
    if seam.covering:
        assert server.seen[0].server_name == "localhost", "the name that wget looked up is the name in the handshake"


def test_nc(seam, version):
    need("nc")
    server = start_server(seam, Echo, version=version)
    data = content(BIG)
    program = seam.run(["nc", "-N", "localhost", str(server.port)], seam.policy(seam.outbound(server.port)), stdin=data)
    assert digest(program.stdout) == digest(data), program.story()
    check_opened(program, version=f"TLSv{version}")


@pytest.mark.tls_only
def test_openssl_server(seam, version):
    """The server of the openssl command, which closes the connection to end its answer."""
    folder = seam.make_dir("site")
    (folder / "file").write_bytes(content(BIG))
    server = seam.serve(lambda port: ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-WWW", "-quiet", "-cert",
                                      seam.pki.good.cert, "-key", seam.pki.good.key, f"-tls{version.replace('.', '_')}"],
                        cwd=folder)
    program = seam.run(["curl", "-sSf", f"http://localhost:{server.port}/file"], seam.policy(seam.outbound(server.port)))
    assert digest(program.stdout) == digest(content(BIG)), program.story()
    check_opened(program, version=f"TLSv{version}")


@pytest.mark.tls_only
def test_gnutls_server(seam, version):
    need("gnutls-serv")
    server = seam.serve(lambda port: ["gnutls-serv", "--echo", "--quiet", "--port", port, "--x509certfile", seam.pki.good.cert,
                                      "--x509keyfile", seam.pki.good.key, "--priority",
                                      f"NORMAL:-VERS-ALL:+VERS-TLS{version}"])
    line = content(6000).hex().encode() + b"\n"
    program = seam.run([PYTHON, "-c", ASK_AND_CLOSE, server.port], seam.policy(seam.outbound(server.port)), stdin=line)
    assert program.stdout == line, program.story()
    check_opened(program, version=f"TLSv{version}")


def test_python_urllib(seam, version):
    server = start_server(seam, Http, version=version)
    check_fetch(seam, server, [PYTHON, "-c", URLLIB, f"http://localhost:{server.port}/{BIG}"], BIG, version)


def test_python_asyncio(seam, version):
    server = start_server(seam, Http, version=version)
    program = seam.run([PYTHON, "-c", ASYNCIO, "localhost", str(server.port), f"/{BIG}"],
                       seam.policy(seam.outbound(server.port)))
    assert program.stdout.decode().strip() == digest(content(BIG)), program.story()
    check_opened(program, 5, version=f"TLSv{version}")


def test_perl(seam, version):
    need("perl")
    server = start_server(seam, Http, version=version)
    check_fetch(seam, server, ["perl", "-e", PERL, "localhost", str(server.port), f"/{BIG}"], BIG, version)


def test_node(seam, version):
    need("node")
    server = start_server(seam, Http, version=version)
    check_fetch(seam, server, ["node", "-e", NODE, "localhost", str(server.port), f"/{BIG}"], BIG, version)


def test_java(seam, version):
    need("java")
    server = start_server(seam, Http, version=version)
    source = seam.dir / "Fetch.java"
    source.write_text(JAVA)
    check_fetch(seam, server, ["java", "-XX:-UsePerfData", str(source), "localhost", str(server.port), f"/{BIG}"], BIG, version)


@pytest.mark.parametrize("family, host", [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")])
def test_curl_tries_both_families(seam, family, host):
    """curl races ::1 against 127.0.0.1; the loser is refused or given up, and disturbs nothing."""
    need("curl")
    try:
        server = start_server(seam, Http, family=family, host=host)
    except OSError as error:
        pytest.skip(f"this machine has no {host}: {error}")
    program = seam.run(["curl", "-sSf", f"http://localhost:{server.port}/{BIG}"], seam.policy(seam.outbound(server.port)))
    assert digest(program.stdout) == digest(content(BIG)), program.story()
    check_opened(program)


def test_other_ports_are_left_alone(seam):
    """Without a rule the same program speaks plain TCP, and the audit says so if a rule asks for it."""
    need("curl")
    server = start_plain_server(seam, Http)
    policy = seam.policy(rule("outbound", free_port(), ca=seam.pki.ca),
                         rule("outbound", server.port, action="observe", name="watch"))
    program = seam.run(["curl", "-sSf", f"http://localhost:{server.port}/{BIG}"], policy)
    assert digest(program.stdout) == digest(content(BIG)), program.story()
    if seam.covering:
        program.audit.wait("observe", rule="watch")
