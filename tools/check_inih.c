/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Run when the build is configured: does the system's inih hand line numbers over and take settings
 * at run time? */
#include <ini.h>
#include <string.h>

static int expect_line(
	void *user, const char *section, const char *name, const char *value, int line)
{
	int *found = user;

	*found = line == 3 && strcmp(section, "s") == 0 && strcmp(name, "k") == 0 &&
		 strcmp(value, "v") == 0;
	return 1;
}

int main(void)
{
	int found = 0;

	ini_max_line = 4096;
	ini_allow_multiline = 0;
	ini_inline_comment_prefixes = "#;";
	return ini_parse_string("\n[s]\nk = v # comment\n", expect_line, &found) == 0 && found ? 0
											       : 1;
}
