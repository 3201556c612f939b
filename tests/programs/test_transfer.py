# SPDX-License-Identifier: GPL-3.0-or-later
"""
Programs that transfer files: rsync, whose processes use one connection in opposite directions; git, whose daemon starts
another program with the connection.
"""
import pytest

import rsync
import stunnel
from peers import BIG, content
from seam import NATIVE, check_opened, need

OPTIONS = {"plain": ["-rt"], "checksums_compressed": ["-rtcz"], "whole": ["-rtW", "--inplace"]}


def rsync_command(port, source, target, options):
    """Paths that begin with `:` are of the daemon."""
    def place(path):
        return f"rsync://localhost:{port}/data/{path[1:]}" if path.startswith(":") else path

    return ["rsync", *options, "--delete", place(source), place(target)]


def check_round(run, root, seam, options):
    """
    Pushes a tree to the daemon's `root`, changes it and pushes it again, and pulls it. `run(source, target, options)`
    is how rsync is run, three times.
    """
    ours, back = seam.make_dir("ours"), seam.make_dir("back")
    rsync.write_tree(ours)
    run(f"{ours}/", ":", options)
    assert rsync.tree(root) == rsync.tree(ours)
    rsync.change_tree(ours)
    run(f"{ours}/", ":", options)
    assert rsync.tree(root) == rsync.tree(ours)
    run(":", f"{back}/", options)
    assert rsync.tree(back) == rsync.tree(ours)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_rsync_both_ends(seam, options):
    need("rsync")
    root = seam.make_dir("root")
    server = rsync.start(seam, root, lambda port: seam.policy(seam.inbound(port)))

    def run(*how):
        check_opened(seam.run(rsync_command(server.port, *how), seam.policy(seam.outbound(server.port))))

    check_round(run, root, seam, options)
    check_opened(server, 3)


def test_rsync_to_a_terminator(seam, version):
    """Only the client is under seamtls."""
    need("rsync")
    root = seam.make_dir("root")
    port = stunnel.terminate(seam, rsync.start(seam, root).port, version=version)

    def run(*how):
        check_opened(seam.run(rsync_command(port, *how), seam.policy(seam.outbound(port))))

    check_round(run, root, seam, ["-rt"])


def test_rsync_ssl_to_a_daemon(seam):
    """Only the daemon is under seamtls; the client is rsync's own way to TLS, by the openssl command."""
    need("rsync", "rsync-ssl", "openssl")
    root = seam.make_dir("root")
    server = rsync.start(seam, root, lambda port: seam.policy(seam.inbound(port)))

    def run(*how):
        command = rsync_command(server.port, *how)
        if not NATIVE:
            command = ["rsync-ssl", "--type=openssl", *command[1:]]
        seam.run(command, env={"RSYNC_SSL_CA_CERT": str(seam.pki.ca)})

    check_round(run, root, seam, ["-rt"])
    check_opened(server, 3)


def test_rsync_lists_modules(seam):
    need("rsync")
    server = rsync.start(seam, seam.make_dir("root"), lambda port: seam.policy(seam.inbound(port)))
    client = seam.run(["rsync", f"rsync://localhost:{server.port}/"], seam.policy(seam.outbound(server.port)))
    assert client.stdout.split() == [b"data", b"of", b"the", b"test"], client.story()
    check_opened(client)


def test_rsync_is_refused(seam):
    """The daemon's words for what is wrong reach the client, which fails with them."""
    need("rsync")
    server = rsync.start(seam, seam.make_dir("root"), lambda port: seam.policy(seam.inbound(port)))
    client = seam.run(["rsync", f"rsync://localhost:{server.port}/nothing/"],
                      seam.policy(seam.outbound(server.port)), status=5)
    assert "@ERROR: Unknown module 'nothing'" in client.stderr, client.story()
    check_opened(client)


def git(seam, folder, *args, policy=None):
    identity = {f"GIT_{who}_{what}": "test@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {**identity, "HOME": str(seam.dir), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    return seam.run(["git", "-C", folder, *args], policy, env=env)


def commit(seam, folder, size):
    (folder / str(size)).write_bytes(content(size))
    git(seam, folder, "add", ".")
    git(seam, folder, "commit", "-q", "-m", f"add {size}")


def test_git(seam, version):
    """Clone, push and fetch; client and daemon are each several programs that are one another's standard input."""
    need("git")
    base, clone = seam.make_dir("git"), seam.make_dir("clone")
    git(seam, base, "init", "-q", "--bare", "it")
    server = seam.serve(
        lambda port: ["git", "daemon", f"--port={port}", "--listen=127.0.0.1", f"--base-path={base}", "--export-all",
                      "--reuseaddr", "--enable=receive-pack", base],
        lambda port: seam.policy(seam.inbound(port)), env={"HOME": str(seam.dir)})
    policy = seam.policy(seam.outbound(server.port, version=version))
    url = f"git://localhost:{server.port}/it"
    programs = [git(seam, clone, "clone", "-q", url, "one", policy=policy)]
    for size in (BIG, 1, 300_000):
        commit(seam, clone / "one", size)
    programs.append(git(seam, clone / "one", "push", "-q", "origin", "HEAD:main", policy=policy))
    programs.append(git(seam, clone, "clone", "-q", "-b", "main", url, "two", policy=policy))
    commit(seam, clone / "one", 200_000)
    programs.append(git(seam, clone / "one", "push", "-q", "origin", "HEAD:main", policy=policy))
    programs.append(git(seam, clone / "two", "pull", "-q", policy=policy))
    for size in (BIG, 1, 300_000, 200_000):
        assert (clone / "two" / str(size)).read_bytes() == content(size)
    for program in programs:
        check_opened(program, version=f"TLSv{version}", direction="outbound")
    check_opened(server, len(programs), version=f"TLSv{version}", direction="inbound")
