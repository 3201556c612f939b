/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A TLS client and a server of ours in one process, joined by two queues of bytes that deliver as
 * badly as a test wants. */
#ifndef SEAMTLS_TESTS_TLS_PAIR_H
#define SEAMTLS_TESTS_TLS_PAIR_H

#include "policy/policy.h"
#include "tls/handshake.h"

#define PAIR_QUEUE_SIZE (1u << 18)
#define PAIR_ITEMS_MAX 8
#define PAIR_LISTS 11

/* Makes the certificates, in a folder that is removed when the process ends. To be called in
 * main(), before Check forks. */
void pair_make_certs(void);

/* After that: another script of this folder, which adds to them. */
void pair_make_more(const char *script);

/* "DIR/name" in static memory that is used again after some calls. */
const char *pair_path(const char *name);

/* Settings with the lists' memory. */
struct pair_settings {
	struct tls_settings tls;
	char *items[PAIR_LISTS][PAIR_ITEMS_MAX];
	uint8_t pin[1][POLICY_SPKI_LEN];
};

/* As policy has them by default, with ca.pem as CA; cert (NULL: none): NAME.pem and NAME.key. */
void pair_settings_init(struct pair_settings *settings, const char *cert);
void pair_settings_clear(struct pair_settings *settings);
void pair_list_add(struct pair_settings *settings, struct policy_list *list, const char *item);
void pair_list_clear(struct policy_list *list);
void pair_pin(struct pair_settings *settings, const char *pin_file);

struct pair_queue {
	uint8_t bytes[PAIR_QUEUE_SIZE];
	size_t head, tail;
	size_t cut;  /* only so many bytes ever come through, then end of file; 0: all */
	bool closed; /* end of file after what is there */
	int error;   /* instead of the end of file */
};

struct pair_end {
	struct pair_queue *in, *out;
	size_t chunk;     /* most bytes a call; 0: as many as there are */
	unsigned stutter; /* every so many calls give -EAGAIN; 0: none */
	unsigned calls;
};

struct pair {
	struct tls_context *client_context, *server_context;
	struct tls_handshake *client, *server;
	struct pair_queue to_client, to_server;
	struct pair_end client_end, server_end;
	int client_result, server_result;
};

/* Contexts and handshakes, not driven yet. Any failure to make them fails the test. */
struct pair *pair_new(
	const struct pair_settings *client, const struct pair_settings *server, const char *name);
void pair_free(struct pair *pair);

/* Drives both until neither goes on. A side that has failed closes its direction. */
void pair_run(struct pair *pair);

/* Seals `text` with one side's key and opens it with the other's; both ways. Fails the test if it
 * does not arrive. */
void pair_check_data(struct pair *pair);

ssize_t pair_recv(void *end, void *buf, size_t len);
ssize_t pair_send(void *end, const void *buf, size_t len);
extern const struct tls_peek pair_peeks;

#endif
