/* SPDX-License-Identifier: BSD-2-Clause */
/* Machines that move between engines: they come to the same end as those that do not, to the last
 * bit; and one that cannot move goes on. */
#include <errno.h>
#include <limits.h>

#include "core/clock.h"
#include "core/debug.h"
#include "core/intc.h"
#include "core/mem.h"
#include "cpu/riscv64/regs.h"
#include "cpu/x86/regs.h"
#include "machine/debug.h"
#include "machine/engines.h"
#include "machine/move.h"
#include "machine/run.h"
#include "test/machine/save_rig.h"

/* Between those of ours ------------------------------------------------------------------------ */

enum { PLANS = 8 };

/* Of its 39 ms and more it is at these engines in turn, for 4 ms each. */
static struct machine *run_whole(
    struct rig *r, struct events *ev, const char *one, const char *other)
{
	struct machine *m;
	char text[32];

	r->c.nafters = 0; /* the texts that are there are replaced */
	for (unsigned i = 1; i <= PLANS; i++) {
		snprintf(text, sizeof text, "%ums:%s", 4 * i, i % 2 ? other : one);
		set(r, "engine-after", text);
	}
	set(r, "engine", one);
	m = make_or_fail(r, ev, NULL);
	run(r, m, MACHINE_OFF);
	return m;
}

static uint64_t moves_of(struct machine *m)
{
	struct move_status s;

	machine_move_status(m, &s);
	return s.moves;
}

static void no_move_is_noticed(const struct guest *g, const char *one, const char *other)
{
	struct rig *r = rig_new(g);
	struct events *ev[2] = { events_new(), events_new() };
	struct machine *stays = run_whole(r, ev[0], one, one);
	struct machine *moves = run_whole(r, ev[1], one, other);

	assert_int_equal(moves_of(stays), 0);
	assert_int_equal(moves_of(moves), PLANS);
	assert_true(clock_now(moves->env.clock) > 32000000);
	assert_equal(r, stays, moves);
	machine_free(stays);
	machine_free(moves);
	events_free(ev[0]);
	events_free(ev[1]);
	rig_free(r);
}

static void a_guest_does_not_notice_that_it_moves(void **state)
{
	(void)state;
	for (size_t i = 0; i < GUESTS_WITH_TIMER; i++) {
		no_move_is_noticed(&guests[i], "soft", "interp");
		no_move_is_noticed(&guests[i], "interp", "soft");
	}
}
/* To one that fails ---------------------------------------------------------------------------- */

extern const struct engine_class engine_interp;

/* What the engine under test, which is `interp` otherwise, does: where it fails, and what it saw.
 */
enum step { NOTHING, NEW, MAP, VCPU_NEW, SET, ENTER, GET, LEAVE, START, STEPS };

struct seen {
	enum step fails;
	unsigned vcpus, entered, left, started, stopped;
	struct machine *interrupted; /* while state is set: irqs come */
	unsigned nirqs, irq[16];     /* line << 1 | level */
};
static struct seen *seen;

static int at(enum step s, struct err *e)
{
	return seen->fails == s ? err_set(e, EIO, "it fails at step %d", s) : 0;
}

static struct engine *fake_new(const struct engine_env *env, struct err *e)
{
	return at(NEW, e) ? NULL : engine_interp.new(env, e);
}

static int fake_map(struct engine *g, uint64_t gpa, void *hva, size_t len, struct err *e)
{
	return at(MAP, e) ? -EIO : engine_interp.map(g, gpa, hva, len, e);
}

static struct vcpu *fake_vcpu_new(struct engine *g, unsigned id, struct err *e)
{
	struct vcpu *v = id && at(VCPU_NEW, e) ? NULL : engine_interp.vcpu_new(g, id, e);

	seen->vcpus += v != NULL;
	return v;
}

static void fake_vcpu_free(struct vcpu *v)
{
	seen->vcpus--;
	engine_interp.vcpu_free(v);
}

static int fake_vcpu_get(struct vcpu *v, unsigned groups, void *regs)
{
	return at(GET, NULL) ? -EIO : engine_interp.vcpu_get(v, groups, regs);
}

/* Two levels of which one is new, one that was up and is not any more; what is raised and taken. */
static void interrupt(struct machine *m)
{
	machine_irq(m, 0, INTC_INTR, true);
	machine_irq(m, 0, INTC_A20M, false);
	machine_irq(m, 0, INTC_SIPI + 3, true);
	machine_irq(m, 0, INTC_INIT, true);
	machine_irq(m, 0, INTC_NMI, true);
	machine_irq(m, 0, INTC_SIPI + 5, true);
	machine_irq(m, 0, INTC_INIT, true);
	machine_irq(m, 0, INTC_NMI, false);
	lines_kick(m, 0);
}

static int fake_vcpu_set(struct vcpu *v, unsigned groups, const void *regs)
{
	if (seen->interrupted)
		interrupt(seen->interrupted);
	seen->interrupted = NULL;
	return at(SET, NULL) ? -EIO : engine_interp.vcpu_set(v, groups, regs);
}

static void fake_vcpu_irq(struct vcpu *v, unsigned line, bool level)
{
	if (seen->nirqs < ARRAY_LEN(seen->irq))
		seen->irq[seen->nirqs++] = line << 1 | level;
	engine_interp.vcpu_irq(v, line, level);
}

static int fake_enter(struct engine *g, struct err *e)
{
	(void)g;
	seen->entered++;
	return at(ENTER, e);
}

static int fake_leave(struct engine *g, struct err *e)
{
	(void)g;
	seen->left++;
	return at(LEAVE, e);
}

static int fake_start(struct engine *g, struct err *e)
{
	(void)g;
	assert_int_equal(seen->started, seen->stopped);
	seen->started++;
	return at(START, e);
}

static int fake_stop(struct engine *g, struct err *e)
{
	(void)g, (void)e;
	seen->stopped++;
	assert_int_equal(seen->started, seen->stopped);
	return 0;
}

static struct engine_class fake_engine(struct seen *s)
{
	struct engine_class c = engine_interp;

	seen = s;
	c.name = "fake";
	c.new = fake_new;
	c.map = fake_map;
	c.vcpu_new = fake_vcpu_new;
	c.vcpu_free = fake_vcpu_free;
	c.vcpu_get = fake_vcpu_get;
	c.vcpu_set = fake_vcpu_set;
	c.vcpu_irq = fake_vcpu_irq;
	c.enter = fake_enter;
	c.leave = fake_leave;
	c.start = fake_start;
	c.stop = fake_stop;
	return c;
}

/* In the middle of what it does. */
static struct machine *make_half(struct rig *r, struct events *ev)
{
	struct machine *m = make_or_fail(r, ev, NULL);

	r->printed = 0;
	r->stop_at = 40;
	run(r, m, MACHINE_STOPPED);
	return m;
}

static void assert_said(const struct rig *r, const char *what)
{
	if (!strstr(r->e.text, what))
		fail_msg("\"%s\" does not say \"%s\"", r->e.text, what);
}

static void a_move_that_fails_leaves_everything_as_it_was(void **state)
{
	static const char *const says[STEPS] = {
		[NEW] = "it fails at step 1",
		[MAP] = "it fails at step 2",
		[VCPU_NEW] = "it fails at step 3",
		[SET] = "engine fake does not take the state of CPU 0: Input/output error",
		[ENTER] = "it fails at step 5",
	};
	struct seen s = { NOTHING };
	const struct engine_class fake = fake_engine(&s);

	(void)state;
	for (size_t i = 0; i < GUESTS_WITH_TIMER; i++) {
		struct rig *r = rig_new(&guests[i]);
		struct events *ev[2] = { events_new(), events_new() };
		struct machine *stays, *tries;

		r->c.cpus = 2;
		set(r, "engine", "soft");
		stays = make_half(r, ev[0]);
		tries = make_half(r, ev[1]);
		for (s.fails = NEW; s.fails <= ENTER; s.fails++) {
			assert_int_equal(move_to(tries, &fake, &r->e), -EIO);
			assert_said(r, says[s.fails]);
			assert_string_equal(tries->engine_class->name, "soft");
			assert_int_equal(s.vcpus, 0);
		}
		assert_equal(r, stays, tries);
		run(r, stays, MACHINE_OFF);
		run(r, tries, MACHINE_OFF);
		assert_equal(r, stays, tries);
		assert_int_equal(moves_of(tries), 0);
		machine_free(stays);
		machine_free(tries);
		events_free(ev[0]);
		events_free(ev[1]);
		rig_free(r);
	}
}

static void an_engine_that_does_not_let_go_keeps_the_machine(void **state)
{
	struct seen s = { NOTHING };
	const struct engine_class fake = fake_engine(&s);
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();
	struct machine *m;

	(void)state;
	set(r, "engine", "soft");
	m = make_half(r, ev);
	assert_int_equal(move_to(m, &fake, &r->e), 0);
	assert_int_equal(s.entered, 1);
	assert_int_equal(s.vcpus, 1);
	s.fails = LEAVE;
	assert_int_equal(move_to(m, engine_find("soft"), &r->e), -EIO);
	assert_said(r, "it fails at step 7");
	assert_int_equal(s.entered, 1);
	s.fails = GET;
	assert_int_equal(move_to(m, engine_find("soft"), &r->e), -EIO);
	assert_said(r, "engine fake does not give out CPU 0: Input/output error");
	assert_int_equal(s.entered, 2); /* it had left, and takes over again */
	assert_string_equal(m->engine_class->name, "fake");
	s.fails = NOTHING;
	run(r, m, MACHINE_OFF);
	assert_int_equal(move_to(m, engine_find("soft"), &r->e), 0);
	assert_int_equal(s.left, 3);
	assert_int_equal(s.vcpus, 0);
	machine_free(m);
	events_free(ev);
	rig_free(r);
}

/* Interrupts while it moves -------------------------------------------------------------------- */

static void interrupts_come_at_any_moment(void **state)
{
	struct seen s = { NOTHING };
	const struct engine_class fake = fake_engine(&s);
	struct rig *r = rig_new(&guests[1]);
	struct events *ev = events_new();
	struct machine *m;

	(void)state;
	set(r, "engine", "soft");
	m = make_half(r, ev);
	machine_irq(m, 0, INTC_INTR, false);
	machine_irq(m, 0, INTC_A20M, true);
	s.interrupted = m;
	assert_int_equal(move_to(m, &fake, &r->e), 0);
	/* The CPU is new: what is up, and what was raised, in order, each once. */
	assert_int_equal(s.nirqs, 5);
	assert_int_equal(s.irq[0], INTC_INTR << 1 | 1);
	assert_int_equal(s.irq[1], (INTC_SIPI + 3) << 1 | 1);
	assert_int_equal(s.irq[2], INTC_NMI << 1 | 1);
	assert_int_equal(s.irq[3], (INTC_SIPI + 5) << 1 | 1);
	assert_int_equal(s.irq[4], INTC_INIT << 1 | 1);
	assert_true(atomic_load(&m->cpu[0].alerted));
	machine_irq(m, 0, INTC_INTR, false);
	machine_irq(m, 0, INTC_A20M, true);
	machine_free(m);
	events_free(ev);
	rig_free(r);
}

static void interrupts_of_a_move_that_fails_are_not_lost(void **state)
{
	struct seen s = { NOTHING };
	const struct engine_class fake = fake_engine(&s);
	struct engine_class other = fake;
	struct rig *r = rig_new(&guests[1]);
	struct events *ev = events_new();
	struct machine *m;

	(void)state;
	other.name = "other";
	other.enter = other.leave = NULL;
	other.vcpu_irq = engine_interp.vcpu_irq;
	set(r, "engine", "soft");
	m = make_half(r, ev);
	assert_int_equal(move_to(m, &fake, &r->e), 0);
	machine_irq(m, 0, INTC_INTR, true);
	machine_irq(m, 0, INTC_A20M, true);
	s = (struct seen){ .fails = SET, .vcpus = s.vcpus, .interrupted = m };
	assert_int_equal(move_to(m, &other, &r->e), -EIO);
	/* The CPU is the old one, and knows that INTR is up. */
	assert_int_equal(s.nirqs, 5);
	assert_int_equal(s.irq[0], INTC_A20M << 1);
	assert_int_equal(s.irq[4], INTC_INIT << 1 | 1);
	machine_free(m);
	events_free(ev);
	rig_free(r);
}

/* Which CPU ------------------------------------------------------------------------------------ */

static int takes_away(const char *wanted, const char *feature, struct buf *can)
{
	if (wanted && strstr(wanted, feature))
		return 0;
	buf_printf(can, "%s,%s", wanted ? wanted : "best", feature);
	return 1;
}

/* The text leaves it open. */
static int has_a_rate(
    const struct cpu_class *cpu, const char *wanted, struct buf *can, struct err *e)
{
	const int takes = takes_away(wanted, "tsc=2000000", can);

	(void)cpu, (void)e;
	return takes && strstr(wanted ? wanted : "", "tsc=");
}

static int no_avx2(const struct cpu_class *cpu, const char *wanted, struct buf *can, struct err *e)
{
	(void)cpu, (void)e;
	return takes_away(wanted, "-avx2", can);
}

static int no_rdseed(
    const struct cpu_class *cpu, const char *wanted, struct buf *can, struct err *e)
{
	(void)cpu, (void)e;
	return takes_away(wanted, "-rdseed", can);
}

static void the_guest_has_a_cpu_that_all_engines_can_be(void **state)
{
	struct seen s = { NOTHING };
	struct engine_class one = fake_engine(&s), two = one;
	struct rig *r = rig_new(&guests[1]);
	struct events *ev = events_new();
	struct machine *m;

	(void)state;
	set(r, "engine", "soft");
	m = make_or_fail(r, ev, NULL);
	assert_null(m->config.cpu_model);
	one.model = no_avx2;
	two.model = no_rdseed;
	assert_true(move_to(m, &one, &r->e) < 0);
	assert_said(r, "engine fake can only give the guest the CPU \"best,-avx2\" here, so it has "
		       "to be named at the start: engine=fake+soft");
	m->engines[1].class = &one;
	m->engines[2].class = &two;
	m->nengines = 3;
	assert_int_equal(engines_model(m, &r->e), 0);
	assert_string_equal(m->config.cpu_model, "best,-avx2,-rdseed");
	assert_int_equal(engines_model(m, &r->e), 0); /* that they can be as it is */
	set(r, "cpu-model", "x86-64-v3,-avx2");
	assert_int_equal(config_set(&m->config, "cpu-model", "x86-64-v3,-avx2", &r->e), 0);
	assert_int_equal(engines_model(m, &r->e), -ENOTSUP);
	assert_said(r, "engine fake cannot give the guest the CPU \"x86-64-v3,-avx2\" here, but "
		       "\"x86-64-v3,-avx2,-rdseed\"");
	two.model = has_a_rate;
	assert_int_equal(engines_model(m, &r->e), 0);
	assert_string_equal(m->config.cpu_model, "x86-64-v3,-avx2,tsc=2000000");
	assert_int_equal(config_set(&m->config, "cpu-model", "486,tsc=900000,-avx2", &r->e), 0);
	assert_int_equal(engines_model(m, &r->e), -ENOTSUP);
	m->nengines = 1;
	machine_free(m);
	events_free(ev);
	rig_free(r);
}

static void an_engine_has_to_fit(void **state)
{
	struct seen s = { NOTHING };
	struct engine_class fake = fake_engine(&s);
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();
	struct machine *m;

	(void)state;
	set(r, "engine", "soft");
	m = make_or_fail(r, ev, NULL);
	fake.any_ram = false;
	assert_int_equal(move_to(m, &fake, &r->e), -ENOTSUP);
	assert_said(
	    r, "engine fake takes no memory but its own, so it has to be named at the start");
	fake.any_ram = true;
	fake.runs_free = true;
	assert_int_equal(move_to(m, &fake, &r->e), -ENOTSUP);
	assert_said(r, "engine fake counts no instructions");
	machine_free(m);
	/* One CPU has no thread of its own, unless it was thought of. */
	set(r, "deterministic", "no");
	m = make_or_fail(r, ev, NULL);
	assert_int_equal(move_to(m, &fake, &r->e), -ENOTSUP);
	assert_said(
	    r, "engine fake needs a thread for each CPU, so it has to be named at the start");
	machine_free(m);
	r->c.cpus = 2;
	m = make_or_fail(r, ev, NULL);
	assert_int_equal(move_to(m, &fake, &r->e), 0);
	assert_int_equal(move_to(m, engine_find("soft"), &r->e), 0);
	machine_free(m);
	events_free(ev);
	rig_free(r);
}

static void an_engine_is_told_when_cpus_run_and_when_not(void **state)
{
	struct seen s = { NOTHING };
	const struct engine_class fake = fake_engine(&s);
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();
	struct machine *m;
	enum machine_end end;
	unsigned code;

	(void)state;
	set(r, "deterministic", "no");
	set(r, "engine", "soft");
	r->c.cpus = 2;
	m = make_or_fail(r, ev, NULL);
	assert_int_equal(move_to(m, &fake, &r->e), 0);
	assert_int_equal(s.started, 0);
	s.fails = START;
	r->m = m;
	assert_int_equal(machine_run(m, &end, &code, &r->e), -EIO);
	assert_said(r, "it fails at step 8");
	assert_int_equal(s.started, 1);
	assert_int_equal(s.stopped, 1);
	s.fails = NOTHING;
	run(r, m, MACHINE_OFF);
	assert_true(s.started > 1);
	assert_int_equal(s.started, s.stopped);
	machine_free(m);
	events_free(ev);
	rig_free(r);
}

/* While it runs -------------------------------------------------------------------------------- */

static const uint32_t endless[] = { 0x00128293, 0xffdff06f }; /* addi t0, t0, 1; j .-4 */
static const struct guest runs_for_ever = { "riscv64", "virt", endless, sizeof endless };

static struct move_status wait_for(struct machine *m)
{
	struct move_status s;

	do {
		usleep(200);
		machine_move_status(m, &s);
	} while (s.state == MOVE_RUNS);
	return s;
}

struct crowd {
	struct rig *r;
	atomic_bool over;
};

/* What control sockets, devices and timers do, all the time. */
static void *interrupts(void *arg)
{
	struct crowd *c = arg;
	struct machine *m = c->r->m;

	for (unsigned n = 0; !atomic_load(&c->over); n++) {
		machine_irq(m, n % m->ncpus, RV_LINE_SEIP, n % 3);
		machine_irq(m, n % m->ncpus, RV_LINE_SSIP, true);
		machine_wake(m);
		if (n % 64 == 0)
			machine_pause(m);
		if (n % 64 == 32)
			machine_resume(m);
	}
	for (unsigned i = 0; i < m->ncpus; i++)
		machine_irq(m, i, RV_LINE_SEIP, i % 2);
	machine_resume(m);
	return NULL;
}

static void *move_often(void *arg)
{
	struct crowd *c = arg;
	struct machine *m = c->r->m;
	struct thread t;
	struct move_status s;
	struct err e;

	assert_int_equal(thread_start(&t, "crowd", interrupts, c), 0);
	for (unsigned n = 1; n <= 100; n++) {
		while (machine_move(m, n % 2 ? "interp" : "soft", &e) == -EINVAL)
			usleep(1000); /* it does not run yet */
		s = wait_for(m);
		if (s.state != MOVE_DONE)
			fail_msg("%s", s.err.text);
		assert_string_equal(s.engine, n % 2 ? "interp" : "soft");
		assert_int_equal(s.moves, n);
	}
	atomic_store(&c->over, true);
	thread_join(&t);
	machine_stop(m);
	return NULL;
}

static void a_busy_machine_moves(void **state)
{
	struct crowd c = { .r = rig_new(&runs_for_ever) };
	struct events *ev = events_new();
	struct rv_regs regs;
	struct thread t;

	(void)state;
	set(c.r, "deterministic", "no");
	set(c.r, "engine", "soft");
	for (unsigned cpus = 1; cpus < 4; cpus += 2) {
		c.r->c.cpus = cpus;
		atomic_store(&c.over, false);
		c.r->m = make_or_fail(c.r, ev, NULL);
		assert_int_equal(thread_start(&t, "mover", move_often, &c), 0);
		run(c.r, c.r->m, MACHINE_STOPPED);
		thread_join(&t);
		for (unsigned i = 0; i < cpus; i++) {
			c.r->m->engine_class->vcpu_get(c.r->m->cpu[i].vcpu, UINT_MAX, &regs);
			assert_int_equal(regs.wires >> RV_LINE_SEIP & 1, i % 2);
			assert_true(regs.mip & 1 << RV_LINE_SSIP);
		}
		machine_free(c.r->m);
	}
	events_free(ev);
	rig_free(c.r);
}

static void *move_once(void *arg)
{
	struct rig *r = arg;
	struct move_status s;
	struct err e;

	while (machine_move(r->m, "interp", &e) == -EINVAL)
		usleep(1000);
	s = wait_for(r->m);
	assert_int_equal(s.state, MOVE_DONE);
	assert_true(machine_is_paused(r->m));
	machine_stop(r->m);
	return NULL;
}

static void a_paused_machine_moves_and_stays_so(void **state)
{
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();
	struct thread t;

	(void)state;
	set(r, "paused", "yes");
	set(r, "engine", "soft");
	r->m = make_or_fail(r, ev, NULL);
	assert_int_equal(thread_start(&t, "mover", move_once, r), 0);
	run(r, r->m, MACHINE_STOPPED);
	thread_join(&t);
	assert_int_equal(r->printed, 0);
	assert_true(machine_is_paused(r->m));
	assert_string_equal(r->m->engine_class->name, "interp");
	machine_free(r->m);
	events_free(ev);
	rig_free(r);
}

static void a_machine_that_does_not_run_says_so(void **state)
{
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();
	struct machine *m = make_or_fail(r, ev, NULL);
	struct move_status s;

	(void)state;
	assert_int_equal(machine_move(m, "interp", &r->e), -EINVAL);
	assert_said(r, "does not run");
	assert_int_equal(machine_move(m, "kqemu", &r->e), -EINVAL);
	assert_said(r, "there is no such engine");
	machine_move_status(m, &s);
	assert_int_equal(s.state, MOVE_NONE);
	machine_free(m);
	events_free(ev);
	rig_free(r);
}

/* Debuggers ------------------------------------------------------------------------------------ */

static bool count_stops(void *arg, unsigned cpu, const struct exit *x)
{
	struct rig *r = arg;

	assert_int_equal(cpu, 0);
	assert_int_equal(x->size, DEBUG_BREAK);
	r->printed++;
	machine_stop(r->m);
	return false;
}

static void breakpoints_go_along(void **state)
{
	uint64_t at;
	const struct debug_points points = { .at = &at, .n = 1 };
	struct seen s = { NOTHING };
	struct engine_class fake = fake_engine(&s);
	struct rig *r = rig_new(&runs_for_ever);
	struct events *ev = events_new();
	struct machine_debugger debugger = { .wants = count_stops, .arg = r };
	struct rv_regs regs;
	struct machine *m;

	(void)state;
	set(r, "engine", "soft");
	r->m = m = make_or_fail(r, ev, NULL);
	m->engine_class->vcpu_get(m->cpu[0].vcpu, RV_REGS_INT, &regs);
	at = regs.pc + 4;
	machine_debug_attach(m, &debugger);
	machine_debug_points(m, &points);
	for (int i = 0; i < 3; i++) {
		r->printed = 0;
		run(r, m, MACHINE_STOPPED);
		assert_true(r->printed > 0);
		assert_int_equal(move_to(m, engine_find(i % 2 ? "soft" : "interp"), &r->e), 0);
	}
	fake.vcpu_debug = NULL;
	assert_int_equal(move_to(m, &fake, &r->e), -ENOTSUP);
	assert_said(r, "engine fake: it has no breakpoints");
	machine_debug_points(m, NULL);
	machine_debug_attach(m, NULL);
	fake.name = "fake2";
	assert_int_equal(move_to(m, &fake, &r->e), 0);
	assert_int_equal(move_to(m, engine_find("soft"), &r->e), 0);
	machine_free(m);
	events_free(ev);
	rig_free(r);
}

/* It goes on where it was, on what it was on. */
static void a_snapshot_knows_where_the_machine_was(void **state)
{
	struct rig *r = rig_new(&guests[0]);
	struct events *ev[2] = { events_new(), events_new() };
	const struct save_what what = { .path = r->file };
	struct machine *m;

	(void)state;
	set(r, "engine", "soft+interp");
	set(r, "engine-after", "1ms:interp");
	m = make_half(r, ev[0]);
	assert_string_equal(m->engine_class->name, "interp");
	assert_int_equal(machine_save(m, &what, &r->e), 0);
	machine_free(m);
	config_free(&r->c);
	assert_int_equal(config_restore(&r->c, r->file, &r->e), 0);
	assert_string_equal(r->c.engine, "interp+soft");
	assert_int_equal(r->c.nafters, 0);
	m = make_or_fail(r, ev[1], NULL);
	assert_string_equal(m->engine_class->name, "interp");
	run(r, m, MACHINE_OFF);
	machine_free(m);
	events_free(ev[0]);
	events_free(ev[1]);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_does_not_notice_that_it_moves),
		cmocka_unit_test(an_engine_is_told_when_cpus_run_and_when_not),
		cmocka_unit_test(a_move_that_fails_leaves_everything_as_it_was),
		cmocka_unit_test(an_engine_that_does_not_let_go_keeps_the_machine),
		cmocka_unit_test(interrupts_come_at_any_moment),
		cmocka_unit_test(interrupts_of_a_move_that_fails_are_not_lost),
		cmocka_unit_test(the_guest_has_a_cpu_that_all_engines_can_be),
		cmocka_unit_test(an_engine_has_to_fit),
		cmocka_unit_test(a_busy_machine_moves),
		cmocka_unit_test(a_paused_machine_moves_and_stays_so),
		cmocka_unit_test(a_machine_that_does_not_run_says_so),
		cmocka_unit_test(breakpoints_go_along),
		cmocka_unit_test(a_snapshot_knows_where_the_machine_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
