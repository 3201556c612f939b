# SPDX-License-Identifier: GPL-3.0-or-later
"""Small client programs that say exactly which call failed, and with which errno."""
import json
import sys

PYTHON = sys.executable

# Prints {"call": the call that failed or "none", "errno": its name or ""}.
PROBE = """
import errno, json, select, socket, sys
how, host, port = sys.argv[1:]
def tell(call, number=0):
    print(json.dumps({"call": call, "errno": errno.errorcode.get(number, str(number)) if number else ""}))
    sys.exit()
address = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)[0][4]
sock = socket.socket()
if how == "nonblocking":
    sock.setblocking(False)
    number = sock.connect_ex(address)
    if number != errno.EINPROGRESS:
        tell("connect", number)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    if not poll.poll(30000):
        tell("poll", errno.ETIMEDOUT)
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        tell("SO_ERROR", number)
else:
    number = sock.connect_ex(address)
    if number:
        tell("connect", number)
sock.setblocking(True)
try:
    sock.sendall(b"application data" * 100)
    sock.shutdown(socket.SHUT_WR)
except OSError as error:
    tell("send", error.errno)
try:
    while sock.recv(65536):
        pass
except OSError as error:
    tell("recv", error.errno)
tell("none")
"""
WAYS = ("blocking", "nonblocking")
# The call in which each way of connecting learns that the handshake failed (DESIGN 5.4).
FAILING_CALL = {"blocking": "connect", "nonblocking": "SO_ERROR"}


def probe(seam, how, port, policy, host="localhost", **options):
    """Runs the probe; the program, with .call and .errno."""
    program = seam.run([PYTHON, "-c", PROBE, how, host, port], policy, **options)
    answer = json.loads(program.stdout)
    program.call, program.errno = answer["call"], answer["errno"]
    return program
