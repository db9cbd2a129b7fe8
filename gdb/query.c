/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a debugger asks in general.  Source: Debugging with GDB (13.1), E.4; for PhyMemMode:
 * QEMU 8.2, "GDB usage".
 */
#include <errno.h>
#include <stdlib.h>

#include "gdb/gdb_int.h"

static void supported(struct gdb *g, const char *args)
{
	g->swbreak = strstr(args, "swbreak+");
	g->hwbreak = strstr(args, "hwbreak+");
	g->multiprocess = strstr(args, "multiprocess+");
	gdb_answer(g,
	    "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;qXfer:memory-map:read+;"
	    "multiprocess+;swbreak+;hwbreak+;vContSupported+;ConditionalBreakpoints+;"
	    "binary-upload+%s",
	    GDB_PACKET_MAX, g->machine->history ? ";ReverseStep+;ReverseContinue+" : "");
}

/* A new description is for how the CPU is to be seen from now on. */
static void describe(struct gdb *g)
{
	const struct gdb_arch *a = g->arch;

	g->layout = a->layout;
	if (g->wanted)
		g->layout = g->wanted;
	else if (g->fitting)
		g->layout = &a->layout[a->fits(gdb_regs(g, g->cpu))];
	gdb_layout_xml(g->layout, &g->xml);
}

/* "annex:offset,length"; what is read from its start on is made anew. */
static void transfer(struct gdb *g, const char *args, const char *annex, void (*make)(struct gdb *))
{
	uint64_t offset, len;
	struct buf b = { 0 };
	size_t n;

	if (!gdb_word(&args, annex)) {
		gdb_answer(g, "E00");
		return;
	}
	if (!gdb_take(&args, ':') || !gdb_number(&args, &offset) || !gdb_take(&args, ',') ||
	    !gdb_number(&args, &len)) {
		gdb_refuse(g, EINVAL);
		return;
	}
	if (!offset) {
		buf_free(&g->xml);
		make(g);
	}
	if (g->xml.failed || offset > g->xml.len) {
		gdb_refuse(g, EINVAL);
		return;
	}
	n = g->xml.len - (size_t)offset;
	n = n < len ? n : (size_t)len;
	n = n < GDB_MEMORY ? n : GDB_MEMORY;
	buf_printf(&b, offset + n < g->xml.len ? "m" : "l");
	buf_put(&b, g->xml.data + offset, n);
	gdb_answer_binary(g, b.data, b.len);
	buf_free(&b);
}

static void make_map(struct gdb *g)
{
	gdb_memory_map(g, &g->xml);
}

/* What a command says is sent in pieces, each with O before it. */
static void command(struct gdb *g, const char *args)
{
	enum { PIECE = 1024 };
	char line[GDB_PACKET_MAX / 2];
	const size_t n = strlen(args) / 2;
	struct buf out = { 0 }, b = { 0 };

	if (n >= sizeof line || !gdb_bytes(&args, line, n) || *args) {
		gdb_refuse(g, EINVAL);
		return;
	}
	line[n] = '\0';
	gdb_monitor(g, line, &out);
	for (size_t at = 0; at < out.len; at += PIECE) {
		b.len = 0;
		buf_printf(&b, "O");
		gdb_put_hex(&b, out.data + at, out.len - at < PIECE ? out.len - at : PIECE);
		gdb_answer(g, "%.*s", (int)b.len, (char *)b.data);
	}
	buf_free(&b);
	buf_free(&out);
	gdb_ok(g);
}

void gdb_query(struct gdb *g, const char *args)
{
	struct buf b = { 0 };

	if (gdb_word(&args, "Supported")) {
		supported(g, args);
	} else if (gdb_word(&args, "Attached")) {
		gdb_answer(g, "1");
	} else if (gdb_word(&args, "fThreadInfo")) {
		gdb_query_threads(g, true);
	} else if (gdb_word(&args, "sThreadInfo")) {
		gdb_query_threads(g, false);
	} else if (gdb_word(&args, "ThreadExtraInfo") && gdb_take(&args, ',')) {
		gdb_query_thread_info(g, args);
	} else if (gdb_word(&args, "C")) {
		gdb_put_thread(g, &b, g->cpu);
		gdb_answer(g, "QC%.*s", (int)b.len, (char *)b.data);
		buf_free(&b);
	} else if (gdb_word(&args, "Xfer:features:read") && gdb_take(&args, ':')) {
		transfer(g, args, "target.xml", describe);
	} else if (gdb_word(&args, "Xfer:memory-map:read") && gdb_take(&args, ':')) {
		transfer(g, args, "", make_map);
	} else if (gdb_word(&args, "Rcmd") && gdb_take(&args, ',')) {
		command(g, args);
	} else if (gdb_word(&args, "CRC") && gdb_take(&args, ':')) {
		gdb_crc(g, args);
	} else if (gdb_word(&args, "Search:memory") && gdb_take(&args, ':')) {
		gdb_search(g, args, g->in.len);
	} else if (gdb_word(&args, "Symbol")) {
		gdb_ok(g);
	} else if (gdb_word(&args, "qemu.PhyMemMode")) {
		gdb_answer(g, "%d", g->physical);
	} else {
		gdb_answer(g, "%s", "");
	}
}

void gdb_set(struct gdb *g, const char *args)
{
	if (gdb_word(&args, "StartNoAckMode")) {
		gdb_ok(g);
		g->no_ack = true;
	} else if (gdb_word(&args, "NonStop") && gdb_take(&args, ':')) {
		if (*args == '0')
			gdb_ok(g);
		else
			gdb_refuse(g, ENOTSUP);
	} else if (gdb_word(&args, "qemu.PhyMemMode") && gdb_take(&args, ':')) {
		g->physical = *args != '0';
		gdb_ok(g);
	} else {
		gdb_answer(g, "%s", "");
	}
}
