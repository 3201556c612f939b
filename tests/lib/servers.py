# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that several files of tests start, under seamtls or not."""
import os
import sys

PYTHON = sys.executable

# One thread and blocking calls: whoever is silent has its attention, for as long as policy allows.
BLOCKING_ECHO = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    try:
        while data := connection.recv(65536):
            connection.sendall(data)
    except OSError as error:
        print(error, flush=True)
    connection.close()
"""

ASYNC_ECHO = """
import asyncio, sys
async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError as error:
        print(error, flush=True)
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", int(sys.argv[1]), backlog=2048)
    await server.serve_forever()
asyncio.run(main())
"""

# A thread for each connection.
THREADS_ECHO = """
import socket, sys, threading
threading.stack_size(131072)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=2048)
def echo(connection):
    try:
        while data := connection.recv(65536):
            connection.sendall(data)
    except OSError:
        pass
    connection.close()
while True:
    threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
"""

# Accepts one connection after the other and starts argv with it as 0, 1 and 2, as inetd does.
INETD = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    if os.fork() == 0:
        for number in (0, 1, 2):
            os.dup2(connection.fileno(), number)
        connection.close()
        listener.close()
        os.execvp(sys.argv[2], sys.argv[2:])
    connection.close()
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
"""


def start_python(seam, source, **keys):
    """A Python program that takes its port as first argument, under a policy for that port."""
    return seam.serve(lambda port: [PYTHON, "-c", source, port], lambda port: seam.policy(seam.inbound(port, **keys)))


def start_redis(seam, policy=None, *more):
    user = "redis" if os.geteuid() == 0 else None
    folder = seam.make_dir("redis", user)
    command = ["redis-server", "--bind", "127.0.0.1", "--save", "", "--dir", folder, *more]
    return seam.serve(lambda port: [*command, "--port", port], policy, user=user)
