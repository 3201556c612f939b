# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian package, unpacked into a folder: what is in it works from there."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

SOURCE = pathlib.Path(os.environ["SEAMTLS_SOURCE"])
PYTHON = "/usr/bin/python3"
# Fails with EACCES only if the library is there and has the policy.
CLIENT = "import socket, sys; s = socket.socket(); sys.exit(s.connect_ex(('127.0.0.1', 9)))"

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg is not installed")


def run(*command, **kwargs):
    kwargs.setdefault("env", {"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL, **kwargs)


def make_package(build, output):
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "DEBFULLNAME": "A Packager", "DEBEMAIL": "packager@example.com"}
    result = run(SOURCE / "tools" / "package", "-o", output, build, env=env)
    assert result.returncode == 0, result.stderr
    return pathlib.Path(result.stdout.rstrip("\n"))


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return make_package(os.environ["SEAMTLS_BUILD"], tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def root(package, tmp_path_factory):
    path = tmp_path_factory.mktemp("root")
    assert run("dpkg-deb", "-x", package, path).returncode == 0
    return path


def field(package, name):
    return run("dpkg-deb", "-f", package, name).stdout.strip()


def test_what_the_package_says(package, root):
    version = run(root / "usr/bin/seamtls", "--version").stdout.split()[1]
    architecture = run("dpkg", "--print-architecture").stdout.strip()
    assert package.name == f"seamtls_{version}_{architecture}.deb"
    assert (field(package, "Version"), field(package, "Architecture")) == (version, architecture)
    assert re.fullmatch(r"libc6 \(>= 2\.\d+\)", field(package, "Depends"))
    listing = run("dpkg-deb", "-c", package).stdout.splitlines()
    assert all(line.split()[1] == "root/root" for line in listing)
    assert not [line for line in listing if "/local/" in line]


def test_it_needs_no_more_than_it_says(root):
    for file in [root / "usr/bin/seamtls", *root.glob("usr/lib/*/seamtls/libseamtls.so")]:
        needed = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", file).stdout)
        assert all(re.match(r"libc\.so|ld-linux", name) for name in needed), needed


def test_a_program_is_covered_from_there(root, tmp_path):
    (tmp_path / "p.conf").write_text("[global]\naudit_dir = audit\n[rule \"mine\"]\nremote_port = 9\naction = deny\n")
    (tmp_path / "audit").mkdir()
    result = run(root / "usr/bin/seamtls", "run", "-p", tmp_path / "p.conf", PYTHON, "-c", CLIENT)
    assert result.returncode == 13, result.stderr
    assert "mine" in run(root / "usr/bin/seamtls", "log", "--event=deny", tmp_path / "audit").stdout
    maps = "print(open('/proc/self/maps').read())"
    assert f"{root}/usr/lib/" in run(root / "usr/bin/seamtls", "run", "-p", tmp_path / "p.conf", PYTHON, "-c", maps).stdout


@pytest.mark.parametrize("name, section", [("seamtls", 1), ("seamtls", 3), ("seamtls.conf", 5), ("libseamtls", 7)])
def test_manual_pages_are_found(root, name, section):
    page = root / f"usr/share/man/man{section}/{name}.{section}.gz"
    assert run("gzip", "-t", page).returncode == 0
    assert "/usr/local" not in run("zcat", page).stdout
    if shutil.which("man"):
        assert name in run("man", "-M", root / "usr/share/man", str(section), name).stdout


def test_the_drop_in_names_the_library_of_the_package(root):
    text = (root / "usr/share/doc/seamtls/examples/systemd/seamtls.conf").read_text()
    path = re.search("^Environment=LD_PRELOAD=(.*)", text, re.M).group(1)
    assert (root / path.lstrip("/")).exists()
    assert f"test -r {path}\n" in text


def test_terms_of_all_that_is_in_it(root):
    text = (root / "usr/share/doc/seamtls/copyright").read_text()
    assert "GPL-3" in text and "wolfSSL" in text and "libinih" in text


def test_lintian_has_nothing_to_say(package, tmp_path):
    if not shutil.which("lintian"):
        pytest.skip("lintian is not installed")
    done = run("lintian", "--no-tag-display-limit", "--allow-root", package, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    assert (done.stdout, done.returncode) == ("", 0), done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="dpkg asks for root even for a folder")
def test_installed_upgraded_and_removed(package, tmp_path):
    """By dpkg itself, into a folder: an administrator's policy stays."""
    for directory in ("updates", "info", "triggers"):
        (tmp_path / "root/var/lib/dpkg" / directory).mkdir(parents=True)
    for file in ("status", "available"):
        (tmp_path / "root/var/lib/dpkg" / file).touch()
    dpkg = ["dpkg", f"--root={tmp_path}/root", f"--log={tmp_path}/log", "--force-depends", "--force-script-chrootless"]
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(tmp_path)}
    for action in ("-i", "-i"):
        result = run(*dpkg, action, package, env=env)
        assert result.returncode == 0, result.stderr
    assert "Status: install ok installed" in run(*dpkg, "-s", "seamtls", env=env).stdout
    assert run(tmp_path / "root/usr/bin/seamtls", "--version").returncode == 0
    (tmp_path / "root/etc/seamtls/policy.conf").write_text("[global]\n")
    assert run(*dpkg, "-r", "seamtls", env=env).returncode == 0
    left = [str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*") if path.is_file() and "var/lib" not in str(path)]
    assert left == ["etc/seamtls/policy.conf"]


def test_checksums(package, root, tmp_path):
    assert run("dpkg-deb", "-e", package, tmp_path).returncode == 0
    assert run("md5sum", "-c", "--quiet", tmp_path / "md5sums", cwd=root).returncode == 0
    listed = {line.split(None, 1)[1] for line in (tmp_path / "md5sums").read_text().splitlines()}
    assert listed == {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_the_same_build_makes_the_same_package(build, package, tmp_path):
    assert make_package(build, tmp_path).read_bytes() == package.read_bytes()


@pytest.mark.parametrize("args", [["-x"], ["-o"], ["one", "two"]])
def test_misuse(args):
    result = run(SOURCE / "tools" / "package", *args)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("usage: tools/package")
