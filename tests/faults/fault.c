/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fault.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS_MOST 16

enum what { NOTHING, REFUSE, SHORTEN, KILL, SIGNAL, RUN };

static struct {
	long calls[CALLS_MOST];
	size_t call_count;
	bool any, onwards;
	unsigned from, made, hit;
	enum what what;
	int number; /* errno or signal */
	const char *command;
} fault;

static int errno_by_name(const char *name)
{
	for (int number = 1; number < 134; number++) {
		const char *known = strerrorname_np(number);

		if (known != NULL && strcmp(known, name) == 0)
			return number;
	}
	return 0;
}

static int signal_by_name(const char *name)
{
	if (strncmp(name, "SIG", 3) != 0)
		return 0;
	for (int number = 1; number < 32; number++) {
		const char *known = sigabbrev_np(number);

		if (known != NULL && strcmp(known, name + 3) == 0)
			return number;
	}
	return 0;
}

static bool set_what(const char *text)
{
	if (strcmp(text, "short") == 0)
		fault.what = SHORTEN;
	else if (strcmp(text, "kill") == 0)
		fault.what = KILL;
	else if (strncmp(text, "run:", 4) == 0)
		fault.what = RUN;
	else if ((fault.number = signal_by_name(text)) != 0)
		fault.what = SIGNAL;
	else if ((fault.number = errno_by_name(text)) != 0)
		fault.what = REFUSE;
	fault.command = text + 4;
	return fault.what != NOTHING;
}

static bool set_calls(const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		size_t name = strcspn(text, ",@=");
		long number = call_number(text, name);

		if (name == 3 && memcmp(text, "any", 3) == 0)
			fault.any = true;
		else if (number < 0 || fault.call_count == CALLS_MOST)
			return false;
		else
			fault.calls[fault.call_count++] = number;
		text += name + 1;
	}
	return true;
}

bool fault_set(const char *text)
{
	size_t len = strcspn(text, "@=");
	const char *at = text + len;

	fault.from = 1;
	fault.onwards = true;
	if (*at == '@') {
		char *end;

		fault.from = (unsigned)strtoul(at + 1, &end, 10);
		fault.onwards = *end == '+';
		at = end + (fault.onwards ? 1 : 0);
	}
	return *at == '=' && fault.from > 0 && set_calls(text, len) && set_what(at + 1);
}

bool fault_is_set(void)
{
	return fault.what != NOTHING;
}

static bool is_meant(const struct call *call)
{
	if (fault.any)
		return true;
	for (size_t i = 0; i < fault.call_count; i++)
		if (fault.calls[i] == call->number)
			return true;
	return false;
}

/* Those with a buffer and its length. */
static void shorten(const struct call *call)
{
	static const long numbers[] = { SYS_read, SYS_write, SYS_recvfrom, SYS_sendto, SYS_pread64,
		SYS_pwrite64, SYS_getrandom };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (numbers[i] == call->number) {
			int length = call->number == SYS_getrandom ? 1 : 2;

			if (call->arg[length] > 1)
				call_set_argument(call, length, call->arg[length] / 2);
		}
}

static void run_command(void)
{
	/* Whatever it gives: what comes of it is looked at. */
	if (system(fault.command) < 0)
		return;
}

bool fault_meet(const struct call *call)
{
	if (!fault_is_set() || !is_meant(call))
		return true;
	fault.made++;
	if (fault.made < fault.from || (fault.made > fault.from && !fault.onwards))
		return true;
	fault.hit++;
	switch (fault.what) {
	case REFUSE:
		call_refuse(call, fault.number);
		return true;
	case SHORTEN:
		shorten(call);
		return true;
	case KILL:
		kill(call->pid, SIGKILL);
		return false;
	case SIGNAL:
		syscall(SYS_tgkill, call->pid, call->tid, fault.number);
		return true;
	case RUN:
		run_command();
		return true;
	default:
		return true;
	}
}

void fault_count(unsigned *hit, unsigned *made)
{
	*hit = fault.hit;
	*made = fault.made;
}
