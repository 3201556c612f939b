/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where wolfCrypt has its random numbers from (user_settings.h). */
#ifndef SEAMTLS_WOLFSSL_KERNEL_RANDOM_H
#define SEAMTLS_WOLFSSL_KERNEL_RANDOM_H

#define KERNEL_RANDOM_FAILED (-199) /* wolfCrypt's RNG_FAILURE_E */

/* 0, or KERNEL_RANDOM_FAILED; then `out` has nothing. */
int kernel_random(unsigned char *out, unsigned len);

#endif
