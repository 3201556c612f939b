# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as the tests run it: in the foreground, a master and its workers, everything in one folder."""
import os
import pwd
import shutil
import sys

CONFIG = """
daemon off;
pid {dir}/nginx.pid;
error_log stderr warn;
worker_processes {workers};
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile {sendfile};
    tcp_nopush {sendfile};
    keepalive_timeout 60;
    keepalive_requests 10000;
    client_header_timeout 60;
    default_type application/octet-stream;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {site};
        {more}
    }}
}}
"""
WORKER = "www-data"

# nginx takes no SIGUSR2 before its parent has gone, which is how it knows that it is a daemon. So it gets one that goes.
DAEMON = """
import os, select, signal, sys
if os.fork() == 0:
    os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
    while not os.path.exists(sys.argv[1]) or not os.path.getsize(sys.argv[1]):
        select.select([], [], [], 0.01)
    os._exit(0)
os.wait()
signal.pause()
"""


def worker_uid():
    return pwd.getpwnam(WORKER).pw_uid if os.geteuid() == 0 else os.geteuid()


def master(server):
    """The pid of the master that is in charge now; None while there is no telling."""
    try:
        return int(server.pid_file.read_text())
    except (OSError, ValueError):
        return None


def start(seam, site, version=None, sendfile="on", workers=1, key=None, covered=True, more="", rules=(), daemon=False,
          settings=None, **keys):
    """
    Serves the folder `site` with nginx under seamtls (or, as a control, without). `more` is configuration of the
    server, `rules` and `settings` are more of the policy.
    """
    folder = seam.make_dir("nginx")
    user = f"user {WORKER};" if os.geteuid() == 0 else ""

    def argv(port):
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(dir=folder, site=site, port=port, sendfile=sendfile, workers=workers, user=user,
                                        more=more))
        command = [shutil.which("nginx"), "-p", folder, "-e", "stderr", "-c", config]
        return [sys.executable, "-c", DAEMON, folder / "nginx.pid", *command] if daemon else command

    def policy(port):
        if key is not None:
            keys["key"] = key
        return seam.policy(seam.inbound(port, version=version, **keys), *rules, **(settings or {}))

    server = seam.serve(argv, policy if covered else None)
    server.pid_file = folder / "nginx.pid"
    return server
