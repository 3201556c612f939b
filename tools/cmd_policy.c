/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seamtls policy default: the built-in policy, to read or to begin an own one with. */
#include "command.h"
#include "policy/policy.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_policy(int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], "default") != 0)
		return usage_error("allowed: policy default");
	fputs(policy_default_text(), stdout);
	return EXIT_SUCCESS;
}
