/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs a program, sees each system call with which it, its threads and its children can send, and
 * lets one of its calls go wrong. The program has the process that was started: the tracer is a
 * child of nobody, as with `strace -D`, and writes what it sees to a report.
 *
 *   observer [-r REPORT] [-p PORTS]... [-m MARKER]... [-f FAULT] PROGRAM [ARGUMENT]...
 *
 * See watch.h for ports and fault.h for faults. Statically linked: a preloaded library is the
 * program's, not the tracer's.
 */
#include "fault.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |                      \
		PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |                   \
		PTRACE_O_EXITKILL)
#define THREAD_LISTS 1024
#define REPORT_FD 1000 /* out of the way of what the program was given */

struct thread {
	pid_t tid, pid;
	bool watched; /* its call is looked at again when it has been made */
	struct call call;
	struct thread *next;
};

static struct thread *threads[THREAD_LISTS];
static size_t thread_count;
static bool begun; /* the program, not what starts it */

static void die(const char *what)
{
	fprintf(stderr, "observer: %s: %s\n", what, strerror(errno));
	_exit(127);
}

/* --- Threads */

static pid_t process_of(pid_t tid)
{
	char path[64], line[256];
	int pid = tid;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	status = fopen(path, "re");
	while (status != NULL && fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "Tgid: %d", &pid) == 1)
			break;
	if (status != NULL)
		fclose(status);
	return pid;
}

static struct thread *thread_of(pid_t tid)
{
	struct thread **list = &threads[tid % THREAD_LISTS], *thread = *list;

	while (thread != NULL && thread->tid != tid)
		thread = thread->next;
	if (thread != NULL)
		return thread;
	thread = calloc(1, sizeof(*thread));
	if (thread == NULL)
		abort();
	*thread = (struct thread){ .tid = tid, .pid = process_of(tid), .next = *list };
	*list = thread;
	thread_count++;
	return thread;
}

static void thread_ended(pid_t tid)
{
	struct thread **at = &threads[tid % THREAD_LISTS], *gone;

	watch_forget(tid);
	while (*at != NULL && (*at)->tid != tid)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	gone = *at;
	*at = gone->next;
	free(gone);
	thread_count--;
}

/* --- Calls */

static bool sends(const struct call *call)
{
	for (size_t i = 0; calls_that_send[i] >= 0; i++)
		if (calls_that_send[i] == call->number)
			return true;
	return false;
}

/* What the loader does before there is a program is not meant: without the library in it, it is
 * another program. */
static bool is_loaders(const struct call *call)
{
	static pid_t pid;
	static unsigned long first, last;
	char path[64], line[512];
	FILE *maps;

	if (pid == call->pid)
		return call->from >= first && call->from < last;
	pid = call->pid;
	first = last = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;

		if (strstr(line, "/ld-linux") == NULL || sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		first = first == 0 ? from : first;
		last = to;
	}
	if (maps != NULL)
		fclose(maps);
	return call->from >= first && call->from < last;
}

static void resume(struct thread *thread, int number)
{
	ptrace(thread->watched ? PTRACE_SYSCALL : PTRACE_CONT, thread->tid, NULL, (long)number);
}

static void about_to_call(struct thread *thread)
{
	if (call_read(thread->tid, thread->pid, &thread->call)) {
		if (begun && fault_is_set() && !is_loaders(&thread->call) &&
			!fault_meet(&thread->call))
			return;
		thread->watched = sends(&thread->call) && watch_before(&thread->call);
	}
	resume(thread, 0);
}

static void has_called(struct thread *thread)
{
	if (thread->watched)
		watch_after(&thread->call, call_result(thread->tid));
	thread->watched = false;
	resume(thread, 0);
}

static bool stops(int number)
{
	return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

static void stopped(pid_t tid, int status)
{
	struct thread *thread = thread_of(tid);
	int number = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_SECCOMP)
		about_to_call(thread);
	else if (number == (SIGTRAP | 0x80))
		has_called(thread);
	else if (event == PTRACE_EVENT_STOP && stops(number))
		ptrace(PTRACE_LISTEN, tid, NULL, 0L);
	else if (event != 0) {
		begun |= event == PTRACE_EVENT_EXEC;
		resume(thread, 0);
	} else
		resume(thread, number);
}

static void trace(void)
{
	int status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (tid <= 0)
			continue;
		if (WIFSTOPPED(status))
			stopped(tid, status);
		else
			thread_ended(tid);
	}
}

/* --- The start */

static void tell_fault(FILE *report)
{
	unsigned hit, made;

	if (!fault_is_set())
		return;
	fault_count(&hit, &made);
	fprintf(report, "fault: hit %u of %u\n", hit, made);
}

static void be_tracer(pid_t program, int ready, const char *path)
{
	int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0644) : dup(2);
	FILE *report;

	if (fd < 0 || dup2(ready, REPORT_FD + 1) < 0 || dup2(fd, REPORT_FD) < 0)
		die(path != NULL ? path : "dup");
	report = fdopen(REPORT_FD, "a");
	setsid();
	if (report == NULL || ptrace(PTRACE_SEIZE, program, NULL, (long)OPTIONS) < 0)
		die("PTRACE_SEIZE");
	if (write(REPORT_FD + 1, "", 1) != 1)
		die("write");
	/* Nothing of the program's is held open by who looks at it. */
	close_range(0, REPORT_FD - 1, 0);
	close_range(REPORT_FD + 1, ~0U, 0);
	for (int i = 0; i < 3; i++)
		(void)open("/dev/null", O_RDWR);
	fprintf(report, "tracer: %d\n", (int)getpid());
	fflush(report);
	watch_report_to(report);
	trace();
	tell_fault(report);
	watch_sum();
	_exit(0);
}

static void install_filter(void)
{
	struct sock_filter code[64];
	struct sock_fprog filter = { 0, code };
	size_t count = 0;

	while (calls_that_send[count] >= 0)
		count++;
	code[filter.len++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < count && !fault_is_set(); i++)
		code[filter.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			(uint32_t)calls_that_send[i], (uint8_t)(count - i), 0);
	if (!fault_is_set())
		code[filter.len++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[filter.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0)
		return;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		die("seccomp");
}

/* The tracer is a grandchild, so that the program has no child that it does not know. */
static void start_tracer(const char *report)
{
	pid_t program = getpid(), child;
	int ready[2];
	char byte;

	if (pipe(ready) < 0 || (child = fork()) < 0)
		die("fork");
	if (child == 0) {
		pid_t tracer = fork();

		if (tracer < 0)
			die("fork");
		if (tracer > 0)
			_exit(0);
		be_tracer(program, ready[1], report);
	}
	waitpid(child, NULL, 0);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		die("the tracer");
	close(ready[0]);
}

int main(int argc, char **argv)
{
	const char *report = NULL;
	int option;

	while ((option = getopt(argc, argv, "+r:p:m:f:")) != -1)
		if (option == 'r')
			report = optarg;
		else if (option == 'm')
			watch_marker(optarg);
		else if ((option == 'p' && !watch_ports(optarg)) ||
			 (option == 'f' && !fault_set(optarg)) || option == '?')
			return 2;
	if (optind == argc)
		return 2;
	start_tracer(report);
	install_filter();
	execvp(argv[optind], argv + optind);
	die(argv[optind]);
}
