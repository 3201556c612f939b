# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL in a folder of its own, as an unprivileged user, without durability."""
import glob
import os
import shutil
import signal

import pytest

USER = "postgres"
BIG_ROWS = 20_000
BIG_QUERY = f"select string_agg(md5(i::text), '' order by i) from generate_series(1, {BIG_ROWS}) i"


def tool(name):
    for path in sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True):
        return path
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def user():
    return USER if os.geteuid() == 0 else None


def start(seam, policy=None, own_tls=False, settings=()):
    """A server; under seamtls if policy(port) gives a policy for its port. With TLS of its own it takes nothing else."""
    data = seam.make_dir("postgres", user())
    data.chmod(0o700)
    seam.run([tool("initdb"), "-D", data / "db", "-A", "trust", "-U", USER, "-N", "-E", "UTF8", "--locale=C"], user=user())
    options = own_tls_options(seam, data) if own_tls else []
    program = seam.serve(
        lambda port: [tool("postgres"), "-D", data / "db", "-p", port, "-h", "127.0.0.1", "-k", data, *options,
                      "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=30",
                      *(word for setting in settings for word in ("-c", setting))],
        policy, user=user(), cwd=data, stop_signal=signal.SIGINT)
    # Started means recovered; the Unix socket is no business of the library, so ask there.
    program.socket_dir = data
    program.until(lambda: "ready to accept connections" in program.stderr, "it was ready")
    return program


def own_tls_options(seam, data):
    (data / "db" / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 trust\n")
    for source, name in ((seam.pki.good.cert, "cert.pem"), (seam.pki.good.key, "key.pem")):
        shutil.copy(source, data / name)
        (data / name).chmod(0o600)
        if user():
            shutil.chown(data / name, USER, USER)
    return ["-c", "ssl=on", "-c", f"ssl_cert_file={data}/cert.pem", "-c", f"ssl_key_file={data}/key.pem"]


def psql(port, query, tls="sslmode=disable"):
    return [tool("psql"), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", query,
            f"host=localhost port={port} user={USER} dbname=postgres {tls} gssencmode=disable"]
