# SPDX-License-Identifier: GPL-3.0-or-later
"""What bash offers after `seamtls ...` and a tab."""

import os
import pathlib
import re
import subprocess

import pytest

SCRIPT = pathlib.Path(os.environ["SEAMTLS_SOURCE"]) / "tools" / "completion" / "seamtls.bash"
# What bash does at a tab: the words, split at '=' too, and the function that is registered for the command.
TAB = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
function=$(complete -p seamtls | sed -E 's/.*-F ([a-z_]+).*/\\1/')
$function "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
"""
BASH_COMPLETION = pathlib.Path("/usr/share/bash-completion/bash_completion")


@pytest.fixture
def offered(build, tmp_path):
    def complete(*words, before=""):
        words = [part for word in words for part in (re.split("(=)", word) if word.startswith("--") else [word])]
        while len(words) > 1 and words[-2:] == ["=", ""]:
            words.pop()
        result = subprocess.run(
            ["bash", "--norc", "-c", before + TAB, "bash", SCRIPT, f"{build}/tools/seamtls", *words],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout.splitlines()

    return complete


def commands(seamtls):
    return re.findall(r"^  (\w+) ", seamtls("--help").stdout, re.M)


def test_commands(seamtls, offered):
    assert sorted(offered("")) == sorted([*commands(seamtls), "--help", "--version"])
    assert offered("ch") == ["check"]
    assert sorted(offered("help", "")) == sorted(commands(seamtls))
    assert offered("policy", "") == ["default"]


def test_all_options_of_all_commands(seamtls, offered):
    for command in commands(seamtls):
        told = set(re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*", seamtls(command, "--help").stdout)) | {"--help"}
        assert told <= set(offered(command, "--")), command
        for option in offered(command, "--"):
            # The first --help may be the option's value, the second ends what would go on.
            assert "unrecognized option" not in seamtls(command, option, "--help", "--help").stderr, (command, option)
    assert offered("cert", "--da") == ["--days"]
    for command in ("stat", "ps", "report", "suggest"):
        others = [option for option in offered("log", "--") if option in seamtls("log", "--help").stdout.partition("--since=")[2]]
        filters = {option for option in ["--since", *others] if "unrecognized option" not in seamtls(command, option, "--help", "--help").stderr}
        assert {"--since", "--peer"} <= filters <= set(offered(command, "--")), command


def test_values_are_those_that_are_allowed(seamtls, offered):
    cases = [(command, "--format") for command in ("check", "doctor", "explain", "log", "ps", "stat")]
    for command, option in [*cases, ("log", "--event"), ("log", "--cause"), ("log", "--protocol"), ("stat", "--protocol"), ("log", "--direction"), ("stat", "--event"), ("explain", "--direction"), ("suggest", "--stage"), ("ps", "--sort"), ("ps", "--state")]:
        allowed = re.search("allowed: (.*)", seamtls(command, f"{option}=nonsense").stderr).group(1).split(", ")
        assert sorted(offered(command, f"{option}=")) == sorted(allowed), (command, option)
        assert sorted(offered(command, option, "")) == sorted(allowed), (command, option)
    assert offered("log", "--event=open,cl") == ["open,close"]


def test_policies_by_file_and_by_name(offered, tmp_path):
    (tmp_path / ".config" / "seamtls").mkdir(parents=True)
    for name in ("web.conf", "web.txt", ".config/seamtls/webshop.conf"):
        (tmp_path / name).touch()
    for words in (["check"], ["run", "-p"], ["run", "--policy"], ["explain", "-p"], ["stat", "-p"]):
        assert sorted(offered(*words, "we")) == ["web.conf", "webshop"], words
    assert sorted(offered("run", "--policy=we")) == ["web.conf", "webshop"]


def test_files_with_blanks(offered, tmp_path):
    (tmp_path / "my logs").mkdir()
    (tmp_path / "my logs" / "a.audit").touch()
    (tmp_path / "my logs" / "a.txt").touch()
    assert offered("log", "my") == ["my logs"]
    assert offered("log", "my logs/") == ["my logs/a.audit"]
    assert offered("cert", "-d", "my") == ["my logs"]


def test_programs_and_what_they_take(offered, tmp_path):
    assert "python3" in offered("run", "pytho")
    assert "python3" in offered("run", "-p", "run", "--label=x", "--", "pytho")
    (tmp_path / "--format").touch()  # a file of the program's, no option of ours
    assert offered("run", "cat", "--f") == ["--format"]
    assert offered("run", "--", "cat", "--f") == ["--format"]


@pytest.mark.skipif(not BASH_COMPLETION.exists(), reason="bash-completion is not installed")
def test_a_program_completes_its_own_arguments(offered):
    own = "_toy() { COMPREPLY=(its-own); }; complete -F _toy toy; "
    # compopt works only while readline completes.
    assert offered("run", "-p", "x", "toy", "", before=f"source {BASH_COMPLETION}; compopt() {{ :; }}; {own}") == ["its-own"]
