# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases that a sanitizer breaks by itself, the plain runs too, and why. The builds without one run them all."""

STACKS = "it is told of threads' stacks only, not of those that a program makes"
NO_MEMORY = "its own functions use what is no memory before the library sees it"
DEFERRED = "it keeps a signal until the call is over, where that would be over by the signal only"

UNFIT = {
    "address": {
        "in_calls": "a cancelled thread goes on from its own function, whose frame it takes for poisoned",
        "in_handshake": "a cancelled thread goes on from its own function, whose frame it takes for poisoned",
        "no_address": NO_MEMORY,
        "small_stack": "frames with its red zones are too large for 16 KiB",
        "coroutine": STACKS,
        "two_coroutines": STACKS,
    },
    "thread": {
        "storm": "a thread that is cancelled within its own functions can leave its locks locked",
        "coroutine": STACKS,
        "two_coroutines": STACKS,
        "no_address": NO_MEMORY,
        "no_memory": "it needs memory itself for what it keeps of each lock",
        "handler_writes": DEFERRED,
        "handler_closes": DEFERRED,
        "handler_ends_read": DEFERRED,
        "jump_out_of_read": DEFERRED,
        "jump_out_of_write": DEFERRED,
    },
}
