/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * As many stacks as threads have ever been in there at once, kept for the next: address space, of
 * which only what was touched is memory. Each has a page below it that nobody may touch. What was
 * left on it is wiped before the next.
 */
#include "deep.h"

#include "deep_switch.h"
#include "guard.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A few instructions that do nothing, unless valgrind sees them: it would take a change of stacks
 * for a very large frame. */
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) ((void)(start), (void)(end))
#define VALGRIND_MAKE_MEM_DEFINED(start, len) ((void)(start), (void)(len))
#endif

#define STACK_LEN (256 * 1024)
#define GUARD_LEN 65536 /* a page of any kernel */
#define WIPE_LEN 1024   /* that is looked at at a time */
#define CLEAN_MOST 16   /* ... and so often found to be clean: below is nothing that was used */

/* At the upper end of its memory. */
struct stack {
	struct stack *next;
};
#define HEAD_LEN ((sizeof(struct stack) + 63) / 64 * 64)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stack *spare;
/* Who is in there has locks of wolfSSL, which a forked child could not get at: fork() waits. */
static pthread_rwlock_t gate = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static pid_t closed_by;
/* The one that this thread is on. */
static _Thread_local struct stack *current __attribute__((tls_model("initial-exec")));

static struct stack *stack_map(void)
{
	int saved = errno;
	uint8_t *made = mmap(NULL, GUARD_LEN + STACK_LEN, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	struct stack *stack = NULL;

	if (made != MAP_FAILED) {
		mprotect(made, GUARD_LEN, PROT_NONE);
		/* Keys pass through it. */
		madvise(made, GUARD_LEN + STACK_LEN, MADV_DONTDUMP);
		stack = (struct stack *)(made + GUARD_LEN + STACK_LEN - HEAD_LEN);
		VALGRIND_STACK_REGISTER(made + GUARD_LEN, made + GUARD_LEN + STACK_LEN);
	}
	errno = saved;
	return stack;
}

static struct stack *stack_take(void)
{
	struct stack *stack;

	guard_lock(&lock);
	stack = spare;
	if (stack != NULL)
		spare = stack->next;
	guard_unlock(&lock);
	return stack != NULL ? stack : stack_map();
}

static void stack_give(struct stack *stack)
{
	guard_lock(&lock);
	stack->next = spare;
	spare = stack;
	guard_unlock(&lock);
}

/* libc compares far more than a word at a time. */
static bool is_clean(const uint8_t *at)
{
	return at[0] == 0 && memcmp(at, at + 1, WIPE_LEN - 1) == 0;
}

/* From the top down to where nobody was: seldom more than 16 KiB of it was used. */
static void wipe(struct stack *stack)
{
	uint8_t *at = (uint8_t *)stack, *low = at - (STACK_LEN - HEAD_LEN);

	VALGRIND_MAKE_MEM_DEFINED(low, at - low);
	for (unsigned clean = 0; at - low >= WIPE_LEN && clean < CLEAN_MOST;) {
		at -= WIPE_LEN;
		clean++;
		if (!is_clean(at)) {
			explicit_bzero(at, WIPE_LEN);
			clean = 0;
		}
	}
}

static void run_from_outside(void (*run)(void *arg), void *arg)
{
	struct stack *stack = stack_take();

	pthread_rwlock_rdlock(&gate);
	if (stack != NULL) {
		current = stack;
		deep_switch(stack, STACK_LEN - HEAD_LEN, run, arg);
		current = NULL;
		wipe(stack);
		stack_give(stack);
	} else {
		run(arg); /* there is no memory; perhaps there is stack */
	}
	pthread_rwlock_unlock(&gate);
}

void deep_run(void (*run)(void *arg), void *arg)
{
	int saved = errno;

	guard_enter();
	if (current == NULL)
		run_from_outside(run, arg);
	else
		run(arg);
	guard_leave();
	errno = saved;
}

void deep_lock_for_fork(bool on)
{
	static const pthread_rwlock_t open = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

	if (on) {
		pthread_rwlock_wrlock(&gate);
		guard_lock(&lock);
		closed_by = gettid();
		return;
	}
	guard_unlock(&lock);
	/* The child's thread is another one, as which it cannot open what it has closed. */
	if (gettid() == closed_by)
		pthread_rwlock_unlock(&gate);
	else
		gate = open;
}
