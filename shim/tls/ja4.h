/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JA4, the fingerprint of a TLS client by what its ClientHello offers, as FoxIO has published it
 * (technical_details/JA4.md of github.com/FoxIO-LLC/ja4; of that family JA4 alone is free). */
#ifndef SEAMTLS_TLS_JA4_H
#define SEAMTLS_TLS_JA4_H

#include "hello.h"

#define JA4_TEXT_LEN 37 /* "t13d1516h2_8daaf6152771_e5627efa2ab1" */

/* False: there is no memory, or no hash; then out is "". */
bool ja4_text(const struct hello *hello, char out[JA4_TEXT_LEN]);

/* The highest version that is offered, GREASE left out. */
unsigned ja4_version(const struct hello *hello);

#endif
