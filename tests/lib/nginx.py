# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as the tests run it: in the foreground, a master and its workers, everything in one folder."""
import os
import pwd
import shutil

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
    }}
}}
"""
WORKER = "www-data"


def worker_uid():
    return pwd.getpwnam(WORKER).pw_uid if os.geteuid() == 0 else os.geteuid()


def start(seam, site, version=None, sendfile="on", workers=1, key=None, covered=True, **keys):
    """Serves the folder `site` with nginx under seamtls (or, as a control, without)."""
    folder = seam.make_dir("nginx")
    user = f"user {WORKER};" if os.geteuid() == 0 else ""

    def argv(port):
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(dir=folder, site=site, port=port, sendfile=sendfile, workers=workers, user=user))
        return [shutil.which("nginx"), "-p", folder, "-e", "stderr", "-c", config]

    def policy(port):
        if key is not None:
            keys["key"] = key
        return seam.policy(seam.inbound(port, version=version, **keys))

    return seam.serve(argv, policy if covered else None)
