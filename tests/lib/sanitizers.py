# SPDX-License-Identifier: GPL-3.0-or-later
"""
Programs under a library that was built with a sanitizer, which SEAMTLS_TEST_SANITIZER names. What it has to say goes into files,
since standard error is the program's.

AddressSanitizer's runtime has to come before every other library of a process: SEAMTLS_TEST_PRELOAD_FIRST. ThreadSanitizer's has to
come behind ours: it passes over what happens inside of calls that block, which is most of what the library does if the call goes
through it first. But it has to be at work before the library is, as it is in programs that are built with it, and only there.
"""
import os
from pathlib import Path

SUPPRESSIONS = Path(__file__).parent.parent / "analysis" / "tsan.txt"
NAME = os.environ.get("SEAMTLS_TEST_SANITIZER")
RUNTIME = os.environ.get("SEAMTLS_TEST_PRELOAD_FIRST")
# Programs leave their memory to the end of the process.
ASAN = "detect_leaks=0:verify_asan_link_order=0"
# Its own handlers would be set through the library, before it is ready for the library's code; and the programs have theirs. That
# threads are left at the end is the programs' affair too.
TSAN = "handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_sigfpe=0:handle_abort=0:report_thread_leaks=0:" \
       f"suppressions={SUPPRESSIONS}"


def preload(library):
    return f"{RUNTIME} {library}" if RUNTIME else str(library)


def options(directory):
    """The environment's, with what is found in `directory`; none: nothing is looked for."""
    if not NAME:
        return {}
    log = f"log_path={directory}/sanitizer" if directory else "report_bugs=0"
    return {"ASAN_OPTIONS": f"{ASAN}:{log}" if directory else ASAN, "UBSAN_OPTIONS": f"print_stacktrace=1:{log}",
            "TSAN_OPTIONS": f"{TSAN}:{log}"}


def reports(directory):
    """What was found since the last time."""
    found = []
    for path in Path(directory).rglob("sanitizer.*") if NAME else []:
        found.append(path.read_text(errors="replace")[:6000])
        path.unlink()
    return found
