/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/why.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int why_say(const struct why *why, int r, const char *format, ...)
{
	va_list arg;

	if (why->len == 0)
		return r;
	va_start(arg, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is right above */
	vsnprintf(why->buf, why->len, format, arg);
	va_end(arg);
	return r;
}

void why_because(const struct why *why, enum cause cause)
{
	if (why->cause != NULL)
		*why->cause = cause;
}

const char *why_errno(int r)
{
	/* strerror() may translate, allocate, and share its buffer with the host program. */
	const char *text = strerrordesc_np(-r);

	return text != NULL ? text : "unknown error";
}
