/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signatures that were good once: what is remembered of them must not make another one good. */
#include "cert_chain.h"
#include "tls/proven.h"
#include "tls/signature.h"
#include "tls_pair.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cert_chain certs, cas;
static struct x509 cert, ca;

static void setup(void)
{
	char path[256];

	snprintf(path, sizeof path, "%s", pair_path("server.pem"));
	cert_chain_read(&certs, path);
	snprintf(path, sizeof path, "%s", pair_path("ca.pem"));
	cert_chain_read(&cas, path);
	ck_assert_int_eq(x509_parse(certs.sent[0].data, certs.sent[0].len, &cert), 0);
	ck_assert_int_eq(x509_parse(cas.sent[0].data, cas.sent[0].len, &ca), 0);
}

static void teardown(void)
{
	cert_chain_clear(&certs);
	cert_chain_clear(&cas);
}

static bool is_proven(const struct x509_signed *proof, struct x509_bytes spki)
{
	uint8_t digest[PROVEN_LEN];

	ck_assert(proven_digest(proof, spki, digest));
	return proven_has(digest);
}

/* With one bit of one part changed, at the beginning, in the middle and at the end. */
static void check_changed(struct x509_bytes *part)
{
	const struct x509_bytes whole = *part;
	uint8_t *copy = malloc(whole.len);

	for (size_t at = 0; at < whole.len; at += (whole.len - 1) / 2) {
		memcpy(copy, whole.data, whole.len);
		copy[at] ^= 1;
		*part = (struct x509_bytes){ copy, whole.len };
		ck_assert_msg(!signature_is_by(&cert.proof, ca.spki), "byte %zu", at);
		ck_assert(!is_proven(&cert.proof, ca.spki));
	}
	*part = whole;
	free(copy);
}

START_TEST(only_the_very_same_is_good)
{
	struct x509_bytes *parts[] = { &cert.proof.content, &cert.proof.algorithm,
		&cert.proof.signature, &ca.spki };

	ck_assert(!is_proven(&cert.proof, ca.spki));
	ck_assert(signature_is_by(&cert.proof, ca.spki));
	ck_assert(is_proven(&cert.proof, ca.spki));
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		check_changed(parts[i]);
	ck_assert(!signature_is_by(&cert.proof, cert.spki));
	ck_assert(signature_is_by(&cert.proof, ca.spki));
}
END_TEST

START_TEST(parts_cannot_be_cut_otherwise)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct x509_signed one = { { bytes + 6, 2 }, { bytes, 2 }, { bytes + 2, 2 } };
	struct x509_signed other = { { bytes + 6, 2 }, { bytes, 3 }, { bytes + 3, 1 } };
	uint8_t digest[2][PROVEN_LEN];

	ck_assert(proven_digest(&one, (struct x509_bytes){ bytes + 4, 2 }, digest[0]));
	ck_assert(proven_digest(&other, (struct x509_bytes){ bytes + 4, 2 }, digest[1]));
	ck_assert_mem_ne(digest[0], digest[1], PROVEN_LEN);
}
END_TEST

START_TEST(oldest_is_forgotten)
{
	uint8_t digest[PROVEN_LEN] = { 0 };

	for (unsigned i = 0; i <= PROVEN_MOST; i++) {
		digest[PROVEN_LEN - 1] = (uint8_t)(i + 1);
		ck_assert(!proven_has(digest));
		proven_add(digest);
		ck_assert(proven_has(digest));
	}
	digest[PROVEN_LEN - 1] = 1;
	ck_assert(!proven_has(digest));
	digest[PROVEN_LEN - 1] = 2;
	ck_assert(proven_has(digest));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proven");
	TCase *tcase = tcase_create("proven");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, only_the_very_same_is_good);
	tcase_add_test(tcase, parts_cannot_be_cut_otherwise);
	tcase_add_test(tcase, oldest_is_forgotten);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
