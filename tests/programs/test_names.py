# SPDX-License-Identifier: GPL-3.0-or-later
"""The name that a server's certificate has to be for is the one that the program looked up, however it did that."""
import sys

import pytest

from peers import Echo, Sink, start_server
from seam import check_opened

pytestmark = pytest.mark.tls_only

# Each looks `localhost` up by a function of libc, called as C does; then the address is connected to, as the program has it.
PROGRAM = """
import ctypes, os, signal, socket, sys, threading
libc = ctypes.CDLL(None)

class Request(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("service", ctypes.c_char_p), ("hints", ctypes.c_void_p),
                ("result", ctypes.c_void_p), ("error", ctypes.c_int), ("reserved", ctypes.c_int * 5)]

class Event(ctypes.Structure):  # struct sigevent
    _fields_ = [("value", ctypes.c_void_p), ("signal", ctypes.c_int), ("notify", ctypes.c_int), ("reserved", ctypes.c_int * 12)]

request = Request(b"localhost")
requests = (ctypes.POINTER(Request) * 2)(ctypes.pointer(request), None)

def begin(mode, event=None):
    assert libc.getaddrinfo_a(mode, requests, 2, event) == 0

def wait_for_it():
    while libc.gai_suspend(requests, 2, None) not in (0, -103):
        pass

def ask_for_it():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    begin(1, ctypes.byref(Event(signal=signal.SIGUSR1)))
    signal.sigwait([signal.SIGUSR1])
    assert libc.gai_error(ctypes.byref(request)) == 0

def reentrant(*arguments):
    host, result, error, room = ctypes.create_string_buffer(64), ctypes.c_void_p(), ctypes.c_int(), ctypes.create_string_buffer(4096)
    function = libc.gethostbyname2_r if len(arguments) > 1 else libc.gethostbyname_r
    assert function(*arguments, host, room, ctypes.c_size_t(4096), ctypes.byref(result), ctypes.byref(error)) == 0 and result

def in_a_thread():
    thread = threading.Thread(target=lambda: socket.getaddrinfo("localhost", 0, socket.AF_INET))
    thread.start()
    thread.join()

def before_fork():
    socket.getaddrinfo("localhost", 0, socket.AF_INET)
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

WAYS = {
    "nothing": lambda: None,
    "getaddrinfo": lambda: socket.getaddrinfo("localhost", 0, socket.AF_INET),
    "getaddrinfo_a": lambda: begin(0),
    "gai_suspend": lambda: (begin(1), wait_for_it()),
    "gai_error": ask_for_it,
    "gethostbyname": lambda: libc.gethostbyname(b"localhost"),
    "gethostbyname2": lambda: libc.gethostbyname2(b"localhost", socket.AF_INET),
    "gethostbyname_r": lambda: reentrant(b"localhost"),
    "gethostbyname2_r": lambda: reentrant(b"localhost", socket.AF_INET),
    "thread": in_a_thread,
    "fork": before_fork,
    "case": lambda: socket.getaddrinfo("LOCALHOST", 0, socket.AF_INET),
    "older": lambda: (socket.getaddrinfo("localhost", 0, socket.AF_INET), socket.getaddrinfo("127.0.0.1", 0, socket.AF_INET)),
}
WAYS[sys.argv[1]]()
with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as sock:
    sock.sendall(b"hello")
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(100) == b"hello"
"""


def run(seam, way, cert, status, **keys):
    server = start_server(seam, Sink if status else Echo, cert=cert)
    program = seam.run([sys.executable, "-c", PROGRAM, way, server.port], seam.policy(seam.outbound(server.port, **keys)),
                       status=status)
    return server, program


@pytest.mark.parametrize("way", ["getaddrinfo", "getaddrinfo_a", "gai_suspend", "gai_error", "gethostbyname", "gethostbyname2",
                                 "gethostbyname_r", "gethostbyname2_r", "thread", "fork", "case", "older"])
def test_name_that_was_looked_up_is_verified(seam, way):
    server, program = run(seam, way, seam.pki.name_only, 0)
    opened, = check_opened(program)
    assert opened["server_name"].lower() == "localhost" and opened["verify"] == "ok", opened
    assert server.seen[0].server_name.lower() == "localhost"


def test_address_is_verified_where_nothing_was_looked_up(seam):
    _server, program = run(seam, "nothing", seam.pki.name_only, 1)
    failed, = program.audit.wait("fail")
    assert "certificate is for 'dns:localhost', not for '127.0.0.1'" in failed["reason"], failed


def test_server_name_goes_before_what_was_looked_up(seam):
    _server, program = run(seam, "getaddrinfo", seam.pki.name_only, 1, server_name="elsewhere.example")
    failed, = program.audit.wait("fail")
    assert "not for 'elsewhere.example'" in failed["reason"] and failed["server_name"] == "elsewhere.example", failed
