/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Another stack for one call. Not swapcontext() where we can do without: it saves and restores the
 * signal mask, two system calls each way, and nothing that runs here changes the mask for good.
 */
#ifndef SEAMTLS_DEEP_SWITCH_H
#define SEAMTLS_DEEP_SWITCH_H

#include <stddef.h>

/* run(arg), in this thread, on the `len` bytes of stack below `top`, a multiple of 16; then back.
 */
void deep_switch(void *top, size_t len, void (*run)(void *arg), void *arg);

#endif
