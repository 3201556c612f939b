# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documents point to is there."""
import os
import re
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("SEAMTLS_SOURCE", Path(__file__).parents[2]))
DOCUMENTS = {"README.md": "", "SECURITY.md": "", "tests/README.md": "tests"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document):
    text = (ROOT / document).read_text()
    links = [target for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
    missing = [target for target in links if not (ROOT / document).parent.joinpath(target).exists()]
    named = re.findall(r"`((?:[\w.-]+/)+[\w.*-]+\.(?:py|c|h|sh|conf|build))`", text)
    missing += [name for name in named if not list((ROOT / DOCUMENTS[document]).glob(name)) and not list(ROOT.glob(name))]
    assert links and named
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS)
def test_headings_that_are_linked_to_exist(document):
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]*)\)", (ROOT / document).read_text()):
        file = (ROOT / document).parent / target if target else ROOT / document
        headings = [re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
                    for line in file.read_text().splitlines() if line.startswith("#")]
        assert anchor in headings, f"{document} links to {target}#{anchor}"
