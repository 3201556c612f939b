/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values of TLS settings: files, pins, names. */
#include "policy/keys.h"
#include "policy/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define ALPN_ITEM_MAX 255   /* RFC 7301 3.1: one byte of length */
#define ALPN_TOTAL_MAX 1024 /* bytes in a ClientHello; a sane list is far below */

/*
 * A file must be there, and be one that can be read to its end. Whether this process may read it is
 * not asked: the program that needs it may have other rights than the one that loads the policy.
 */
static int check_file(struct parse *parse, const char *path, bool directory_too)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (parse->watch != NULL)
			watch_add(parse->watch, path);
		if (errno == ENOENT || errno == ENOTDIR)
			return parse_refuse(
				parse, "found '%.200s', and there is no such file", path);
		if (errno == ELOOP || errno == ENAMETOOLONG)
			return parse_refuse(parse,
				"found '%.200s', which cannot be opened: the path is too long or "
				"goes in circles",
				path);
		return 0;
	}
	if (S_ISREG(st.st_mode) || (directory_too && S_ISDIR(st.st_mode)))
		return 0;
	return parse_refuse(parse, "found '%.200s', which is neither a file%s", path,
		directory_too ? " nor a directory" : " nor a link to one");
}

static int parse_file(struct parse *parse, const char *item, bool system_too, char **out)
{
	if (system_too && strcmp(item, "system") == 0) {
		*out = arena_strdup(parse->arena, item);
		return *out != NULL ? 0 : -ENOMEM;
	}
	*out = parse_resolve_path(parse, item);
	if (*out == NULL)
		return -ENOMEM;
	return check_file(parse, *out, system_too);
}

static int parse_ca_file(struct parse *parse, char *item, void *out)
{
	return parse_file(parse, item, true, out);
}

static int parse_own_file(struct parse *parse, char *item, void *out)
{
	/* RFC 7512. What it says is for the TLS side to read. */
	if (strncmp(item, "pkcs11:", 7) == 0)
		return parse_name(parse, item, out);
	return parse_file(parse, item, false, out);
}

int parse_ca(struct parse *parse, const char *text, void *out)
{
	return parse_strings(parse, text, parse_ca_file, out);
}

static int parse_crl_file(struct parse *parse, char *item, void *out)
{
	char *path = parse_resolve_path(parse, item);

	*(char **)out = path;
	return path != NULL ? check_file(parse, path, true) : -ENOMEM;
}

int parse_crl(struct parse *parse, const char *text, void *out)
{
	return parse_strings(parse, text, parse_crl_file, out);
}

int parse_one_file(struct parse *parse, const char *text, void *out)
{
	return parse_file(parse, text, false, out);
}

int parse_files(struct parse *parse, const char *text, void *out)
{
	return parse_strings(parse, text, parse_own_file, out);
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* 43 digits and one '=' are 32 bytes and two bits, which have to be 0: every pin has one spelling.
 */
static bool decode_pin(const char *text, uint8_t out[POLICY_SPKI_LEN])
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	if (strlen(text) != 44 || text[43] != '=')
		return false;
	for (size_t i = 0; i < 43; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return false;
		bits = (bits << 6 | (uint32_t)digit) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	return (bits & ((1u << have) - 1)) == 0;
}

static int parse_pin(struct parse *parse, char *item, void *out)
{
	if (strncmp(item, "sha256/", 7) != 0 || !decode_pin(item + 7, out))
		return parse_refuse(parse,
			"found '%.100s', allowed: sha256/ and the BASE64 of the 32 bytes", item);
	return 0;
}

int parse_pins(struct parse *parse, const char *text, void *out)
{
	struct parse_values pins;
	int r = parse_list(parse, text, POLICY_SPKI_LEN, parse_pin, &pins);

	if (r == 0)
		*(struct policy_pins *)out =
			(struct policy_pins){ .count = pins.count, .sha256 = pins.at };
	return r;
}

int parse_server_name(struct parse *parse, const char *text, void *out)
{
	uint8_t bytes[16];
	char name[HOST_NAME_MAX_BYTES];
	bool address =
		inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;

	if (!address && (!parse_is_host_name(text) || host_normalize(text, name) == 0))
		return parse_refuse(parse,
			"found '%.100s', allowed: a host name (xn--... if it is not ASCII) or an "
			"address",
			text);
	return parse_name(parse, address ? text : name, out);
}

static int parse_as_is(struct parse *parse, char *item, void *out)
{
	(void)parse;
	*(char **)out = item;
	return 0;
}

int parse_alpn(struct parse *parse, const char *text, void *out)
{
	struct policy_list list;
	size_t total = 0;
	int r = parse_strings(parse, text, parse_as_is, &list);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++) {
		total += strlen(list.items[i]) + 1;
		if (strlen(list.items[i]) > ALPN_ITEM_MAX || total > ALPN_TOTAL_MAX)
			return parse_refuse(parse,
				"too long, allowed: names of up to %d bytes, %d together",
				ALPN_ITEM_MAX, ALPN_TOTAL_MAX);
	}
	*(struct policy_list *)out = list;
	return 0;
}
