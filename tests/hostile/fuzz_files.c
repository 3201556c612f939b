/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files that a policy names: the same bytes as a certificate or key, in PEM or PKCS#12, as
 * revocation lists, ticket keys, a password; and as a pkcs11: URI. */
#include "fixture.h"
#include "fuzz.h"
#include "tls/credential.h"
#include "tls/pkcs11_uri.h"
#include "tls/revocation.h"
#include "tls/ticket_file.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void read_uri(const uint8_t *data, size_t len, const struct why *why)
{
	char *text = malloc(len + sizeof "pkcs11:");
	struct pkcs11_uri uri;

	memcpy(text, "pkcs11:", 7);
	memcpy(text + 7, data, len);
	text[7 + len] = '\0';
	if (pkcs11_uri_parse(text, &uri, why) == 0 && uri.id_len > PKCS11_VALUE_MAX)
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char path[FIXTURE_PATH_LEN], password_path[FIXTURE_PATH_LEN], text[256];
	int fd = fixture_file(data, len, path),
	    password_fd = fixture_file("open sesame", 11, password_path);
	const struct credential_source source = { path, path, password_path };
	char *paths[] = { path };
	const struct policy_list list = { 1, paths };
	const struct why why = { text, sizeof text, NULL };
	struct revocation revocation = { 0 };
	struct ticket_file *tickets;
	struct credential credential;
	struct password password;
	struct ticket_key key;

	if (credential_read(&source, &credential, &why) == 0)
		credential_clear(&credential);
	revocation_load(&revocation, &list, &why);
	revocation_clear(&revocation);
	if (password_read(path, &password, &why) == 0 && password.text[0] == '\0')
		abort();
	if (ticket_file_open(path, &tickets, &why) == 0) {
		ticket_file_newest(tickets, &key);
		ticket_file_close(tickets);
	}
	read_uri(data, len, &why);
	close(fd);
	close(password_fd);
	return 0;
}
