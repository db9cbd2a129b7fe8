/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm-debug: debuggers come to a socket that the client has passed; vm-trace: what is traced from
 * now on.  QMP has no such commands: QEMU's are gdbserver, of its human monitor, and
 * trace-event-set-state, whose events are functions of QEMU.
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

int mon_vm_trace(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *events = json_string_value(json_object_get(args, "events"));

	(void)result;
	if (!mon_host(m)->trace)
		return err_set(e, ENOTSUP, "vm-trace: this machine is not traced");
	return mon_host(m)->trace(mon_host(m)->arg, events, e);
}
