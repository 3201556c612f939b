# SPDX-License-Identifier: GPL-3.0-or-later
"""lighttpd in the foreground: one process and an event loop, with the calls of the test's choice."""
import os
import shutil

from seam import need

CONFIG = """
server.document-root = "{site}"
server.port = {port}
server.bind = "127.0.0.1"
server.network-backend = "{backend}"
server.event-handler = "{events}"
server.max-keep-alive-requests = 1000
server.max-keep-alive-idle = 60
server.upload-dirs = ( "{dir}" )
{user}
"""
USER = "www-data"


def start(seam, site, backend="sendfile", events="linux-sysepoll"):
    need("lighttpd")
    folder = seam.make_dir("lighttpd")
    user = f'server.username = "{USER}"\nserver.groupname = "{USER}"' if os.geteuid() == 0 else ""
    config = folder / "lighttpd.conf"

    def argv(port):
        config.write_text(CONFIG.format(dir=folder, site=site, port=port, backend=backend, events=events, user=user))
        return [shutil.which("lighttpd"), "-D", "-f", config]

    return seam.serve(argv, lambda port: seam.policy(seam.inbound(port)))
