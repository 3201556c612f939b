# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends back what it gets, to each client until its end: server.py PORT asyncio|threads|forks [GREETING]"""
import asyncio
import os
import signal
import socket
import sys
import threading

PART = 65536


def talk(sock, greeting):
    try:
        with sock:
            sock.sendall(greeting)
            while data := sock.recv(PART):
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the client is told, or has gone


async def talk_async(reader, writer):
    try:
        while data := await reader.read(PART):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        pass
    finally:
        writer.close()


async def serve_async(port):
    server = await asyncio.start_server(talk_async, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


def serve(port, how, greeting):
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    if how == "forks":
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        sock, _ = listener.accept()
        if how == "threads":
            threading.Thread(target=talk, args=(sock, greeting), daemon=True).start()
        elif os.fork() == 0:
            listener.close()
            talk(sock, greeting)
            os._exit(0)
        else:
            sock.close()


if __name__ == "__main__":
    PORT, HOW, *GREETING = sys.argv[1:]
    if HOW == "asyncio":
        asyncio.run(serve_async(int(PORT)))
    else:
        serve(int(PORT), HOW, "".join(f"{line}\r\n" for line in GREETING).encode())
