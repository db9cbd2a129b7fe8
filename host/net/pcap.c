/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: draft-ietf-opsawg-pcap, "PCAP Capture File Format"; the form with nanoseconds.
 */
#include "host/net/pcap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/iov.h"

enum { SNAPLEN = 262144, LINK_ETHERNET = 1, HEADER = 24, RECORD = 16 };
static const uint32_t MAGIC_NS = 0xa1b23c4d;

struct pcap {
	FILE *f;
};

struct pcap *pcap_open(const char *path, struct err *e)
{
	uint8_t h[HEADER] = { 0 };
	struct pcap *p = malloc(sizeof *p);
	int fd;

	if (!p) {
		err_set(e, ENOMEM, "no memory for dump %s", path);
		return NULL;
	}
	/* What passes may be secret. */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	p->f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!p->f) {
		err_set(e, errno, "cannot write the dump %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		free(p);
		return NULL;
	}
	put_le(h, MAGIC_NS, 4);
	put_le(h + 4, 2, 2);
	put_le(h + 6, 4, 2);
	put_le(h + 16, SNAPLEN, 4);
	put_le(h + 20, LINK_ETHERNET, 4);
	fwrite(h, 1, sizeof h, p->f);
	fflush(p->f);
	return p;
}

void pcap_write(struct pcap *p, uint64_t wall_ns, const struct iovec *iov, unsigned n)
{
	uint8_t r[RECORD];
	size_t len = iov_size(iov, n), left = SNAPLEN, part;

	put_le(r, wall_ns / 1000000000, 4);
	put_le(r + 4, wall_ns % 1000000000, 4);
	put_le(r + 8, len < left ? len : left, 4);
	put_le(r + 12, len, 4);
	fwrite(r, 1, sizeof r, p->f);
	for (unsigned i = 0; i < n && left; i++, left -= part) {
		part = iov[i].iov_len < left ? iov[i].iov_len : left;
		fwrite(iov[i].iov_base, 1, part, p->f);
	}
}

void pcap_flush(struct pcap *p)
{
	fflush(p->f);
}

void pcap_close(struct pcap *p)
{
	if (!p)
		return;
	fclose(p->f);
	free(p);
}
