# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that leave our sight: with `plane = auto` they are the kernel's then, if who gets them is without the library."""
import socket
import ssl
from pathlib import Path

import pytest

import ktls
from peers import content, echo_exchange
from service import ALL, Service, end

SUITE = {"1.2": ALL[0][1], "1.3": ALL[3][1]}
MODES = {
    "auto": {"plane": "auto"},
    "user": {"plane": "user"},
    "relay": {"plane": "kernel", "hand_on": "relay"},
    "kernel": {"plane": "kernel", "hand_on": "kernel"},
}
CAT = "/bin/cat"
STATIC = ("/bin/busybox", "cat")


@pytest.fixture(scope="module")
def service(shared):
    return Service(shared, {(version, mode): (version, SUITE[version], keys) for version in SUITE for mode, keys in MODES.items()})


def relays():
    return {name for name in Path("/proc").glob("[0-9]*/comm") if name.read_text() == "seamtls-relay\n"}


def check_end(service, secure, version, what, by_kernel):
    """Who is not covered takes close_notify for no end, and sends none."""
    secure.setblocking(True)
    if by_kernel:
        with pytest.raises(OSError):
            secure.unwrap()
        secure.close()
    else:
        end(secure)
    assert service.result(what) is None
    closed = service.closed()
    assert ("handed on" in closed.get("reason", "")) == by_kernel, closed
    if by_kernel:
        assert closed["plane"] == "kernel", closed
        loses = version == "1.3" and not ktls.rekeys()
        assert ("KeyUpdate" in closed["reason"]) == loses, closed


# What is done, to which program, and with which modes the kernel has it then.
PROGRAMS = {
    "executed": (["execute", "foreign", CAT], {"kernel"}),
    "executed_static": (["execute", "covered", *STATIC], {"kernel"}),
    "inherited": (["inherit", "foreign", CAT], {"auto", "kernel"}),
    "inherited_covered": (["inherit", "covered", CAT], {"kernel"}),
    "spawned": (["spawn", "foreign", CAT], {"auto", "kernel"}),
    "spawned_static": (["spawn", "covered", *STATIC], {"auto", "kernel"}),
    "spawned_covered": (["spawn", "covered", CAT], {"kernel"}),
    "no_relay": (["limited", CAT], {"auto", "kernel"}),
}
RUNS = [(name, "auto") for name in PROGRAMS] + [("spawned", mode) for mode in MODES if mode != "auto"]
RUNS += [(name, "kernel") for name in ("executed", "executed_static", "spawned_covered")]


@pytest.mark.parametrize("name, mode", RUNS)
def test_program(service, version, name, mode):
    (what, *args), modes = PROGRAMS[name]
    before = relays()
    secure = service.connect((version, mode), what, *args)
    echo_exchange(secure, content(50_000))
    by_kernel = mode in modes
    assert len(relays() - before) == (0 if by_kernel else 1)
    if by_kernel:
        assert ktls.local(service.ports[version, mode]) == ktls.in_both_directions(version, SUITE[version])
    check_end(service, secure, version, what, by_kernel)


@pytest.mark.parametrize("mode", ["auto", "user"])
def test_in_the_middle_of_a_record(service, version, mode):
    """What the program has not read of a record yet cannot be the kernel's."""
    before = relays()
    secure = service.connect((version, mode), f"spawn foreign {CAT}\nand what is behind it")
    echoed = b""
    while len(echoed) < len("and what is behind it\n"):
        echoed += secure.recv(100)
    assert echoed == b"and what is behind it\n"
    assert len(relays() - before) == 1
    check_end(service, secure, version, "spawn", False)


@pytest.mark.parametrize("mode", ["auto", "user"])
def test_streams(service, version, mode):
    """The program is covered, and says goodbye."""
    secure = service.connect((version, mode), "streams")
    got = b""
    while part := secure.recv(100):
        got += part
    assert got == b"by a stream\nand by the program"
    end(secure)
    assert service.result("streams") is None
    assert "handed on" not in service.closed().get("reason", "")


@pytest.mark.parametrize("mode", MODES)
def test_passed(service, version, mode):
    """Between processes that are both covered."""
    secure = service.connect((version, mode), "passed")
    got = b""
    while len(got) < len(b"passed on"):
        got += secure.recv(100)
    assert got == b"passed on"
    if mode == "kernel":
        with pytest.raises(ssl.SSLError):
            secure.recv(1)
        secure.close()
    else:
        end(secure)
    assert service.result("passed") is None
    service.closed()


@pytest.mark.parametrize("mode", ["auto", "user"])
def test_passed_to_a_process_that_is_not_covered(service, version, mode):
    path = service.folder / "door"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen(1)
        secure = service.connect((version, mode), "passed_to", path)
        other, _ = door.accept()
    with other:
        _, fds, _, _ = socket.recv_fds(other, 1, 1)
        with socket.socket(fileno=fds[0]) as given:
            assert given.family == (socket.AF_INET if mode == "auto" else socket.AF_UNIX)
            secure.sendall(b"there")
            assert given.recv(5, socket.MSG_WAITALL) == b"there"
            given.sendall(b"and back")
            assert secure.recv(100) == b"and back"
            other.sendall(b".")
    check_end(service, secure, version, "passed_to", mode == "auto")
