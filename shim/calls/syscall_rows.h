/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ROW(name, call): included by syscall.c, once for the functions and once for the table. No guard, on purpose. */
ROW(read, read(INT(0), PTR(1), SIZE(2)))
ROW(write, write(INT(0), PTR(1), SIZE(2)))
ROW(readv, readv(INT(0), PTR(1), INT(2)))
ROW(writev, writev(INT(0), PTR(1), INT(2)))
/* The kernel takes the offset in two halves; only -1 means anything to a socket. */
ROW(preadv2, a->at[3] == -1 ? preadv2(INT(0), PTR(1), INT(2), -1, INT(5)) : libc.syscall(SYS_preadv2, a->at[0], a->at[1], a->at[2], a->at[3], a->at[4], a->at[5]))
ROW(pwritev2, a->at[3] == -1 ? pwritev2(INT(0), PTR(1), INT(2), -1, INT(5)) : libc.syscall(SYS_pwritev2, a->at[0], a->at[1], a->at[2], a->at[3], a->at[4], a->at[5]))
ROW(recvfrom, recvfrom(INT(0), PTR(1), SIZE(2), INT(3), (struct sockaddr *)PTR(4), PTR(5)))
ROW(recvmsg, recvmsg(INT(0), PTR(1), INT(2)))
ROW(recvmmsg, recvmmsg(INT(0), PTR(1), (unsigned)a->at[2], INT(3), PTR(4)))
ROW(sendto, sendto(INT(0), PTR(1), SIZE(2), INT(3), (const struct sockaddr *)PTR(4), (socklen_t)a->at[5]))
ROW(sendmsg, sendmsg(INT(0), PTR(1), INT(2)))
ROW(sendmmsg, sendmmsg(INT(0), PTR(1), (unsigned)a->at[2], INT(3)))
ROW(sendfile, sendfile(INT(0), INT(1), PTR(2), SIZE(3)))
ROW(splice, splice(INT(0), PTR(1), INT(2), PTR(3), SIZE(4), (unsigned)a->at[5]))
ROW(socket, socket(INT(0), INT(1), INT(2)))
ROW(connect, connect(INT(0), (const struct sockaddr *)PTR(1), (socklen_t)a->at[2]))
ROW(listen, listen(INT(0), INT(1)))
ROW(accept, accept(INT(0), (struct sockaddr *)PTR(1), PTR(2)))
ROW(accept4, accept4(INT(0), (struct sockaddr *)PTR(1), PTR(2), INT(3)))
ROW(unshare, unshare(INT(0)))
ROW(shutdown, shutdown(INT(0), INT(1)))
ROW(getsockopt, getsockopt(INT(0), INT(1), INT(2), PTR(3), PTR(4)))
ROW(setsockopt, setsockopt(INT(0), INT(1), INT(2), PTR(3), (socklen_t)a->at[4]))
ROW(close, close(INT(0)))
ROW(close_range, close_range((unsigned)a->at[0], (unsigned)a->at[1], INT(2)))
ROW(dup, dup(INT(0)))
#ifdef SYS_dup2
ROW(dup2, dup2(INT(0), INT(1)))
#endif
ROW(dup3, dup3(INT(0), INT(1), INT(2)))
ROW(fcntl, fcntl(INT(0), INT(1), a->at[2]))
ROW(ioctl, ioctl(INT(0), (unsigned long)a->at[1], PTR(2)))
ROW(epoll_ctl, epoll_ctl(INT(0), INT(1), INT(2), PTR(3)))
ROW(io_submit, submit_jobs(a))
/* Of libc's own functions a fork made here calls none. */
ROW(clone, clone_by(a, (unsigned long)a->at[0], a->at[1] != 0))
ROW(clone3, clone3_by(a))
#ifdef SYS_fork
ROW(fork, fork_by(a))
#endif
ROW(exit_group, exit_at_once(a))
#ifdef SYS_poll
ROW(poll, poll(PTR(0), (nfds_t)a->at[1], INT(2)))
ROW(select, select(INT(0), PTR(1), PTR(2), PTR(3), PTR(4)))
ROW(epoll_wait, epoll_wait(INT(0), PTR(1), INT(2), INT(3)))
#endif
/* The kernel's set of signals is the beginning of libc's. */
ROW(epoll_pwait, epoll_pwait(INT(0), PTR(1), INT(2), INT(3), PTR(4)))
ROW(epoll_pwait2, epoll_pwait2(INT(0), PTR(1), INT(2), PTR(3), PTR(4)))
