/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks of PEM files, and what they encode. */
#include "tls/pem.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK(body) "-----BEGIN X-----\n" body "\n-----END X-----\n"

/* `want` NULL: refused. The hostile ones first. */
static const struct {
	const char *text, *want;
} blocks[] = {
	{ BLOCK(""), NULL },
	{ BLOCK("="), NULL },
	{ BLOCK("===="), NULL },
	{ BLOCK("Y"), NULL },
	{ BLOCK("Y==="), NULL },
	{ BLOCK("YQ"), NULL },
	{ BLOCK("YQ="), NULL },
	{ BLOCK("YWI"), NULL },
	{ BLOCK("YW=I"), NULL },
	{ BLOCK("YWI=YWI="), NULL },
	{ BLOCK("YWJj="), NULL },
	{ BLOCK("YW-j"), NULL },
	{ BLOCK("YWJj\\n"), NULL },
	{ BLOCK("YW\x80j"), NULL },
	{ BLOCK("Header: 1\n\nYWJj"), NULL },
	{ BLOCK("YWJj\n-----BEGIN X-----\nYWJj"), NULL },
	{ BLOCK("YQ=="), "a" },
	{ BLOCK("YWI="), "ab" },
	{ BLOCK("YWJj"), "abc" },
	{ BLOCK("YWJjZA=="), "abcd" },
	{ BLOCK("  Y W\r\nJ\tj\v\f\n\n"), "abc" },
	{ BLOCK("Pj4/Pj4+"), ">>?>>>" },
	{ "-----BEGIN X-----YWJj-----END X-----", "abc" },
};

START_TEST(block_is_decoded_or_refused)
{
	struct pem pem = { strdup(blocks[_i].text), strlen(blocks[_i].text) };
	struct pem_block block;
	size_t at = 0;
	uint8_t *out;
	ssize_t n;

	ck_assert(pem_next(&pem, &at, &block));
	ck_assert_str_eq(block.label, "X");
	n = pem_decode(&block, &out);
	if (blocks[_i].want == NULL) {
		ck_assert_int_eq(n, -EBADMSG);
		ck_assert_ptr_null(out);
	} else {
		ck_assert_int_eq(n, (ssize_t)strlen(blocks[_i].want));
		ck_assert_mem_eq(out, blocks[_i].want, (size_t)n);
	}
	free(out);
	pem_clear(&pem);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pem");
	TCase *tcase = tcase_create("pem");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
		tcase, block_is_decoded_or_refused, 0, sizeof blocks / sizeof blocks[0]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
