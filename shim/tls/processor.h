/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an x86-64 processor has, for code that is there beside the code for any. */
#ifndef SEAMTLS_TLS_PROCESSOR_H
#define SEAMTLS_TLS_PROCESSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/platform/x86.h>

/* Whether the processor has each of these (x86_cpu_..), and the kernel lets it be used. At no cost:
 * the loader has found it out. */
bool processor_has(const unsigned *features, size_t count);

#endif
