/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands on the guest's memory balloon.  Source: QEMU QMP Reference Manual (8.2), "Balloon"; what
 * guests tell of their memory is a property of an object there (docs/virtio-balloon-stats.txt),
 * and here what query-balloon-stats answers.
 */
#include "core/balloon.h"

#include <errno.h>

#include "machine/machine.h"
#include "mon/command.h"
#include "mon/mon.h"

enum { INTERVAL_MAX = 86400 };

static uint64_t size_now(struct mon *m, const struct balloon *b)
{
	const uint64_t all = machine_memory(mon_machine(m));
	const uint64_t in = (uint64_t)balloon_pages(b) * BALLOON_PAGE;

	return in < all ? all - in : 0; /* the guest may say anything */
}

int mon_query_balloon(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct balloon *b = machine_balloon(mon_machine(m), e);

	(void)args;
	if (!b)
		return -ENODEV;
	*result = json_pack("{s:I}", "actual", (json_int_t)size_now(m, b));
	return 0;
}

int mon_balloon(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct balloon *b = machine_balloon(mon_machine(m), e);
	const uint64_t all = machine_memory(mon_machine(m));
	json_int_t value = 0;

	(void)result;
	if (!b)
		return -ENODEV;
	json_unpack(args, "{s:I}", "value", &value);
	if (value <= 0)
		return err_set(e, EINVAL, "Parameter 'value' expects a size");
	if ((uint64_t)value > all)
		value = (json_int_t)all;
	return balloon_want(b, (uint32_t)((all - (uint64_t)value) / BALLOON_PAGE), e);
}

int mon_balloon_stats_interval(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct balloon *b = machine_balloon(mon_machine(m), e);
	json_int_t s = -1;

	(void)result;
	if (!b)
		return -ENODEV;
	json_unpack(args, "{s:I}", "seconds", &s);
	if (s < 0 || s > INTERVAL_MAX)
		return err_set(
		    e, EINVAL, "balloon-stats-interval: seconds is 0 to %d", INTERVAL_MAX);
	return balloon_poll(b, (uint32_t)s, e);
}

int mon_query_balloon_stats(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	static const char *const names[BALLOON_STATS] = {
		[BALLOON_SWAP_IN] = "stat-swap-in",
		[BALLOON_SWAP_OUT] = "stat-swap-out",
		[BALLOON_MAJOR_FAULTS] = "stat-major-faults",
		[BALLOON_MINOR_FAULTS] = "stat-minor-faults",
		[BALLOON_FREE] = "stat-free-memory",
		[BALLOON_TOTAL] = "stat-total-memory",
		[BALLOON_AVAILABLE] = "stat-available-memory",
		[BALLOON_CACHES] = "stat-disk-caches",
		[BALLOON_HUGE_ALLOCATIONS] = "stat-htlb-pgalloc",
		[BALLOON_HUGE_FAILURES] = "stat-htlb-pgfail",
	};
	struct balloon *b = machine_balloon(mon_machine(m), e);
	struct balloon_stats s;
	json_t *stats;

	(void)args;
	if (!b)
		return -ENODEV;
	balloon_stats(b, &s);
	stats = json_object();
	/* QEMU's -1 is what the guest does not tell. */
	for (unsigned i = 0; i < BALLOON_STATS; i++)
		json_object_set_new(stats, names[i], json_integer((json_int_t)s.value[i]));
	*result = json_pack("{s:o, s:I}", "stats", stats, "last-update", (json_int_t)s.when_s);
	return 0;
}

static void tell(void *mon)
{
	struct mon *m = mon;
	struct balloon *b = machine_balloon(mon_machine(m), NULL);

	mon_event(m, "BALLOON_CHANGE", json_pack("{s:I}", "actual", (json_int_t)size_now(m, b)));
	mon_flush(m);
}

/* On any thread. */
static void on_change(void *mon)
{
	mon_post(mon, tell);
}

void mon_balloon_watch(struct mon *m, bool on)
{
	struct balloon *b = machine_balloon(mon_machine(m), NULL);

	if (!b)
		return;
	b->changed_arg = m;
	b->changed = on ? on_change : NULL;
}
