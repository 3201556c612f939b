# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual pages and the README say what is there: every key, command, option, variable and event, and no other."""

import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

SOURCE = pathlib.Path(os.environ["SEAMTLS_SOURCE"])
PAGES = sorted((SOURCE / "tools").glob("*.[1-8]"))
COMMAND, CONFIG, LIBRARY = (SOURCE / "tools" / name for name in ("seamtls.1", "seamtls.conf.5", "libseamtls.7"))
SECTIONS = {
    "KEY_GLOBAL": ["KEYS OF [global]"],
    "KEY_RULE": ["CONDITIONS OF A RULE", "WHAT A RULE DOES"],
    "KEY_PROFILE": ["WHAT A RULE DOES"],
    "KEY_TLS": ["TLS SETTINGS OF A PROFILE OR RULE"],
}


def rows_of_keys():
    """What policy/keys.c says of each key: {name: {field: value}}."""
    text = (SOURCE / "policy" / "keys.c").read_text()
    rows = [dict(re.findall(r"\.(\w+) = (\w+)", row.replace('"', ""))) for row in re.findall(r"^\t\{ (\.name = .*) \},$", text, re.M)]
    return {row["name"]: row for row in rows}


def choices(name):
    """Those of an array in policy/keys.c that this build has."""
    text = (SOURCE / "policy" / "keys.c").read_text()
    body = re.search(rf"struct policy_choice {name}\[\] = \{{\n(.*?)\n\}};", text, re.S).group(1)
    return [choice for choice, flags in re.findall(r'\{ "([^"]+)", [^,]+, ([^}]+) \}', body) if "UNSUPPORTED" not in flags]


def manual_of_keys():
    """Each key of seamtls.conf(5): {name: (section, values in its heading, text)}."""
    keys = {}
    for section in re.split(r"^\.Sh ", CONFIG.read_text(), flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        for item in re.split(r"^\.It Cm ", body, flags=re.M)[1:]:
            heading, _, text = item.partition("\n")
            name, equals, values = heading.partition(" No = ")
            assert equals, heading
            assert name not in keys, f"{name} is described twice"
            keys[name] = (title, values, text.partition("\n.El")[0])
    return keys


def test_every_key_is_in_the_manual_and_no_other():
    rows, manual = rows_of_keys(), manual_of_keys()
    assert len(rows) > 50
    assert list(manual) == list(rows)
    for name, row in rows.items():
        assert manual[name][0] in SECTIONS[row["where"]], name


def test_keys_say_in_which_direction_they_mean_something():
    for name, row in rows_of_keys().items():
        said = re.match(r"(Out|In)bound only\.\n", manual_of_keys()[name][2])
        assert (said.group(1) if said else None) == {"POLICY_OUTBOUND": "Out", "POLICY_INBOUND": "In"}.get(row.get("role")), name


def test_all_values_are_in_the_manual_and_no_other():
    manual = manual_of_keys()
    for name, row in rows_of_keys().items():
        _, values, text = manual[name]
        if "choices" not in row:
            assert not values.startswith("Cm ") or name == "ca", name
        elif values == "Ar list":
            said = re.findall(r"^\.Cm ([\w-]+)", text, re.M)
            assert set(said) == set(choices(row["choices"])), name
        else:
            assert set(re.findall(r"[\w.]+", values.removeprefix("Cm "))) == set(choices(row["choices"])), name


@pytest.fixture
def files(tmp_path, seamtls):
    """A directory with the certificates and keys that the examples name."""
    assert seamtls("cert", "server").returncode == 0

    def provide(text):
        for key, value in re.findall(r"^(ca|cert|key)\s*=\s*(\S+)", text, re.M):
            if value not in ("system", "server.pem", "server.key", "ca.pem") and not value.startswith("/"):
                (tmp_path / value).parent.mkdir(exist_ok=True)
                shutil.copy(tmp_path / ("server.key" if key == "key" else f"{'ca' if key == 'ca' else 'server'}.pem"), tmp_path / value)
        return tmp_path

    return provide


def test_the_first_value_is_the_default(seamtls, files):
    text = "".join(f'[rule "{way}"]\ndirection = {way}\naction = tls\ncert = server.pem\nkey = server.key\n' for way in ("inbound", "outbound"))
    (files("") / "p.conf").write_text(text)
    default = {}
    for way in ("inbound", "outbound"):
        out = seamtls("explain", "-p", "p.conf", "--direction", way, "--format", "json").stdout.splitlines()
        default |= json.loads(out[-1])["settings"]
    known = {"cert", "key", "handshake_timeout", "tickets"}
    for name, (_, values, body) in manual_of_keys().items():
        if "|" in values and name in default:
            assert values.removeprefix("Cm ").split()[0] == default[name], name
            known.add(name)
    assert set(default) <= known
    manual = manual_of_keys()
    assert f"{default['handshake_timeout']} by default" in manual["handshake_timeout"][2]
    assert f"{default['tickets']} by default" in manual["tickets"][2]


def options(text):
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))


def test_every_option_is_in_the_manual_and_no_other(seamtls):
    manual = COMMAND.read_text()
    items = re.split(r"^\.It Cm ", manual[manual.index(".Sh DESCRIPTION"):manual.index(".It Fl -version")], flags=re.M)[1:]
    manual = {item.split(None, 1)[0]: item for item in items}
    commands = re.findall(r"^  (\w+) ", seamtls("--help").stdout, re.M)
    assert list(manual) == commands
    for command in commands:
        said = options(seamtls(command, "--help").stdout)
        headings = " ".join(re.findall(r"^\.It (Fl .*)$", manual[command], re.M))
        written = {f"-{option}" for option in re.findall(r"Fl (-?[a-z][a-z-]*)", headings)}
        assert written == said, command


def test_every_variable_is_in_the_manual():
    code = (SOURCE / "shim" / "variables.c").read_text()
    names = re.findall(r'"(\w+)"', re.search(r"names\[\] = \{(.*?)\}", code, re.S).group(1))
    assert "SEAMTLS_POLICY" in names
    manual = LIBRARY.read_text()
    assert set(names) <= set(re.findall(r"\bEv (\w+)", manual))
    items = re.findall(r"^\.It Ev (\w+)", manual, re.M)
    assert set(items) == {name for name in names if name.startswith("SEAMTLS_")}


def test_every_event_is_in_the_manual(seamtls):
    manual = COMMAND.read_text()
    manual = manual[manual.index(".Ss Events"):manual.index(".Ss Fields")]
    known = re.search(r"--event=TYPE\[,TYPE\] +(.*)", seamtls("log", "--help").stdout).group(1).split(", ")
    assert "observe" in known
    assert set(itertools.chain(*(item.split(" , ") for item in re.findall(r"^\.It Li (.*)", manual, re.M)))) == set(known)


def test_every_field_is_in_the_manual():
    manual = COMMAND.read_text()
    manual = manual[manual.index(".Ss Fields"):manual.index(".Ss States")]
    known = re.findall(r'^\t\{ (?:NULL|"(\w+)"), "(\w+)",', (SOURCE / "tools" / "log_fields.c").read_text(), re.M)
    assert ("peer", "subject") in known
    written = set(re.findall(r"\w+", " ".join(re.findall(r"^\.(?:It|Brq) Li (.*)", manual, re.M))))
    assert written == set(itertools.chain(*known)) - {""}


def test_all_pages_are_installed_and_refer_to_pages_that_are():
    build = (SOURCE / "tools" / "meson.build").read_text()
    installed = re.findall(r"'([^']+)'", re.search(r"install_man\((.*?)\)", build, re.S).group(1))
    assert sorted(installed) == [page.name for page in PAGES]
    pages = {tuple(name.rsplit(".", 1)) for name in installed}
    for page in PAGES:
        own = {(name, section) for name, section in re.findall(r"^\.Xr (\S+) (\d)", page.read_text(), re.M) if "seamtls" in name}
        assert own == pages - {tuple(page.name.rsplit(".", 1))}, f"{page.name} refers to all the others, and to nothing else of ours"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize(
    "check", [["mandoc", "-T", "lint", "-W", "warning"], ["man", "--warnings", "-E", "UTF-8", "-l"]], ids=["mandoc", "man"]
)
def test_pages_are_well_formed(page, check):
    if shutil.which(check[0]) is None:
        pytest.skip(f"{check[0]} is not installed")
    result = subprocess.run([*check, page], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert (result.returncode, result.stderr) == (0, "")
    if check[0] == "mandoc":
        assert result.stdout == ""
    else:
        assert "NAME" in result.stdout


def policies_in(text, begin, end):
    return [block for block in re.findall(rf"^{begin}\n(.*?)^{end}$", text, re.M | re.S) if re.match(r"\[\w", block)]


def examples():
    for page in PAGES:
        for number, block in enumerate(policies_in(page.read_text(), r"\.Bd -literal -offset indent", r"\.Ed"), 1):
            yield pytest.param(block, id=f"{page.name}-{number}")
    for number, block in enumerate(policies_in((SOURCE / "README.md").read_text(), "```ini", "```"), 1):
        yield pytest.param(block, id=f"README-{number}")


@pytest.mark.parametrize("text", examples())
def test_examples_are_policies(seamtls, files, text):
    path = files(text) / "p.conf"
    path.write_text(text)
    result = seamtls("check", path)
    assert (result.returncode, [line for line in result.stderr.splitlines() if ": warning: " not in line]) == (0, [])


def test_links_of_the_readme_lead_somewhere():
    text = (SOURCE / "README.md").read_text()
    headings = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)", text, re.M)}
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if link.startswith("#"):
            assert link[1:] in headings, link
        elif "://" not in link:
            assert (SOURCE / link).exists(), link


def test_keys_of_the_readme_are_keys():
    table = (SOURCE / "README.md").read_text().partition("| key | what for |\n|---|---|\n")[2].partition("\n\n")[0]
    keys = re.findall(r"`(\w+)(?: = \w+)?`", " ".join(row.split("|")[1] for row in table.splitlines()))
    assert len(keys) > 20
    assert set(keys) <= set(rows_of_keys())
