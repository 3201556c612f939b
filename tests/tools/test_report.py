# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls report`: the structure of the page, what is in it, and that nothing in the log can become part of it."""

import html.parser
import os
import re
import shutil
import subprocess

import pytest

from audit_files import T0, at

VOID = {"meta", "line", "rect", "link", "br", "img", "input"}
ALLOWED = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "dl", "div", "dt", "dd", "section", "svg", "g",
           "text", "line", "rect", "table", "thead", "tbody", "tr", "th", "td", "footer"}
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "viewbox", "role", "aria-label", "x", "y", "x1", "x2", "y1", "y2",
              "width", "height", "rx", "text-anchor"}
OPEN = {"program": "/usr/bin/app", "rule": "db", "direction": "outbound", "remote": "10.0.0.2:5432", "server_name": "db.example",
        "version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": "x25519", "resumed": 0, "verify": "ok", "plane": "user",
        "peer_subject": "CN=db.example", "peer_issuer": "CN=ca", "peer_not_after": 4102444800, "handshake_us": 1500}
HOSTILE = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "' onload='x", "</title></style><b>", "<!--", "&lt;", "]]>",
           "a\u202eb", "\u2028", b"\xff\xfe<b>", b"\x00x"[1:], "javascript:alert(1)", "<" * 200]


class Page(html.parser.HTMLParser):
    """Everything in the page, and that it is well formed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.stack, self.tags, self.texts, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.stack, f"left open: {self.stack}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        assert tag in ALLOWED, tag
        for name, _ in attrs:
            assert name in ATTRIBUTES, name
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self.stack and self.stack.pop() == tag, tag

    def handle_comment(self, data):
        raise AssertionError("a comment: " + data)

    def handle_data(self, data):
        self.texts.append((self.stack[-1] if self.stack else "", data))

    def all(self, tag):
        return [text for where, text in self.texts if where == tag]


@pytest.fixture
def report(seamtls, audit_dir, tmp_path):
    def run(*args):
        path = tmp_path / "report.html"
        result = seamtls("report", path, *args, audit_dir)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        return path.read_text(encoding="utf-8")

    return run


def sample(make):
    make("a", *[("open", at(n * 60, **OPEN)) for n in range(200)],
         *[("observe", at(n * 120, program="/bin/old", direction="outbound", remote="10.0.0.9:25")) for n in range(50)],
         ("fail", at(12000, **{k: OPEN[k] for k in ("rule", "direction", "remote")}, reason="refused by this side: the peer does not speak TLS: it sent 'x'")),
         ("open", at(12001, **OPEN | {"server_name": "soon.example", "peer_not_after": T0, "verify": "none"})))


def test_page(make, report):
    sample(make)
    text = report()
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>\n")
    assert page.all("h2") == ["Connections over time", "Versions", "Groups of the key exchange", "Cipher suites", "Rules that protect",
                              "Versions of programs' own TLS", "Programs with TLS of their own",
                              "Programs in the clear", "Failures by cause", "Peers in the clear", "What the causes mean",
                              "Certificates of peers, the first to end first", "Weak and relaxed"]
    cells = page.all("td")
    assert {"10.0.0.9:25", "plaintext", "soon.example:5432", "verify = none"} <= set(cells)
    assert "201" in page.all("dd") and "80.1 %" in page.all("dd")
    titles = [t for t in page.all("title") if "UTC" in t]
    assert sum(int(re.search(r"(\d+) protected", t)[1]) for t in titles) == 201
    assert sum(int(re.search(r"(\d+) in the clear", t)[1]) for t in titles) == 50


def test_page_needs_nothing_else(make, report):
    """No script, nothing from elsewhere, and the page itself forbids both."""
    sample(make)
    text = report()
    assert "default-src 'none'" in text
    assert not re.search(r"<script|<link|<iframe|src=|href=|url\(|@import|https?:", text)
    assert "prefers-color-scheme:dark" in text and "@media print" in text


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names(make, report, name):
    make("a", ("open", at(0, **OPEN | {"rule": name, "program": name, "version": name, "cipher": name, "group": name, "server_name": name,
                                       "peer_subject": name, "peer_issuer": name, "verify": name})),
         ("observe", at(1, program=name, remote=name, server_name=name, direction="outbound")),
         ("fail", at(2, rule=name, program=name, reason=name)))
    text = report()
    page = Page(text)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]", text)
    if isinstance(name, str) and name.isprintable():
        assert name in page.all("td"), "shown as it is"


def test_empty(make, report):
    make("a")
    assert "There are no events." in Page(report()).all("p")


def test_one_event(make, report):
    make("a", ("observe", at(0, remote="10.0.0.9:25", direction="outbound")))
    page = Page(report())
    assert "0.0 %" in page.all("dd") and "10.0.0.9:25" in page.all("td")


def test_filters(make, report):
    sample(make)
    assert "10.0.0.9:25" not in report("--rule=db")


def test_standard_output(seamtls, make, audit_dir):
    sample(make)
    Page(seamtls("report", "-", audit_dir).stdout)


def test_file_that_cannot_be_written(seamtls, make, audit_dir, tmp_path):
    sample(make)
    result = seamtls("report", tmp_path / "none" / "x.html", audit_dir)
    assert result.returncode == 1 and "x.html" in result.stderr
    kept = tmp_path / "kept.html"
    kept.write_text("as before")
    with open("/dev/full", "w") as full:
        done = subprocess.run([os.environ["SEAMTLS_BUILD"] + "/tools/seamtls", "report", "-", audit_dir], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit", "kept.html"], "no draft is left behind"


@pytest.mark.parametrize("args", [[], ["--format=json", "x"], ["--since=x", "x"]])
def test_misuse(seamtls, args):
    result = seamtls("report", *args)
    assert (result.returncode, result.stdout) == (2, "")


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_in_a_browser(make, report, tmp_path):
    sample(make)
    report()
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=1000", f"--user-data-dir={tmp_path}/profile",
         "--dump-dom", f"file://{tmp_path}/report.html"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.count("<rect") > 100 and "soon.example:5432" in done.stdout
    assert "Content Security Policy" not in done.stderr
