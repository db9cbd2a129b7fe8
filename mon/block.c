/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands about disks.  Source: QEMU QMP Reference Manual (8.2), "Block devices".
 * Left out: node names; of statistics, those in intervals of time and by latency.
 */
#include <errno.h>

#include "machine/machine.h"
#include "mon/command.h"

/* A file's name need not be text. */
static json_t *text(const char *s)
{
	json_t *j = json_string(s);

	return j ? j : json_string("?");
}

static json_t *describe(const struct machine_disk *d)
{
	json_t *image = json_pack("{s:o, s:s, s:I}", "filename", text(d->file), "format", d->format,
	    "virtual-size", (json_int_t)d->size);
	json_t *cache =
	    json_pack("{s:b, s:b, s:b}", "writeback", 1, "direct", d->direct, "no-flush", 0);
	json_t *inserted =
	    json_pack("{s:o, s:b, s:s, s:b, s:i, s:s, s:o, s:o}", "file", text(d->file), "ro",
		d->readonly, "drv", d->format, "encrypted", 0, "backing_file_depth", d->snapshot,
		"detect_zeroes", "off", "cache", cache, "image", image);

	return json_pack("{s:s, s:b, s:b, s:s, s:o}", "device", d->name, "locked", 0, "removable",
	    d->cdrom, "type", "unknown", "inserted", inserted);
}

int mon_query_block(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct machine_disk d;

	(void)args, (void)e;
	*result = json_array();
	for (unsigned i = 0; machine_disk(mon_machine(m), i, &d); i++)
		json_array_append_new(*result, describe(&d));
	return 0;
}

static void put(json_t *to, const char *name, uint64_t n)
{
	json_object_set_new(to, name, json_integer((json_int_t)n));
}

static json_t *count(const struct block_stats *s)
{
	const struct block_count *rd = &s->op[BLOCK_READ], *wr = &s->op[BLOCK_WRITE],
				 *fl = &s->op[BLOCK_FLUSH], *un = &s->op[BLOCK_DISCARD],
				 *ze = &s->op[BLOCK_ZERO];
	json_t *j = json_object();

	/* Zeroes are writes there. */
	put(j, "rd_bytes", rd->bytes);
	put(j, "wr_bytes", wr->bytes + ze->bytes);
	put(j, "unmap_bytes", un->bytes);
	put(j, "rd_operations", rd->done);
	put(j, "wr_operations", wr->done + ze->done);
	put(j, "flush_operations", fl->done);
	put(j, "unmap_operations", un->done);
	put(j, "rd_total_time_ns", rd->ns);
	put(j, "wr_total_time_ns", wr->ns + ze->ns);
	put(j, "flush_total_time_ns", fl->ns);
	put(j, "unmap_total_time_ns", un->ns);
	put(j, "rd_merged", rd->merged);
	put(j, "wr_merged", wr->merged);
	put(j, "unmap_merged", un->merged);
	put(j, "wr_highest_offset", s->written_to);
	put(j, "failed_rd_operations", rd->failed);
	put(j, "failed_wr_operations", wr->failed + ze->failed);
	put(j, "failed_flush_operations", fl->failed);
	put(j, "failed_unmap_operations", un->failed);
	put(j, "invalid_rd_operations", 0);
	put(j, "invalid_wr_operations", 0);
	put(j, "invalid_flush_operations", 0);
	put(j, "invalid_unmap_operations", 0);
	json_object_set_new(j, "account_invalid", json_false());
	json_object_set_new(j, "account_failed", json_false());
	json_object_set_new(j, "timed_stats", json_array());
	return j;
}

int mon_query_blockstats(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct machine_disk d;

	(void)args, (void)e;
	*result = json_array();
	for (unsigned i = 0; machine_disk(mon_machine(m), i, &d); i++)
		json_array_append_new(
		    *result, json_pack("{s:s, s:o}", "device", d.name, "stats", count(&d.stats)));
	return 0;
}

int mon_block_resize(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *device = NULL;
	json_int_t size = 0;

	(void)result;
	json_unpack(
	    args, "{s?s, s?s, s:I}", "node-name", &device, "device", &device, "size", &size);
	if (!device)
		return err_set(e, EINVAL, "block_resize: device is wanted, such as disk0");
	if (size <= 0)
		return err_set(e, EINVAL, "Parameter 'size' expects a >0 size");
	return machine_disk_resize(mon_machine(m), device, (uint64_t)size, e);
}
