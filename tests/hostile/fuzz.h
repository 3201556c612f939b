/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What libFuzzer, and replay.c in its stead, calls. */
#ifndef SEAMTLS_TESTS_FUZZ_H
#define SEAMTLS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
