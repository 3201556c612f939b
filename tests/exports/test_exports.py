# SPDX-License-Identifier: GPL-3.0-or-later
"""What libseamtls.so shows to the loader: the names in exported.txt and no others, and none that libc has by another spelling is forgotten."""
import re
import subprocess
from pathlib import Path

import pytest

from seam import built

HERE = Path(__file__).parent

# How libc spells forms of one function: __read, __read_chk, __read_nocancel, _IO_fdopen, __libc_fork, sendfile64, preadv64v2, dup3, _Exit.
PREFIX = re.compile(r"^_+(libc_|IO_)?")
SUFFIX = re.compile(r"(_chk|_nocancel|_r|64v2|64|(?<=[a-z])\d)$")


def output(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"
    return done.stdout


def symbols(path, *options):
    """The names in the dynamic symbol table, each with its version as nm writes it ('' if it has none)."""
    return [re.match(r"([^@]+)(@.*)?$", line.split()[-1]).groups("")
            for line in output("nm", "-D", *options, path).splitlines()]


def names_in(file):
    """The first word of each line, with the rest of it."""
    lines = (line.strip() for line in (HERE / file).read_text().splitlines())
    rows = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    assert len({row[0] for row in rows}) == len(rows), f"{file} names something twice"
    return {row[0]: row[1] if len(row) > 1 else "" for row in rows}


def stem(name):
    """The function that `name` is a form of."""
    name = PREFIX.sub("", name).lower()
    while SUFFIX.search(name):
        name = SUFFIX.sub("", name)
    return name


@pytest.fixture(scope="module")
def library():
    return built("shim", "libseamtls.so")


@pytest.fixture(scope="module")
def exported(library):
    return symbols(library, "--defined-only")


@pytest.fixture(scope="module")
def libc():
    """The names of the libc that this very process runs with."""
    maps = Path("/proc/self/maps").read_text()
    path = re.search(r"\S+/libc\.so\.6$", maps, re.M)
    assert path, "this Python does not run with glibc"
    return {name for name, _ in symbols(path.group(), "--defined-only")}


@pytest.fixture(scope="module")
def dynamic(library):
    """(tag, value) of the dynamic section."""
    return re.findall(r"^ 0x\w+ \((\w+)\)\s+(.*)$", output("readelf", "-dW", library), re.M)


def test_exactly_the_list_is_exported(exported):
    listed, there = set(names_in("exported.txt")), {name for name, _ in exported}
    assert there - listed == set(), "exported, but not listed"
    assert listed - there == set(), "listed, but not exported"


def test_names_have_no_version(exported, dynamic):
    """A named node would miss references such as write@GLIBC_2.2.5."""
    assert "VERDEF" not in {tag for tag, _ in dynamic}
    assert [name + version for name, version in exported if version] == []


def test_every_name_is_one_of_libc(exported, libc):
    assert {name for name, _ in exported} - libc == set()


def test_every_form_of_a_function_is_covered(exported, libc):
    there = {name for name, _ in exported}
    stems = {stem(name) for name in there}
    forms = {name for name in libc if stem(name) in stems}
    excepted = names_in("not_exported.txt")
    assert forms - there - set(excepted) == set(), "forms of exported functions, neither exported nor excepted"
    assert set(excepted) - forms == set(), "excepted, but no form of what is exported"
    assert set(excepted) & there == set(), "excepted, but exported"
    assert [name for name, reason in excepted.items() if not reason] == [], "excepted without a reason"


@pytest.mark.parametrize("name,of", [
    ("__read_chk", "read"), ("__close_nocancel", "close"), ("_IO_fdopen", "fdopen"), ("__libc_fork", "fork"), ("sendfile64", "sendfile"),
    ("preadv64v2", "preadv"), ("dup3", "dup"), ("_Exit", "exit"), ("preadv2", "preadv"), ("gethostbyname2_r", "gethostbyname"),
])
def test_forms_are_recognised(name, of):
    assert stem(name) == stem(of) == of


def test_it_needs_libc_and_nothing_else(dynamic, library):
    needed = {value for tag, value in dynamic if tag == "NEEDED"}
    loader = {line for line in needed if "ld-linux" in line}
    assert needed - loader == {"Shared library: [libc.so.6]"}
    foreign = [name for name, version in symbols(library, "--undefined-only")
               if re.match(r"(wolf|wc_|CyaSSL|ini_|sp_)", name, re.I) or (version and not version.startswith("@GLIBC_"))]
    assert foreign == [], "names of what is linked into it"


def test_of_libcrypto_is_there_what_was_taken(library):
    """One function of OpenSSL's and what that calls, by names that no libcrypto of the program has."""
    there = {line.split()[-1] for line in output("nm", library).splitlines()}
    assert {name for name in there if re.match(r"(OPENSSL|CRYPTO|BN|bn|EVP|ERR|RSA)_", name)} == set()
    taken = {name for name in there if re.match(r"(ossl_|RSAZ_)", name)}
    assert taken in (set(), {"RSAZ_exp52x20_x2_256", "ossl_extract_multiplier_2x20_win5", "ossl_rsaz_amm52x20_x1_256",
                             "ossl_rsaz_amm52x20_x2_256", "ossl_rsaz_avx512ifma_eligible"})


def test_it_is_first_and_stays(dynamic):
    flags = " ".join(value for tag, value in dynamic if tag == "FLAGS_1").split()
    assert {"INITFIRST", "NODELETE", "NOW"} <= set(flags)


def test_nothing_is_writable_that_need_not_be(dynamic, library):
    assert "TEXTREL" not in {tag for tag, _ in dynamic}
    assert not any("TEXTREL" in value for tag, value in dynamic if tag == "FLAGS")
    segments = re.findall(r"^ +([A-Z_]+) +(?:0x\w+ +){5}([RWE ]{3}) ", output("readelf", "-lW", library), re.M)
    assert "LOAD" in dict(segments) and "GNU_RELRO" in dict(segments)
    assert [kind for kind, flags in segments if "W" in flags and "E" in flags] == [], "memory to write to and to run"
    assert "E" not in dict(segments)["GNU_STACK"], "an executable stack"


def test_thread_local_storage_needs_no_call_into_the_loader(dynamic, library):
    assert any("STATIC_TLS" in value for tag, value in dynamic if tag == "FLAGS")
    assert "__tls_get_addr" not in {name for name, _ in symbols(library, "--undefined-only")}
