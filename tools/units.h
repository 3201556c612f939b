/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Amounts for people. */
#ifndef SEAMTLS_TOOLS_UNITS_H
#define SEAMTLS_TOOLS_UNITS_H

#include <stdint.h>

#define UNITS_LEN 24

/* "1.5 MB" */
const char *units_bytes(char out[UNITS_LEN], uint64_t bytes);

/* "5s", "12m", "3h", "9d" */
const char *units_age(char out[UNITS_LEN], uint64_t seconds);

#endif
