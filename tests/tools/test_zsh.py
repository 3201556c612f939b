# SPDX-License-Identifier: GPL-3.0-or-later
"""What zsh offers after `seamtls ...` and a tab: a real one, at a terminal, whose completion tells what it would add."""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import time

import pytest

SCRIPT = pathlib.Path(os.environ["SEAMTLS_SOURCE"]) / "tools" / "completion"
WAIT_S = 15
# compadd tells what matches, and so does a message; the line stays as it is.
SETUP = r"""
unset PROMPT RPROMPT PS2 HISTFILE; PROMPT= ; stty -echo; unsetopt zle_bracketed_paste prompt_sp prompt_cr beep 2>/dev/null
fpath=($2 $fpath); path=($3 $path)
autoload -Uz compinit && compinit -u -D
compadd() {
	local -a hits
	if (( ! ${@[(I)-(O|A|D)]} )); then
		builtin compadd -O hits "$@"
		(( ! $#hits )) || print -rl -- "$hits[@]" >>$OUT
	fi
	builtin compadd "$@"
}
capture() { _main_complete; compstate[insert]= compstate[list]=; print -r -- '=end=' >>$OUT }
zle -C capture complete-word capture
bindkey -e; bindkey "^I" capture
OUT=$1
print -r -- '=end=' >>$OUT
"""


class Zsh:
    def __init__(self, build, home):
        self.out, self.said = home / "offered", ""
        (home / "setup").write_text(SETUP)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            env = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
            os.execvpe("zsh", ["zsh", "-f", "-i"], env)
        self.send(f"set -- {self.out} {SCRIPT} {build}/tools; source {home}/setup\n")
        self.wait()

    def send(self, text):
        os.write(self.fd, text.encode())

    def wait(self):
        end = time.monotonic() + WAIT_S
        while not (self.out.exists() and self.out.read_text().endswith("=end=\n")):
            if select.select([self.fd], [], [], 0.02)[0]:
                self.said += os.read(self.fd, 65536).decode(errors="replace")
            assert time.monotonic() < end, "zsh does not answer: " + self.said
        offered = self.out.read_text().splitlines()[:-1]
        self.out.write_text("")
        return offered

    def offered(self, line):
        self.send("\x15" + line + "\t")  # ^U: the line before is gone
        return sorted(set(self.wait()))

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture(scope="module")
def offered(build, tmp_path_factory):
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    zsh = Zsh(build, tmp_path_factory.mktemp("zsh"))
    yield zsh.offered
    zsh.close()


def commands(seamtls):
    return re.findall(r"^  (\w+) ", seamtls("--help").stdout, re.M)


def test_commands(seamtls, offered):
    assert offered("seamtls ") == sorted(commands(seamtls))
    assert offered("seamtls ch") == ["check"]
    assert offered("seamtls --") == ["--help", "--version"]
    assert offered("seamtls help ") == sorted(commands(seamtls))
    assert offered("seamtls policy ") == ["default"]


def test_all_options_of_all_commands(seamtls, offered):
    for command in commands(seamtls):
        told = set(re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*", seamtls(command, "--help").stdout)) | {"--help"}
        found = {word.rstrip("=") for word in offered(f"seamtls {command} --")}
        assert told <= found, command
        for option in found:
            assert "unrecognized option" not in seamtls(command, option, "--help", "--help").stderr, (command, option)
    for command in ("stat", "ps", "report", "suggest"):
        assert {"--since", "--peer", "--cause", "--protocol", "--application"} <= {word.rstrip("=") for word in offered(f"seamtls {command} --")}, command


def test_values_are_those_that_are_allowed(seamtls, offered):
    for command, option in [("check", "--format"), ("log", "--format"), ("stat", "--format"), ("log", "--event"), ("stat", "--cause"), ("log", "--protocol"),
                            ("log", "--direction"), ("explain", "--direction"), ("suggest", "--stage"), ("ps", "--sort"), ("ps", "--state")]:
        allowed = re.search("allowed: (.*)", seamtls(command, f"{option}=nonsense").stderr).group(1).split(", ")
        assert offered(f"seamtls {command} {option}=") == sorted(allowed), (command, option)
        assert offered(f"seamtls {command} {option} ") == sorted(allowed), (command, option)
    assert offered("seamtls log --event=open,cl") == ["close"]


def test_files_policies_and_programs(offered, tmp_path_factory):
    home = next(path for path in tmp_path_factory.getbasetemp().iterdir() if path.name.startswith("zsh"))
    (home / ".config" / "seamtls").mkdir(parents=True)
    for name in ("web.conf", "web.txt", ".config/seamtls/webshop.conf", "my.audit"):
        (home / name).touch()
    for words in ("check", "run -p", "run --policy", "explain -p", "stat -p"):
        assert offered(f"seamtls {words} we") == ["web.conf", "webshop"], words
    assert offered("seamtls log my") == ["my.audit"]
    assert "python3" in offered("seamtls run pytho")
    assert "python3" in offered("seamtls run -p web.conf --label=x -- pytho")
