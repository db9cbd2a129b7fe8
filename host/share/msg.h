/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_SHARE_MSG_H
#define HOST_SHARE_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "base/bytes.h"

/*
 * One message and its answer.  What is read is a copy, which the guest cannot change; numbers are
 * little-endian, strings have two bytes of length in front.  Reading behind the end gives zeroes
 * and sets bad; so does a string with a NUL byte in it.
 */
enum { MSG_HEADER = 7, MSG_IN_MAX = 65536 + 64, MSG_OUT_MAX = 65536 + 64 };

struct msg {
	uint8_t *in; /* MSG_IN_MAX bytes, and one more */
	size_t len, at;
	uint8_t type;
	uint16_t tag;
	uint32_t size; /* of all of the message, which may be more than was copied */
	bool bad;
	uint8_t *out;         /* MSG_OUT_MAX bytes */
	size_t out_len, room; /* room: for all of the answer, by msize and the guest's buffers */
	/* The guest's memory, for what is not copied. */
	const struct iovec *from, *to;
	unsigned nfrom, nto;
	size_t direct; /* bytes that were put there behind out_len */
};

static inline uint64_t msg_get(struct msg *m, unsigned size)
{
	if (m->len - m->at < size) {
		m->at = m->len;
		m->bad = true;
		return 0;
	}
	m->at += size;
	return get_le(m->in + m->at - size, size);
}

static inline uint32_t msg_u32(struct msg *m)
{
	return (uint32_t)msg_get(m, 4);
}

/* A string; valid as long as the message. */
static inline char *msg_string(struct msg *m)
{
	size_t n = (size_t)msg_get(m, 2);
	char *s = (char *)m->in + m->at - 2;

	if (m->bad || m->len - m->at < n || memchr(m->in + m->at, 0, n)) {
		m->at = m->len;
		m->bad = true;
		m->in[m->len] = 0;
		return (char *)m->in + m->len;
	}
	/* Moved to where its length was, so that its end is in front of what follows. */
	memmove(s, s + 2, n);
	s[n] = 0;
	m->at += n;
	return s;
}

static inline void msg_put(struct msg *m, uint64_t v, unsigned size)
{
	if (MSG_OUT_MAX - m->out_len < size)
		return;
	put_le(m->out + m->out_len, v, size);
	m->out_len += size;
}

static inline void msg_put_string(struct msg *m, const char *s, size_t n)
{
	msg_put(m, n, 2);
	if (MSG_OUT_MAX - m->out_len < n)
		return;
	memcpy(m->out + m->out_len, s, n);
	m->out_len += n;
}

#endif
