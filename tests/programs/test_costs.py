# SPDX-License-Identifier: GPL-3.0-or-later
"""
What a request costs in calls: as many to the kernel as over plain TCP, no memory, no lock that anybody waits for. How long it
takes is for tests/bench.
"""
import os
import shutil
import signal
import socket
import ssl
from collections import Counter

import pytest

import nginx
from process import free_port
from seam import NATIVE, built, need

TRIPS = 50
WARM_UP = 20
THREADS = 4
VALUE = b"v" * 1000


def traced(seam, argv, policy, **options):
    """A server under strace, which writes to its .log."""
    need("strace")
    log = seam.make_dir("strace") / "log"
    server = seam.serve(lambda port: ["strace", "-f", "-qq", "-o", log, *argv(port)], policy, **options)
    server.log = log
    return server


def last_trips(log, ends):
    """For each thread that has made that many: the calls between the end of a trip and that of the TRIPS-th after it, counted."""
    calls, found = {}, []
    for line in log.read_text().splitlines():
        pid, _, text = line.partition(" ")
        name = text.strip().partition("(")[0]
        # A call of a thread that another's was printed into: it counts where it began.
        if name.isidentifier():
            calls.setdefault(pid, []).append(name)
    for names in calls.values():
        at = [i for i, name in enumerate(names) if name == ends][:-1]  # the last one may be a close_notify
        if len(at) > TRIPS + 5:
            found.append(Counter(names[at[-TRIPS - 1] + 1:at[-1] + 1]))
    return found


@pytest.mark.parametrize("threads", [1, THREADS])
def test_blocking(seam, threads):
    """A blocking read waits in one call and takes what has come in another; where the answer is there already it does not wait."""
    server = traced(seam, lambda port: [built("tests", "programs", "echo_threads"), "serve", port, threads],
                    lambda port: seam.policy(seam.inbound(port)))
    client = seam.run([built("tests", "programs", "echo_threads"), "ask", server.port, threads, TRIPS + WARM_UP],
                      seam.policy(seam.outbound(server.port)))
    assert server.wait(60) == 0, server.story()
    found = last_trips(server.log, "sendto")
    assert len(found) == threads
    for calls in found:
        assert calls["sendto"] == TRIPS and "futex" not in calls
        # One that sends, one that waits, one that takes: all but the few where the answer was there before the read. How often
        # that is with several threads depends on who has a processor.
        assert sum(calls.values()) <= (3 * TRIPS + 10 if threads == 1 else 4 * TRIPS)
    assert b"memory 0 times" in server.stdout and b"memory 0 times" in client.stdout, server.story() + client.story()


def fetch(context, port, session):
    """One connection with one request; its session for the next."""
    plain = socket.create_connection(("localhost", port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with context.wrap_socket(plain, server_hostname="localhost", session=session) as stream:
        stream.sendall(b"GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"end\n"):
            answer += stream.recv(4096)
        assert stream.session_reused == (session is not None)
        found = stream.session
        stream.unwrap().close()
        return found


@pytest.mark.skipif(NATIVE, reason="it counts calls of the library")
@pytest.mark.parametrize("version, most", [(ssl.TLSVersion.TLSv1_3, 50), (ssl.TLSVersion.TLSv1_2, 48)])
def test_resumed_handshake(seam, version, most):
    """All that a server calls for a connection with a resumed handshake, a request for a file, and its events of the audit."""
    need("nginx")
    site = seam.make_dir("site")
    (site / "file").write_bytes(b"x" * 100 + b"end\n")
    config = nginx.CONFIG.replace("daemon off;", "daemon off; master_process off;")

    def argv(port):
        path = site / "nginx.conf"
        path.write_text(config.format(dir=site, site=site, port=port, sendfile="on", workers=1, user="", more=""))
        return [shutil.which("nginx"), "-p", site, "-e", "stderr", "-c", path]

    server = traced(seam, argv, lambda port: seam.policy(seam.inbound(port)))
    context, session = ssl.create_default_context(cafile=seam.pki.ca), None
    context.minimum_version = context.maximum_version = version
    for _ in range(6):
        session = fetch(context, server.port, session)
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(60)
    names = [line.partition(" ")[2].strip().partition("(")[0] for line in server.log.read_text().splitlines()]
    accepted = [at for at, name in enumerate(names) if name == "accept4"]
    costs = [end - begin for begin, end in zip(accepted[2:], accepted[3:])]
    # Some find a step of the peer's done before they wait for it, some do not.
    assert len(costs) >= 2 and min(costs) <= most, Counter(names[accepted[-2]:accepted[-1]])


def ask_memcached(seam, port):
    stream = socket.create_connection(("localhost", port))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not NATIVE:
        stream = ssl.create_default_context(cafile=seam.pki.ca).wrap_socket(stream, server_hostname="localhost")
    with stream, stream.makefile("rb") as lines:
        stream.sendall(b"set k 0 0 1000\r\n" + VALUE + b"\r\n")
        assert lines.readline() == b"STORED\r\n"
        for _ in range(TRIPS + WARM_UP):
            stream.sendall(b"get k\r\n")
            assert lines.readline() == b"VALUE k 0 1000\r\n" and lines.read(1007) == VALUE + b"\r\nEND\r\n"


def test_event_loop(seam):
    """A wait, a read, a write: what memcached does over plain TCP, with recvfrom for read and sendto for sendmsg."""
    need("memcached")
    server = traced(seam, lambda port: ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-t", 1, "-p", port],
                    lambda port: seam.policy(seam.inbound(port)))
    ask_memcached(seam, server.port)
    # strace takes no such signal for itself.
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(60)
    sends = "sendmsg" if NATIVE else "sendto"
    assert last_trips(server.log, sends) == [{"epoll_wait": TRIPS, "read" if NATIVE else "recvfrom": TRIPS, sends: TRIPS}]


def test_upload(seam):
    """A large send goes out by four records at a time, each read fills what it was given."""
    need("strace")
    log = seam.make_dir("strace") / "log"
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as listener:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(seam.pki.good.cert, seam.pki.good.key)
        source = ("import socket, sys\nstream = socket.create_connection(('localhost', int(sys.argv[1])))\nstream.recv(1)\n"
                  "for _ in range(40): stream.sendall(bytes(65536)); stream.recv(1)\n")
        client = seam.start(["strace", "-f", "-qq", "-o", log, "/usr/bin/python3", "-c", source, port],
                            seam.policy(seam.outbound(port)))
        stream, _ = listener.accept()
        with stream if NATIVE else context.wrap_socket(stream, server_side=True) as stream:
            stream.sendall(b"x")
            for _ in range(40):
                left = 65536
                while left > 0:
                    left -= len(stream.recv(left))
                stream.sendall(b"x")
        assert client.wait(60) == 0, client.story()
    sends = [line for line in log.read_text().splitlines() if " sendto(" in line and " = 6" in line]
    assert len(sends) >= 38, "64 KiB are one call, unless the kernel takes a part"
