# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy in the foreground: one port in front of one server."""
import os
import shutil

from seam import need

CONFIG = """
global
    maxconn 200
    stats socket {dir}/socket level admin expose-fd listeners
    hard-stop-after 60s
    {user}
defaults
    mode {mode}
    {options}
    timeout connect 20s
    timeout client 60s
    timeout server 60s
listen it
    bind 127.0.0.1:{port}
    server one 127.0.0.1:{target}
"""
USER = "www-data"


def command(folder, *more):
    return [shutil.which("haproxy"), *more, "-f", folder / "haproxy.cfg"]


def start(seam, target, policy, mode="http", options="", flags=("-db",)):
    """Forwards to the port `target`; policy(port) is its policy."""
    need("haproxy")
    folder = seam.make_dir("haproxy")
    user = f"user {USER}\n    group {USER}" if os.geteuid() == 0 else ""

    def argv(port):
        (folder / "haproxy.cfg").write_text(CONFIG.format(dir=folder, mode=mode, port=port, target=target, user=user,
                                                          options=options))
        return command(folder, *flags)

    server = seam.serve(argv, policy)
    server.dir = folder
    return server
