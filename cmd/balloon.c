/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge balloon: how much of its memory a running guest is to use. */
#include "base/buf.h"
#include "cmd/cmd.h"
#include "cmd/ctl.h"

static const uint64_t MIB = 1 << 20;

int cmd_balloon(int argc, char **argv)
{
	struct ctl c;
	uint64_t size;
	int status;

	if (argc != 3)
		return complain(STATUS_USAGE, "usage: lodge balloon NAME|SOCKET SIZE");
	if (!parse_u64(argv[2], &size) && size < INT64_MAX / MIB)
		size *= MIB; /* as with the key memory */
	else if (parse_size(argv[2], &size) || size > INT64_MAX)
		return complain(STATUS_USAGE,
		    "balloon: \"%.40s\": a size is wanted, such as 512M or 2G", argv[2]);
	status = ctl_open(&c, argv[1]);
	if (!status)
		status = ctl_call(&c, "balloon", json_pack("{s:I}", "value", (json_int_t)size));
	ctl_close(&c);
	return status;
}
