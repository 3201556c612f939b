/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SEAMTLS_TLS_TRUST_H
#define SEAMTLS_TLS_TRUST_H

/* The file that `ca = system` stands for; NULL: there is none. */
const char *trust_system_bundle(void);

#endif
