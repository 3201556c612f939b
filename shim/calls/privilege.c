/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Programs that give up privileges or their root directory, often before they bind: keys, CA files
 * and the audit log could not be opened afterwards. So the first such call opens them.
 */
#include "calls/border.h"
#include "conn/kernel.h"
#include "host.h"

#include <grp.h>
#include <stdatomic.h>
#include <unistd.h>

static void before(void)
{
	static _Atomic bool done;

	/* Only a privileged process has something to lose; a vfork child's memory is its parent's.
	 */
	if (atomic_load(&done) || geteuid() != 0 || host_is_visitor())
		return;
	if (!atomic_exchange(&done, true)) {
		host_prepare();
		kernel_prepare(true);
	}
}

SEAM_EXPORT int setuid(uid_t uid)
{
	before();
	return libc.setuid(uid);
}

SEAM_EXPORT int setreuid(uid_t real, uid_t effective)
{
	before();
	return libc.setreuid(real, effective);
}

SEAM_EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved)
{
	before();
	return libc.setresuid(real, effective, saved);
}

SEAM_EXPORT int seteuid(uid_t effective)
{
	before();
	return libc.seteuid(effective);
}

SEAM_EXPORT int chroot(const char *path)
{
	before();
	return libc.chroot(path);
}
