# SPDX-License-Identifier: GPL-3.0-or-later
"""FTP: passive mode, where the client connects a second time for the data, to a port that the server has just bound."""
import pytest

import ftp
from peers import BIG, SMALL, content, digest
from seam import check_opened, need

SIZES = (0, 1, SMALL, BIG)


@pytest.fixture
def root(seam):
    folder = seam.make_dir("ftp")
    for size in SIZES:
        (folder / str(size)).write_bytes(content(size))
    return folder


def test_vsftpd(seam, root, version):
    server = ftp.start(seam, root, version=version)
    client = ftp.Client(seam, server.port, version)
    assert sorted(client.nlst()) == sorted([*map(str, SIZES), "incoming"])
    for size in SIZES:
        assert digest(client.fetch(str(size))) == digest(content(size))
        client.store(f"incoming/{size}", content(size))
        assert digest((root / "incoming" / str(size)).read_bytes()) == digest(content(size))
    client.quit()
    client.close()
    check_opened(server, 2 + 2 * len(SIZES), version=f"TLSv{version}")


LFTP = "set net:max-retries 1; set net:timeout 20; set cmd:fail-exit yes; open -p {port} 127.0.0.1; cat {big} {small}; put -O incoming {file}; bye"
FTPLIB = """
import ftplib, sys
port, name, file = sys.argv[1:]
client = ftplib.FTP(timeout=30)
client.connect("127.0.0.1", int(port))
client.login()
client.retrbinary(f"RETR {name}", sys.stdout.buffer.write)
client.storbinary("STOR incoming/file", open(file, "rb"))
client.quit()
"""


def wants(client, port, file):
    """The command that stores `file`, and what of the server's it shows."""
    url = f"ftp://127.0.0.1:{port}"
    if client == "lftp":
        return ["lftp", "-c", LFTP.format(port=port, big=BIG, small=SMALL, file=file)], content(BIG) + content(SMALL)
    if client == "curl":
        return ["curl", "-sSf", "-T", file, f"{url}/incoming/", "--next", "-sSf", f"{url}/{BIG}"], content(BIG)
    if client == "wget":
        return ["wget", "-q", "-t", "1", "-O", "-", f"{url}/{BIG}"], content(BIG)
    return ["/usr/bin/python3", "-c", FTPLIB, port, str(BIG), file], content(BIG)


@pytest.mark.parametrize("name", ["lftp", "curl", "wget", "ftplib"])
def test_client(seam, root, version, name):
    """The server accepts the data connection when the client has asked for the data, and not before."""
    need("lftp", "curl", "wget")
    server = ftp.start(seam, root, version=version)
    file = seam.dir / "file"
    file.write_bytes(content(BIG))
    argv, expected = wants(name, server.port, file)
    client = seam.run(argv, seam.policy(seam.outbound("1-65535", version, handshake_at="first_use")))
    assert digest(client.stdout) == digest(expected), client.story()
    if name != "wget":
        assert digest((root / "incoming" / "file").read_bytes()) == digest(content(BIG))
    assert len(check_opened(client, 2, version=f"TLSv{version}")) >= 2
