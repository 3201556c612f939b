/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys of a file, as ticket_key.h has them; noticed when the file changes. */
#ifndef SEAMTLS_TLS_TICKET_FILE_H
#define SEAMTLS_TLS_TICKET_FILE_H

#include "ticket_key.h"

int ticket_file_newest(struct ticket_file *file, struct ticket_key *out);
int ticket_file_find(
	struct ticket_file *file, const uint8_t *name, struct ticket_key *out, bool *newest);

#endif
