# SPDX-License-Identifier: GPL-3.0-or-later
"""
Programs that know of seamtls (seamtls.h). SCRIPT is the beginning of one in Python: it makes the calls as a C program does,
pointers and all, prints errors by name, and takes the rest of its text from the test.
"""
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "tools" / "examples"

SCRIPT = """
import ctypes, errno, os, select, signal, socket, struct, sys
sys.path.insert(0, {examples!r})
import aware
from aware import *

libc = ctypes.CDLL(None, use_errno=True)
REASON, ALPN, GROUP, ISSUER, SHA256, NAMES, CERTIFICATE, REKEY = 3, 5, 7, 10, 12, 14, 15, 34
FIELDS = ("size state policy role plane flags version cipher group alert_sent alert_received reserved error conn"
          " bytes_in bytes_out handshake_us age_us").split()

def name_of(number):
    return "EOPNOTSUPP" if number == errno.EOPNOTSUPP else errno.errorcode.get(number, number)

def get(sock, name, room=4096, at=None):
    "The bytes, or the name of the errno and the length that came with it."
    buffer, size = ctypes.create_string_buffer(max(room, 1)), ctypes.c_uint32(room & 0xffffffff)
    if libc.getsockopt(sock.fileno(), SOL_SEAMTLS, name, at or buffer, ctypes.byref(size)) < 0:
        return name_of(ctypes.get_errno()), size.value
    return buffer.raw[:size.value]

def put(sock, name, value=None, size=None):
    "ok, or the name of the errno."
    size = size if size is not None else len(value or b"")
    r = libc.setsockopt(sock.fileno(), SOL_SEAMTLS, name, value, size)
    return "ok" if r == 0 else name_of(ctypes.get_errno())

def info(sock):
    got = get(sock, INFO)
    return dict(zip(FIELDS, struct.unpack(INFO_FORMAT, got))) if isinstance(got, bytes) else got

def state(sock):
    got = info(sock)
    return STATES[got["state"]] if isinstance(got, dict) else got[0]

def packed(role=0, timeout_ms=0, flags=0, reserved=0, name=b""):
    return struct.pack(START_FORMAT, role, timeout_ms, flags, reserved, name)

def dial(port, host="localhost"):
    sock = socket.socket(socket.AF_INET)
    sock.connect(socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4])
    return sock

def outcome(call):
    try:
        return call()
    except OSError as error:
        return name_of(error.errno)

port = int(sys.argv[1])
"""


def script(text):
    """The command of such a program, but for its arguments, the first of which is a port."""
    return [sys.executable, "-c", SCRIPT.replace("{examples!r}", repr(str(EXAMPLES))) + text]
