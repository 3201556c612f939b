# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmodified servers that speak plain TCP, under seamtls, with clients that speak TLS by themselves."""
import shutil
import sys

import pytest

import nginx
from peers import BIG, SMALL, connect, content, digest, echo_exchange, http_get, read_exactly
from seam import NATIVE, check_opened, need
from servers import start_redis

PYTHON = sys.executable

NODE = """
const http = require("http"), crypto = require("crypto"), fs = require("fs");
http.createServer((req, res) => {
  if (req.method === "POST") {
    const h = crypto.createHash("sha256");
    req.on("data", d => h.update(d)).on("end", () => res.end(h.digest("hex")));
  } else fs.createReadStream(process.argv[2] + req.url).pipe(res);
}).listen(+process.argv[1], "127.0.0.1");
"""


@pytest.fixture
def site(seam):
    """A folder with files named by their size."""
    folder = seam.make_dir("site")
    for size in (0, 1, SMALL, BIG):
        (folder / str(size)).write_bytes(content(size))
    return folder


def start_http_server(seam, site, version):
    return seam.serve(
        lambda port: [PYTHON, "-m", "http.server", "--protocol", "HTTP/1.1", "--bind", "127.0.0.1", "-d", site, port],
        lambda port: seam.policy(seam.inbound(port, version=version)))


@pytest.mark.parametrize("size", [0, 1, SMALL, BIG])
def test_python_http_server(seam, site, version, size):
    server = start_http_server(seam, site, version)
    assert digest(http_get(seam, server.port, f"/{size}", version)) == digest(content(size))
    for opened in check_opened(server, direction="inbound"):
        assert opened["version"] == f"TLSv{version}"


def test_curl_fetches_from_python(seam, site, version):
    need("curl")
    server = start_http_server(seam, site, version)
    scheme = "http" if NATIVE else "https"
    url = f"{scheme}://localhost:{server.port}/{BIG}"
    limit = {"1.2": ["--tls-max", "1.2"], "1.3": ["--tlsv1.3"]}[version]
    program = seam.run(["curl", "-sSf", *limit, "--cacert", seam.pki.ca, url, url])
    assert digest(program.stdout) == digest(content(BIG) * 2)
    check_opened(server)


@pytest.mark.tls_only
@pytest.mark.parametrize("priority, version", [("-VERS-ALL:+VERS-TLS1.2", "TLSv1.2"), ("-VERS-ALL:+VERS-TLS1.3", "TLSv1.3")])
def test_gnutls_client(seam, site, priority, version):
    need("gnutls-cli")
    server = start_http_server(seam, site, None)
    request = f"GET /{BIG} HTTP/1.0\r\n\r\n".encode()
    program = seam.run(["gnutls-cli", "--logfile", seam.dir / "log", "--priority", f"NORMAL:{priority}", "--x509cafile",
                        seam.pki.ca, "-p", server.port, "localhost"], stdin=request)
    assert content(BIG) in program.stdout, program.story()
    check_opened(server, version=version)


@pytest.mark.tls_only
@pytest.mark.parametrize("option, version", [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_openssl_client(seam, site, option, version):
    server = start_http_server(seam, site, None)
    request = f"GET /{BIG} HTTP/1.0\r\n\r\n".encode()
    program = seam.run(["openssl", "s_client", option, "-quiet", "-verify_return_error", "-CAfile", seam.pki.ca,
                        "-connect", f"localhost:{server.port}"], stdin=request)
    assert content(BIG) in program.stdout, program.story()
    check_opened(server, version=version)


@pytest.mark.parametrize("sendfile", ["on", "off"])
def test_nginx(seam, site, version, sendfile):
    need("nginx")
    server = nginx.start(seam, site, version=version, sendfile=sendfile)
    assert digest(http_get(seam, server.port, f"/{BIG}", version, requests=5)) == digest(content(BIG))
    assert digest(http_get(seam, server.port, f"/{SMALL}", version, requests=20)) == digest(content(SMALL))
    check_opened(server, 2, version=f"TLSv{version}")


@pytest.mark.parametrize("sendfile", ["on", "off"])
def test_nginx_large_file(seam, sendfile):
    """A file that is far larger than every buffer on its way, over one connection, after a small one."""
    need("nginx")
    folder = seam.make_dir("site")
    (folder / "large").write_bytes(content(BIG) * 60)
    server = nginx.start(seam, folder, sendfile=sendfile)
    assert digest(http_get(seam, server.port, "/large", requests=2)) == digest(content(BIG) * 60)
    check_opened(server)


def test_nginx_worker_is_unprivileged(seam, site):
    """The key is readable by root only; the worker that speaks TLS is not root."""
    need("nginx")
    key = seam.dir / "root-only.key"
    shutil.copyfile(seam.pki.good.key, key)
    key.chmod(0o600)
    server = nginx.start(seam, site, key=key, workers=2)
    for _ in range(6):
        assert digest(http_get(seam, server.port, f"/{SMALL}")) == digest(content(SMALL))
    opened = check_opened(server, 6)
    assert all(event["uid"] == nginx.worker_uid() for event in opened)


def resp(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def test_redis_server(seam, version):
    need("redis-server")
    server = start_redis(seam, lambda port: seam.policy(seam.inbound(port, version=version)))
    value = content(BIG)
    with connect(seam, server.port, version) as sock:
        sock.sendall(resp(b"SET", b"key", value))
        assert read_exactly(sock, 5) == b"+OK\r\n"
        sock.sendall(resp(b"GET", b"key") * 3)
        one = b"$%d\r\n%s\r\n" % (len(value), value)
        assert digest(read_exactly(sock, 3 * len(one))) == digest(one * 3)
        sock.sendall(resp(b"PING") * 1000)
        assert read_exactly(sock, 7000) == b"+PONG\r\n" * 1000
        sock.sendall(resp(b"QUIT"))
        assert read_exactly(sock, 5) == b"+OK\r\n"
        assert sock.recv(1) == b"", "redis closes after QUIT"
    check_opened(server, version=f"TLSv{version}")


def test_memcached(seam, version):
    need("memcached")
    server = seam.serve(
        lambda port: ["memcached", "-p", port, "-U", "0", "-l", "127.0.0.1", "-t", "2", "-u", "nobody"],
        lambda port: seam.policy(seam.inbound(port, version=version)))
    value = content(BIG)
    with connect(seam, server.port, version) as sock:
        sock.sendall(b"set k 0 0 %d\r\n%s\r\n" % (len(value), value))
        assert read_exactly(sock, 8) == b"STORED\r\n"
        sock.sendall(b"get k\r\n")
        answer = b"VALUE k 0 %d\r\n%s\r\nEND\r\n" % (len(value), value)
        assert digest(read_exactly(sock, len(answer))) == digest(answer)
        sock.sendall(b"quit\r\n")
        assert sock.recv(1) == b"", "memcached closes after quit"
    check_opened(server, version=f"TLSv{version}")


def test_socat_echo(seam, version):
    """socat forks for each connection; the child serves it, the parent closes its copy."""
    need("socat")
    server = seam.serve(
        lambda port: ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", "PIPE"],
        lambda port: seam.policy(seam.inbound(port, version=version)))
    for _ in range(3):
        with connect(seam, server.port, version) as sock:
            assert digest(echo_exchange(sock, content(BIG))) == digest(content(BIG))
    check_opened(server, 3, version=f"TLSv{version}")


def test_socat_file(seam, version):
    need("socat")
    path = seam.dir / "file"
    path.write_bytes(content(BIG))
    server = seam.serve(
        lambda port: ["socat", "-u", f"OPEN:{path}", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr"],
        lambda port: seam.policy(seam.inbound(port, version=version)))
    with connect(seam, server.port, version) as sock:
        assert digest(read_exactly(sock, BIG + 1)) == digest(content(BIG)), "the file, and then the end"
    check_opened(server)


def test_node_http_server(seam, site, version):
    need("node")
    server = seam.serve(lambda port: ["node", "-e", NODE, port, site],
                        lambda port: seam.policy(seam.inbound(port, version=version)))
    assert digest(http_get(seam, server.port, f"/{BIG}", version, requests=3)) == digest(content(BIG))
    assert http_get(seam, server.port, f"/{SMALL}", version, requests=20) == content(SMALL)
    check_opened(server, 2, version=f"TLSv{version}")
