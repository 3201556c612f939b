# SPDX-License-Identifier: GPL-3.0-or-later
"""Superservers: each starts a program for every connection, with the connection as 0 and 1 (and 2)."""
import getpass

from seam import need


def write_script(seam, text):
    """A program for those that take one without arguments."""
    path = seam.make_dir("script") / "program"
    path.write_text(text)
    path.chmod(0o755)
    return path


def openbsd(seam, program, how="nowait", options=()):
    need("inetd")
    config = seam.make_dir("inetd") / "inetd.conf"

    def argv(port):
        config.write_text(f"127.0.0.1:{port} stream tcp {how} {getpass.getuser()} {program} {program}\n")
        return ["inetd", "-i", *options, config]

    return argv


def tcpserver(_seam, program):
    need("tcpserver")
    return lambda port: ["tcpserver", "-v", "-R", "-H", "-l", "localhost", "127.0.0.1", port, program]


def socat(_seam, program):
    """The process that has accepted the connection becomes the program."""
    need("socat")
    return lambda port: ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", f"EXEC:{program},nofork"]


def socat_with_child(_seam, program):
    """The process that has accepted the connection goes on with it, and copies to and from a program of its own."""
    need("socat")
    return lambda port: ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", f"EXEC:{program}"]


KINDS = {"inetd": openbsd, "tcpserver": tcpserver, "socat-nofork": socat, "socat": socat_with_child}


def start(seam, kind, program, **keys):
    """`program` is the path of an executable file, started without arguments."""
    return seam.serve(KINDS[kind](seam, program), lambda port: seam.policy(seam.inbound(port, **keys)))
