# SPDX-License-Identifier: GPL-3.0-or-later
"""An rsync daemon, and trees of files to transfer."""
import os
import shutil

from peers import content

CONFIG = """
use chroot = no
reverse lookup = no
max verbosity = 0
log file = {dir}/log
{identity}
[data]
path = {root}
comment = of the test
read only = no
"""
# The daemon of root gives up what it is for whom it serves.
USER = "nobody"


def write_config(seam, root):
    """The configuration of a daemon for the folder `root`, as a file."""
    identity = ""
    if os.geteuid() == 0:
        identity = f"uid = {USER}\ngid = nogroup"
        shutil.chown(root, USER, "nogroup")
    folder = seam.make_dir("rsyncd")
    config = folder / "rsyncd.conf"
    config.write_text(CONFIG.format(dir=folder, root=root, identity=identity))
    return config


def start(seam, root, policy=None):
    config = write_config(seam, root)
    return seam.serve(lambda port: ["rsync", "--daemon", "--no-detach", "--address", "127.0.0.1", "--port", port,
                                    "--config", config], policy)


def write_tree(root):
    """Many small files, some in folders, and a few large ones."""
    for number in range(150):
        folder = root / f"folder-{number % 12}"
        folder.mkdir(exist_ok=True)
        (folder / str(number)).write_bytes(content(number * 37))
    for number in range(3):
        (root / f"large-{number}").write_bytes(content(2_500_000 + number))


def change_tree(root):
    """What a delta is made for: bytes in the middle, at the beginning, more at the end; files gone, and files new."""
    for number, (at, data) in enumerate([(1_000_000, b"changed"), (0, b"begins"), (2_500_002, content(70_000))]):
        path = root / f"large-{number}"
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(data)
        # Within one second of before, a file of the same size would be taken for the same.
        os.utime(path, times=(path.stat().st_mtime + 10,) * 2)
    shutil.rmtree(root / "folder-3")
    (root / "new").write_bytes(content(50_000))


def tree(root):
    """Every file's content by its path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
