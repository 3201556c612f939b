# SPDX-License-Identifier: GPL-3.0-or-later
"""FTP: passive mode, where the client connects a second time for the data, to a port that the server has just bound."""
import pytest

import ftp
from peers import BIG, SMALL, content, digest
from seam import check_opened

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
