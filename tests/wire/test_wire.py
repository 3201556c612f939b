# SPDX-License-Identifier: GPL-3.0-or-later
"""
What is on the wire. Programs under seamtls at both ends exchange random words; a capture must hold none of them. The
same exchange without the library is the control: there the capture must hold them, so that a test which looks at
the wrong place cannot pass.
"""
import secrets

import pytest

import nginx
from capture import Capture
from seam import need
from servers import INETD, PYTHON, start_redis

REPEAT = 3000  # times a word, so that every call and many records carry it

NODE_SERVER = """
const fs = require("fs");
require("http").createServer((req, res) => {
  req.resume().on("end", () => fs.createReadStream(process.argv[2]).pipe(res));
}).listen(+process.argv[1], "127.0.0.1");
"""

NODE_CLIENT = """
const fs = require("fs");
const req = require("http").request({ host: "localhost", port: +process.argv[1], method: "POST", agent: false }, res => {
  const parts = [];
  res.on("data", d => parts.push(d)).on("end", () => process.stdout.write(Buffer.concat(parts)));
});
fs.createReadStream(process.argv[2]).pipe(req);
"""

# Every call that Python can write to a socket with, the data in a file for sendfile. The end is a half-close.
PYTHON_SENDER = """
def send_file(sock, path):
    with open(path, "rb") as data:
        text = data.read()
        sock.sendall(text)
        sock.send(text[:1000], socket.MSG_MORE)
        os.writev(sock.fileno(), [text[:500], text[500:9000]])
        sock.sendmsg([text[:10000], b"-", text[:10]])
        os.write(sock.fileno(), text[:5000])
        with sock.dup() as other:
            other.sendall(text[:3000])
        offset = 0
        while count := os.sendfile(sock.fileno(), data.fileno(), offset, 1 << 20):
            offset += count
        print(text[:3000].decode(), file=sock.makefile("w"), flush=True)
    sock.shutdown(socket.SHUT_WR)

def read_all(sock):
    parts = []
    while part := sock.recv(65536):
        parts.append(part)
    return b"".join(parts)
"""

PYTHON_SERVER = "import os, socket, sys" + PYTHON_SENDER + """
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
sock, _ = listener.accept()
read_all(sock)
send_file(sock, sys.argv[2])
sock.close()
"""

PYTHON_CLIENT = "import os, socket, sys" + PYTHON_SENDER + """
sock = socket.create_connection(("localhost", int(sys.argv[1])))
send_file(sock, sys.argv[2])
sys.stdout.buffer.write(read_all(sock))
sock.close()
"""


class Words:
    """A random word for each way, and a file full of it."""

    def __init__(self, folder):
        self.up, self.down = secrets.token_hex(16), secrets.token_hex(16)
        self.up_file, self.down_file = folder / "up", folder / "down"
        self.up_file.write_text(self.up * REPEAT)
        self.down_file.write_text(self.down * REPEAT)


class Run:
    """One exchange, with the library at both ends or nowhere, and the capture of it."""

    def __init__(self, seam, covered, words):
        self.seam, self.covered, self.words = seam, covered, words

    def server_policy(self):
        return (lambda port: self.seam.policy(self.seam.inbound(port))) if self.covered else None

    def serve(self, argv):
        return self.watch(self.seam.serve(argv, self.server_policy()))

    def watch(self, server):
        """Captures the server's port from now on; returns the port."""
        self.capture = Capture(self.seam, server.port)
        return server.port

    def client(self, argv, port, **options):
        policy = self.seam.policy(self.seam.outbound(port)) if self.covered else None
        return self.seam.run(argv, policy, **options)


def curl_and_nginx(run, sendfile):
    need("curl", "nginx")
    server = nginx.start(run.seam, run.words.down_file.parent, sendfile=sendfile, covered=run.covered)
    port = run.watch(server)
    return run.client(["curl", "-sSf", "-A", run.words.up, f"http://localhost:{port}/down",
                       "-H", f"X-Word: {run.words.up * 20}"], port).stdout


def curl_and_nginx_sendfile(run):
    return curl_and_nginx(run, "on")


def curl_and_nginx_write(run):
    return curl_and_nginx(run, "off")


def redis(run):
    need("redis-cli", "redis-server")
    port = run.watch(start_redis(run.seam, run.server_policy()))
    cli = ["redis-cli", "-h", "localhost", "-p", port]
    run.client([*cli, "-x", "set", run.words.up], port, stdin=run.words.down_file.read_bytes())
    return run.client([*cli, "get", run.words.up], port).stdout


def node(run):
    need("node")
    port = run.serve(lambda port: ["node", "-e", NODE_SERVER, port, run.words.down_file])
    return run.client(["node", "-e", NODE_CLIENT, port, run.words.up_file], port).stdout


def python_calls(run):
    port = run.serve(lambda port: [PYTHON, "-c", PYTHON_SERVER, port, run.words.down_file])
    return run.client([PYTHON, "-c", PYTHON_CLIENT, port, run.words.up_file], port).stdout


def inetd(run):
    """What the program that inetd starts writes goes through a relay, which is not on the network."""
    script = f"cat >/dev/null; cat {run.words.down_file}"
    port = run.serve(lambda port: [PYTHON, "-c", INETD, port, "sh", "-c", script])
    return run.client([PYTHON, "-c", PYTHON_CLIENT, port, run.words.up_file], port).stdout


EXCHANGES = [curl_and_nginx_sendfile, curl_and_nginx_write, redis, node, python_calls, inetd]


@pytest.fixture
def words(seam):
    return Words(seam.make_dir("words"))


def captured(seam, words, exchange, covered):
    run = Run(seam, covered, words)
    received = exchange(run)
    capture = run.capture.finish()
    size = REPEAT * len(words.down)
    assert received.count(words.down.encode()) >= REPEAT, "the exchange itself failed"
    assert len(capture) > size, f"the capture of {len(capture)} bytes cannot hold the exchange"
    return capture


@pytest.mark.tls_only
@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.__name__)
def test_words_are_not_on_the_wire(seam, words, exchange):
    capture = captured(seam, words, exchange, True)
    for way, word in (("client's", words.up), ("server's", words.down)):
        # Half a word is enough to betray a record that was cut.
        for part in (word[:16], word[16:]):
            assert part.encode() not in capture, f"the {way} plaintext is on the wire: {part}"


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.__name__)
def test_control_words_are_seen_without_the_library(seam, words, exchange):
    capture = captured(seam, words, exchange, False)
    for word in (words.up, words.down):
        assert word.encode() in capture, "the control is broken: plaintext was not found in a capture of plain TCP"
