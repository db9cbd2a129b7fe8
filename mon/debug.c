/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm-debug: debuggers come to a socket that the client has passed.  QMP has no such command: QEMU's
 * is gdbserver, of its human monitor.
 */
#include <errno.h>
#include <unistd.h>

#include "mon/command.h"
#include "mon/mon.h"

int mon_vm_debug(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const int fd = mon_take_fd(m);

	(void)args, (void)result;
	if (fd < 0)
		return err_set(e, EINVAL, "vm-debug: a socket has to come along, by SCM_RIGHTS");
	if (!mon_host(m)->debug) {
		close(fd);
		return err_set(e, ENOTSUP, "vm-debug: this machine has no debugger");
	}
	return mon_host(m)->debug(mon_host(m)->arg, fd, e);
}
