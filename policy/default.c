/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy of a system that has none. It is read as any other, so what it says is what is done.
 */
#include "policy/policy.h"

/* clang-format off */
static const char text[] =
	"# The built-in policy of seamtls: in force where there is no /etc/seamtls/policy.conf,\n"
	"# and SEAMTLS_POLICY names no other.\n"
	"\n"
	"[global]\n"
	"default = observe\n"
	"\n"
	"# Ports that are registered for TLS from the first byte: https 443, submissions 465,\n"
	"# nntps 563, sshell 614, ldaps 636, domain-s 853, ftps-data 989, ftps 990, telnets 992,\n"
	"# imaps 993, ircs 994, pop3s 995, radsec 2083, ttc-ssl 2484, msft-gc-ssl 3269, sips 5061,\n"
	"# stuns 5349, amqps 5671, wsmans 5986, syslog-tls 6514, ircs-u 6697, pcsync-https 8443,\n"
	"# secure-mqtt 8883; and 6513, netconf-tls. A program that speaks TLS itself is left alone.\n"
	"[rule \"registered TLS ports\"]\n"
	"direction      = outbound\n"
	"remote_port    = 443, 465, 563, 614, 636, 853, 989, 990, 992-995, 2083, 2484, 3269, 5061, 5349, 5671, 5986, 6513, 6514, 6697, 8443, 8883\n"
	"action         = tls\n"
	"ca             = system\n"
	"if_program_tls = pass\n";
/* clang-format on */

const char *policy_default_text(void)
{
	return text;
}
