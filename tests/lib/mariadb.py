# SPDX-License-Identifier: GPL-3.0-or-later
"""MariaDB in a folder of its own, without tables of users, so that it needs no setting up."""
import os
import shutil

from seam import need

USER = "www-data"


def start(seam, policy=None, threads="one-thread-per-connection"):
    """A server; under seamtls if policy(port) gives a policy for its port."""
    need("mariadbd", "mariadb")
    root = os.geteuid() == 0
    folder = seam.make_dir("mariadb", USER if root else None)
    return seam.serve(
        lambda port: [shutil.which("mariadbd"), "--no-defaults", *(["--user=" + USER] if root else []),
                      f"--datadir={folder}", f"--socket={folder}/socket", "--skip-grant-tables", f"--port={port}",
                      "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=8M", "--innodb-flush-log-at-trx-commit=0",
                      "--innodb-log-file-size=4M", "--max-allowed-packet=16M", f"--thread-handling={threads}"],
        policy)


def client(port):
    return ["mariadb", "--no-defaults", "--protocol=tcp", "--skip-ssl", "--batch", "--skip-column-names", "--raw",
            "--max-allowed-packet=16M", "-h", "localhost", "-P", port, "-u", "root"]
