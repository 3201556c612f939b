# SPDX-License-Identifier: GPL-3.0-or-later
"""A capture of one port on the loopback interface, by tcpdump."""
import os
import secrets
import signal
import socket

import pytest

from seam import need


class Capture:
    """Everything that crosses `port` from the moment the object is made."""

    def __init__(self, seam, port):
        need("tcpdump")
        if os.geteuid() != 0:
            pytest.skip("only root may capture")
        self.port = port
        self.path = seam.make_dir("capture") / "pcap"
        # Each packet of the buffer takes room for the longest, in immediate mode: some 1,800 of them.
        self.program = seam.start(["tcpdump", "-i", "lo", "-n", "-s", "70000", "-B", "131072", "--immediate-mode", "-U", "-Z",
                                   "root", "-w", self.path, f"port {port}"], stop_signal=signal.SIGINT)
        try:
            self.program.until(lambda: "listening on lo" in self.program.stderr, "it captured", 20)
        except AssertionError as problem:
            pytest.skip(f"tcpdump cannot capture here: {problem}")

    def finish(self):
        """
        All bytes of the capture, headers and all. A last packet marks its end: what came before is in the file when
        that is.
        """
        end = secrets.token_bytes(32)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(end, ("127.0.0.1", self.port))
        self.program.until(lambda: end in self.path.read_bytes(), "the last packet was in the capture", 20)
        self.program.stop()
        assert "\n0 packets dropped by kernel" in self.program.stderr, f"the capture has gaps: {self.program.stderr}"
        return self.path.read_bytes()
