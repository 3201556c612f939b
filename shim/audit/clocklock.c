/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For ThreadSanitizer alone, which does not know pthread_mutex_clocklock() and would take its
 * mutexes for unlocked ones. It knows pthread_mutex_timedlock(): the same, by the other clock.
 */
#include <pthread.h>
#include <time.h>

#define SECOND_NS 1000000000

int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *end)
{
	struct timespec now, until;

	clock_gettime(clock, &now);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += end->tv_sec - now.tv_sec;
	until.tv_nsec += end->tv_nsec - now.tv_nsec;
	if (until.tv_nsec < 0) {
		until.tv_sec--;
		until.tv_nsec += SECOND_NS;
	} else if (until.tv_nsec >= SECOND_NS) {
		until.tv_sec++;
		until.tv_nsec -= SECOND_NS;
	}
	return pthread_mutex_timedlock(mutex, &until);
}
