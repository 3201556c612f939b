/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Three parts: what is offered in short; a hash of the sorted cipher suites; and one of the sorted
 * extensions with the signature algorithms behind them in their order. The values of RFC 8701
 * (GREASE), which clients put in at random, are left out everywhere.
 */
#include "tls/ja4.h"
#include "tls/vector.h"
#include <wolfssl/wolfcrypt/settings.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/hash.h>

#define COUNT_MOST 99
#define HASH_DIGITS 12
#define NUMBER_TEXT_LEN 5 /* "c02b," */
#define SERVER_NAME 0
#define ALPN 16

static bool is_grease(size_t number)
{
	return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
}

unsigned ja4_version(const struct hello *hello)
{
	struct x509_bytes versions = hello->versions;
	size_t number, highest = 0;

	if (versions.data == NULL)
		return hello->legacy_version;
	while (vector_take_number(&versions, 2, &number))
		if (!is_grease(number) && number > highest)
			highest = number;
	return (unsigned)highest;
}

static const char *version_text(unsigned version)
{
	switch (version) {
	case 0x0304:
		return "13";
	case 0x0303:
		return "12";
	case 0x0302:
		return "11";
	case 0x0301:
		return "10";
	case 0x0300:
		return "s3";
	case 0x0002:
		return "s2";
	default:
		return "00";
	}
}

static bool is_alphanumeric(uint8_t byte)
{
	return byte < 0x80 && isalnum(byte);
}

/* First and last of the first protocol: characters, or digits of its hex if one of them is none. */
static void alpn_text(const struct hello *hello, char out[3])
{
	static const char hex[] = "0123456789abcdef";
	struct x509_bytes protocols = hello->protocols, first;
	uint8_t begin, end;

	strcpy(out, "00");
	if (!vector_take_vector(&protocols, 1, &first) || first.len == 0)
		return;
	begin = first.data[0];
	end = first.data[first.len - 1];
	if (is_alphanumeric(begin) && is_alphanumeric(end)) {
		out[0] = (char)begin;
		out[1] = (char)end;
	} else {
		out[0] = hex[begin >> 4];
		out[1] = hex[end & 15];
	}
}

/* Numbers that are hashed. */
struct numbers {
	uint16_t *items;
	size_t count;
};

static void add(struct numbers *numbers, size_t number)
{
	if (!is_grease(number))
		numbers->items[numbers->count++] = (uint16_t)number;
}

static int compare(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static size_t print(const struct numbers *numbers, char *out)
{
	for (size_t i = 0; i < numbers->count; i++)
		sprintf(out + i * NUMBER_TEXT_LEN, "%04x,", numbers->items[i]);
	return numbers->count > 0 ? numbers->count * NUMBER_TEXT_LEN - 1 : 0;
}

static bool hash_text(const char *text, size_t len, char *out)
{
	uint8_t digest[WC_SHA256_DIGEST_SIZE];

	if (len == 0) {
		memset(out, '0', HASH_DIGITS);
		return true;
	}
	if (wc_Sha256Hash((const byte *)text, (word32)len, digest) != 0)
		return false;
	for (size_t i = 0; i < HASH_DIGITS / 2; i++)
		sprintf(out + 2 * i, "%02x", digest[i]);
	return true;
}

/* What the three parts are made in: no list of the hello has more numbers than `room`. */
struct workshop {
	struct numbers numbers;
	char *text;
};

static bool workshop_open(struct workshop *work, size_t room)
{
	work->numbers = (struct numbers){ malloc(room * sizeof(uint16_t)), 0 };
	work->text = malloc(2 * room * NUMBER_TEXT_LEN + 1);
	return work->numbers.items != NULL && work->text != NULL;
}

static void workshop_close(struct workshop *work)
{
	free(work->numbers.items);
	free(work->text);
}

static void take_list(struct workshop *work, struct x509_bytes list)
{
	size_t number;

	work->numbers.count = 0;
	while (vector_take_number(&list, 2, &number))
		add(&work->numbers, number);
}

static bool hash_suites(struct workshop *work, const struct hello *hello, char *out, size_t *count)
{
	take_list(work, hello->suites);
	*count = work->numbers.count;
	qsort(work->numbers.items, work->numbers.count, sizeof(uint16_t), compare);
	return hash_text(work->text, print(&work->numbers, work->text), out);
}

static bool hash_extensions(
	struct workshop *work, const struct hello *hello, char *out, size_t *count)
{
	struct x509_bytes extensions = hello->extensions, body;
	size_t type, len;

	*count = work->numbers.count = 0;
	while (hello_next_extension(&extensions, &type, &body)) {
		*count += !is_grease(type);
		if (type != SERVER_NAME && type != ALPN)
			add(&work->numbers, type);
	}
	qsort(work->numbers.items, work->numbers.count, sizeof(uint16_t), compare);
	len = print(&work->numbers, work->text);
	take_list(work, hello->signatures);
	if (len > 0 && work->numbers.count > 0) {
		work->text[len++] = '_';
		len += print(&work->numbers, work->text + len);
	}
	return hash_text(work->text, len, out);
}

static unsigned at_most(size_t count)
{
	return count < COUNT_MOST ? (unsigned)count : COUNT_MOST;
}

bool ja4_text(const struct hello *hello, char out[JA4_TEXT_LEN])
{
	size_t room = (hello->suites.len + hello->extensions.len + hello->signatures.len) / 2 + 1;
	char suites_hash[HASH_DIGITS + 1] = "", extensions_hash[HASH_DIGITS + 1] = "", alpn[3];
	size_t suites = 0, extensions = 0;
	struct workshop work;
	bool made;

	made = workshop_open(&work, room) && hash_suites(&work, hello, suites_hash, &suites) &&
	       hash_extensions(&work, hello, extensions_hash, &extensions);
	workshop_close(&work);
	alpn_text(hello, alpn);
	out[0] = '\0';
	if (made)
		snprintf(out, JA4_TEXT_LEN, "t%s%c%02u%02u%s_%s_%s",
			version_text(ja4_version(hello)), hello->asks_for_name ? 'd' : 'i',
			at_most(suites), at_most(extensions), alpn, suites_hash, extensions_hash);
	return made;
}
