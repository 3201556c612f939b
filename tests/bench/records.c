/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What sealing and opening a record costs: nanoseconds of this thread's CPU time, the least of some
 * turns, for each AEAD, implementation and size. With one key, and with so many in turn that what
 * an implementation keeps of a key is never there. Run by hand.
 */
#include "tls/aead.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURNS 15
#define KEYS 1024

static const char *const aeads[] = { "AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305" };
static const size_t sizes[] = { 16, 64, 256, 1024, 4096, 16384 };

static struct record_key keys[KEYS];
static uint8_t plain[RECORD_MAX_PLAINTEXT], record[RECORD_MAX_LEN], out[RECORD_MAX_LEN];

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void make_keys(enum record_aead aead)
{
	uint8_t secret[RECORD_MAX_SECRET] = { 0 };

	for (size_t i = 0; i < KEYS; i++) {
		memcpy(secret, &i, sizeof(i));
		if (record_key_from_secret(&keys[i], aead, secret, sizeof(secret)) != 0)
			exit(EXIT_FAILURE);
	}
}

static double seal_ns(size_t len, size_t key_count, int times)
{
	const struct iovec iov = { plain, len };
	double begin = cpu_ns();

	for (int i = 0; i < times; i++)
		record_seal(&keys[(size_t)i % key_count], RECORD_APPLICATION_DATA, &iov, 0, len,
			record);
	return (cpu_ns() - begin) / times;
}

static double open_ns(size_t len, int times)
{
	struct record_key sender = keys[0], receiver;
	const struct iovec iov = { plain, len };
	ssize_t n = record_seal(&sender, RECORD_APPLICATION_DATA, &iov, 0, len, record);
	enum record_type type;
	double begin = cpu_ns();

	for (int i = 0; i < times; i++) {
		receiver = keys[0];
		if (record_open(&receiver, record, (size_t)n, out, &type) != (ssize_t)len)
			exit(EXIT_FAILURE);
	}
	return (cpu_ns() - begin) / times;
}

static void measure(const struct aead *aead, size_t len)
{
	int times = (int)(4000000 / (len + 400));
	double seal = 1e12, other_keys = 1e12, open = 1e12;

	aead_choose(aead);
	for (int turn = 0; turn < TURNS; turn++) {
		double ns = seal_ns(len, 1, times);

		seal = ns < seal ? ns : seal;
		ns = seal_ns(len, KEYS, times);
		other_keys = ns < other_keys ? ns : other_keys;
		ns = open_ns(len, times);
		open = ns < open ? ns : open;
	}
	printf("%-12s %6zu %10.0f %10.0f %10.0f %8.2f\n", aead->name, len, seal, other_keys, open,
		(double)len / seal);
}

int main(void)
{
	for (size_t a = 0; a < sizeof(aeads) / sizeof(*aeads); a++) {
		make_keys((enum record_aead)a);
		printf("%s\n%-12s %6s %10s %10s %10s %8s\n", aeads[a], "by", "bytes", "seal ns",
			"many keys", "open ns", "GB/s");
		for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
			measure(aead_wolfcrypt(), sizes[s]);
			if (aead_ipsec_mb() != NULL)
				measure(aead_ipsec_mb(), sizes[s]);
		}
	}
	return EXIT_SUCCESS;
}
