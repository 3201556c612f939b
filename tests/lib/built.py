# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the build is."""
import os
from pathlib import Path


def built(*parts):
    """The path of something that the build made."""
    root = os.environ.get("SEAMTLS_BUILD")
    assert root, "set SEAMTLS_BUILD to the build folder (`meson setup build && ninja -C build`), or use tests/run"
    path = Path(root).resolve().joinpath(*parts)
    assert path.exists(), f"{path} is not built"
    return path
