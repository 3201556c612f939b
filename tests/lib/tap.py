# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a client and a server, to know what they have said to each other."""
import socket
import threading


class Tap:
    """One connection to `port`, by way of a port of its own."""

    def __init__(self, seam, port):
        self.sent = self.received = b""  # by the client
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.server_port = port
        seam.cleanups.append(self.listener.close)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        client, _ = self.listener.accept()
        with client, socket.create_connection(("127.0.0.1", self.server_port)) as server:
            other = threading.Thread(target=self.pump, args=(server, client, "received"), daemon=True)
            other.start()
            self.pump(client, server, "sent")
            other.join()

    def pump(self, source, to, kept):
        try:
            while data := source.recv(65536):
                setattr(self, kept, getattr(self, kept) + data)
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def finish(self):
        """All of it, once both sides have ended."""
        self.thread.join(20)
        assert not self.thread.is_alive(), "the connection has not ended"
        return self.sent + self.received
