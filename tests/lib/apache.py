# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache's httpd in the foreground, everything in one folder, with the process model of the test's choice."""
import os
import shutil

from seam import need

CONFIG = """
ServerRoot {dir}
ServerName localhost
DefaultRuntimeDir {dir}
PidFile {dir}/pid
ErrorLog /dev/stderr
LogLevel warn
LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so
LoadModule authz_core_module {modules}/mod_authz_core.so
{user}
Listen 127.0.0.1:{port}
DocumentRoot {site}
EnableSendfile {sendfile}
KeepAliveTimeout 60
MaxKeepAliveRequests 0
StartServers {servers}
ServerLimit 8
MaxRequestWorkers 8
{threads}
{more}
"""
MODULES = "/usr/lib/apache2/modules"
WORKER = "www-data"


def start(seam, site, mpm, sendfile="On", modules=(), more="", rules=(), covered=True):
    """Serves the folder `site`; `more` is configuration for the modules, `rules` are more of the policy's. Not covered: by itself."""
    need("apache2")
    folder = seam.make_dir("apache")
    user = f"User {WORKER}\nGroup {WORKER}" if os.geteuid() == 0 else ""
    threads = "" if mpm == "prefork" else "ThreadsPerChild 4\nThreadLimit 4"
    servers = 6 if mpm == "prefork" else 2
    loaded = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in modules]

    def argv(port):
        config = folder / "httpd.conf"
        config.write_text(CONFIG.format(dir=folder, mpm=mpm, modules=MODULES, user=user, port=port, site=site,
                                        sendfile=sendfile, threads=threads, servers=servers,
                                        more="\n".join([*loaded, more])))
        return [shutil.which("apache2"), "-d", folder, "-f", config, "-D", "FOREGROUND"]

    return seam.serve(argv, (lambda port: seam.policy(seam.inbound(port), *rules)) if covered else None)
