/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For processors that have no deep_switch of their own here. */
#include "deep_switch.h"

#include <stdint.h>
#include <ucontext.h>

struct call {
	void (*run)(void *arg);
	void *arg;
};

static _Thread_local const struct call *current __attribute__((tls_model("initial-exec")));

static void enter(void)
{
	current->run(current->arg);
}

void deep_switch(void *top, size_t len, void (*run)(void *arg), void *arg)
{
	const struct call call = { run, arg };
	ucontext_t here, caller;

	getcontext(&here);
	here.uc_stack.ss_sp = (uint8_t *)top - len;
	here.uc_stack.ss_size = len;
	here.uc_link = &caller;
	makecontext(&here, enter, 0);
	current = &call;
	swapcontext(&caller, &here);
	current = NULL;
}
