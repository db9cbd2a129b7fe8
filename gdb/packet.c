/* SPDX-License-Identifier: BSD-2-Clause */
#include "gdb/packet.h"

#include <string.h>

enum { INTERRUPT = 3, ESCAPE = '}', ESCAPE_BIT = 0x20 };

int gdb_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum gdb_event outside(struct gdb_reader *r, uint8_t byte)
{
	switch (byte) {
	case '$':
		r->state = GDB_INSIDE;
		r->len = 0;
		r->sum = 0;
		r->bad = false;
		return GDB_NOTHING;
	case '+':
		return GDB_ACK;
	case '-':
		return GDB_NAK;
	case INTERRUPT:
		return GDB_INTERRUPT;
	default: /* noise of a line */
		return GDB_NOTHING;
	}
}

static void append(struct gdb_reader *r, uint8_t byte)
{
	if (r->len == GDB_PACKET_MAX)
		r->bad = true;
	else
		r->data[r->len++] = byte;
	r->state = GDB_INSIDE;
}

static void inside(struct gdb_reader *r, uint8_t byte)
{
	if (byte == '#') {
		r->state = GDB_SUM_HIGH;
		return;
	}
	if (byte == '$') { /* the end of the one before was lost */
		outside(r, byte);
		return;
	}
	r->sum = (uint8_t)(r->sum + byte);
	if (byte == ESCAPE)
		r->state = GDB_ESCAPED;
	else
		append(r, byte);
}

static enum gdb_event finish(struct gdb_reader *r, uint8_t byte)
{
	const int low = gdb_digit((char)byte);

	r->state = GDB_OUTSIDE;
	if (low < 0 || r->bad || (uint8_t)(r->wanted | low) != r->sum)
		return GDB_DAMAGED;
	r->data[r->len] = '\0';
	return GDB_PACKET;
}

enum gdb_event gdb_read(struct gdb_reader *r, uint8_t byte)
{
	switch (r->state) {
	case GDB_OUTSIDE:
		return outside(r, byte);
	case GDB_INSIDE:
		inside(r, byte);
		return GDB_NOTHING;
	case GDB_ESCAPED:
		r->sum = (uint8_t)(r->sum + byte);
		append(r, byte ^ ESCAPE_BIT);
		return GDB_NOTHING;
	case GDB_SUM_HIGH:
		r->state = GDB_SUM_LOW;
		r->bad |= gdb_digit((char)byte) < 0;
		r->wanted = (uint8_t)((unsigned)gdb_digit((char)byte) << 4);
		return GDB_NOTHING;
	case GDB_SUM_LOW:
		break;
	}
	return finish(r, byte);
}

/* Out ------------------------------------------------------------------------------------------ */

/* A packet is made at the end of the buffer; its checksum is of what is on the line. */
static void end(struct buf *b, size_t start)
{
	uint8_t sum = 0;

	for (size_t i = start; i < b->len; i++)
		sum = (uint8_t)(sum + b->data[i]);
	buf_printf(b, "#%02x", sum);
}

/* How often a byte may be said to come again: the count is a character from ' ' on that means
 * nothing else. */
static size_t run_at(const uint8_t *p, const uint8_t *past)
{
	enum { MOST = 126 - 29 };
	size_t n = 1;

	while (p + n < past && n <= MOST && p[n] == *p)
		n++;
	n--;
	while (n >= 3 && strchr("#$+-", (int)n + 29))
		n--;
	return n;
}

void gdb_put_text(struct buf *b, const void *data, size_t len)
{
	const uint8_t *p = data, *past = p + len;
	uint8_t run[2] = "*";
	size_t start, n;

	buf_put(b, "$", 1);
	start = b->len;
	while (p < past) {
		buf_put(b, p, 1);
		n = run_at(p, past);
		p++;
		if (n < 3)
			continue;
		run[1] = (uint8_t)(n + 29);
		buf_put(b, run, 2);
		p += n;
	}
	end(b, start);
}

void gdb_put_binary(struct buf *b, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t start;

	buf_put(b, "$", 1);
	start = b->len;
	for (size_t i = 0; i < len; i++) {
		const uint8_t escaped[] = { ESCAPE, p[i] ^ ESCAPE_BIT };

		if (p[i] && strchr("#$}*", p[i]))
			buf_put(b, escaped, 2);
		else
			buf_put(b, &p[i], 1);
	}
	end(b, start);
}

/* Numbers -------------------------------------------------------------------------------------- */

bool gdb_number(const char **at, uint64_t *n)
{
	int digit = gdb_digit(**at);

	if (digit < 0)
		return false;
	for (*n = 0; (digit = gdb_digit(**at)) >= 0; ++*at) {
		if (*n >> 60)
			return false;
		*n = *n << 4 | (unsigned)digit;
	}
	return true;
}

bool gdb_take(const char **at, char c)
{
	if (**at != c || !c)
		return false;
	++*at;
	return true;
}

bool gdb_word(const char **at, const char *word)
{
	const size_t n = strlen(word);

	if (strncmp(*at, word, n) || ((*at)[n] && !strchr(":;,", (*at)[n])))
		return false;
	*at += n;
	return true;
}

bool gdb_bytes(const char **at, void *to, size_t n)
{
	uint8_t *p = to;

	for (; n; n--, p++, *at += 2) {
		const int high = gdb_digit((*at)[0]), low = high < 0 ? -1 : gdb_digit((*at)[1]);

		if (low < 0)
			return false;
		*p = (uint8_t)(high << 4 | low);
	}
	return true;
}

void gdb_put_hex(struct buf *b, const void *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = bytes;

	for (; n; n--, p++) {
		const char two[] = { digits[*p >> 4], digits[*p & 15] };

		buf_put(b, two, 2);
	}
}
