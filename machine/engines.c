/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/engines.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "core/mem.h"
#include "engine/list.h"
#include "machine/build.h"

static bool needs_count(const struct machine *m)
{
	return m->config.deterministic || m->config.lockstep;
}

bool engines_run_free(const struct machine *m)
{
	for (unsigned i = 0; i < m->nengines; i++)
		if (m->engines[i].class->runs_free)
			return true;
	return false;
}

/* What the engine makes of the CPU, "" if nothing: *can is the caller's.  1: it takes from it. */
static int ask_model(
    const struct machine *m, const struct engine_class *c, struct buf *can, struct err *e)
{
	int rc = c->model ? c->model(m->engine_env.cpu, m->config.cpu_model, can, e) : 0;

	if (can->len)
		buf_put(can, "", 1);
	if (rc >= 0 && can->failed)
		rc = err_set(e, ENOMEM, "machine %s: no memory", m->class->name);
	if (rc < 0)
		buf_free(can);
	return rc;
}

/* asked: a person asked for it.  What a snapshot holds has nothing left open. */
static int limit_model(struct machine *m, const struct engine_class *c, bool asked, struct err *e)
{
	const char *wanted = m->config.cpu_model ? m->config.cpu_model : "best";
	struct buf can = { 0 };
	int rc = ask_model(m, c, &can, e);

	if (rc >= 0 && can.len && (m->snapshot || (asked && rc > 0)))
		rc = err_set(e, ENOTSUP,
		    "engine %s cannot give the guest the CPU \"%.80s\" here, but \"%.80s\"",
		    c->name, wanted, (const char *)can.data);
	else if (rc >= 0 && can.len)
		rc = config_set(&m->config, "cpu-model", (const char *)can.data, e);
	buf_free(&can);
	return rc < 0 ? rc : 0;
}

/* What one takes away the next one is not asked for. */
int engines_model(struct machine *m, struct err *e)
{
	const bool asked = m->config.cpu_model;
	int rc = 0;

	for (unsigned i = 0; i < m->nengines && !rc; i++)
		rc = limit_model(m, m->engines[i].class, asked, e);
	return rc;
}

/* RAM is made by one; if there is one that takes no other's, by that. */
static int choose_maker(struct machine *m, struct err *e)
{
	const struct engine_class *maker = NULL;

	for (unsigned i = 0; i < m->nengines; i++) {
		const struct engine_class *c = m->engines[i].class;

		if (c->any_ram)
			continue;
		if (maker)
			return err_set(e, ENOTSUP,
			    "engines %s and %s: each takes no memory but its own", maker->name,
			    c->name);
		maker = c;
		m->ram_maker = i;
	}
	return 0;
}

/* What the machine moves to later is there from the start, too. */
static int find_later(struct machine *m, struct err *e)
{
	struct config_after a;
	unsigned have;
	int rc = 0;

	for (unsigned i = 0; i < m->config.nafters && !rc; i++) {
		rc = config_after(&a, m->config.after[i], e);
		if (rc)
			break;
		have = 0;
		while (have < m->nengines && strcmp(m->engines[have].class->name, a.engine) != 0)
			have++;
		if (have < m->nengines)
			continue;
		assert(m->nengines < MACHINE_ENGINES);
		m->engines[m->nengines++].class = engine_find(a.engine);
		rc = engine_can(
		    m->engines[have].class, m->engine_env.cpu, m->config.deterministic, e);
	}
	return rc;
}

int engines_find(struct machine *m, struct err *e)
{
	const struct cpu_class *cpu = cpu_find(m->class->arch);
	struct engine_list l;
	int rc;

	if (!cpu)
		return err_set(e, EINVAL, "machine %s: this build has no CPU %s", m->class->name,
		    m->class->arch);
	m->engine_env.cpu = cpu;
	rc = engine_list_read(&l, m->config.engine, cpu, needs_count(m), e);
	if (rc < 0)
		return rc;
	for (; m->nengines < l.n; m->nengines++)
		m->engines[m->nengines].class = l.engine[m->nengines];
	m->engine_class = l.engine[0];
	if (l.skipped.text[0])
		log_info(m->host.log, "%s; %s does", l.skipped.text, m->engine_class->name);
	rc = find_later(m, e);
	if (!rc)
		rc = choose_maker(m, e);
	return rc ? rc : engines_model(m, e);
}

int machine_engine(struct machine *m, bool firmware_calls, struct err *e)
{
	m->engine_env.env.firmware_calls = firmware_calls;
	for (unsigned i = 0; i < m->nengines; i++) {
		m->engines[i].engine = m->engines[i].class->new (&m->engine_env, e);
		if (!m->engines[i].engine)
			return -ENOMEM;
	}
	m->engine = m->engines[0].engine;
	return 0;
}

int machine_ram(struct machine *m, uint64_t base, uint64_t size, struct err *e)
{
	const struct engine_class *maker = m->engines[m->ram_maker].class;
	void *hva;
	int rc;

	assert(m->nrams < MACHINE_RAMS);
	if (size > SIZE_MAX / 2)
		return err_set(e, ENOMEM, "memory: this host cannot give so much");
	if (m->host.source) {
		if (clone_take_ram(m, &hva, size, e) < 0)
			return -EINVAL;
	} else {
		hva = maker->ram_new(m->engines[m->ram_maker].engine, (size_t)size, e);
	}
	if (!hva)
		return -ENOMEM;
	m->ram[m->nrams].gpa = base;
	m->ram[m->nrams].hva = hva;
	m->ram[m->nrams++].len = (size_t)size;
	rc = mem_map(m->env.mem, base, hva, size, e);
	for (unsigned i = 0; i < m->nengines && !rc; i++)
		rc = m->engines[i].class->map(m->engines[i].engine, base, hva, (size_t)size, e);
	return rc;
}

/* One that nobody had thought of before. */
static int add(struct machine *m, const struct engine_class *c, struct err *e)
{
	struct buf can = { 0 };
	struct err why = { "" };
	struct engine *engine;
	int rc = engine_can(c, m->engine_env.cpu, needs_count(m), e);

	if (!rc && !c->any_ram)
		rc = err_set(e, ENOTSUP,
		    "engine %s takes no memory but its own, so it has to be named at the start: "
		    "engine=%s+%s",
		    c->name, c->name, m->engine_class->name);
	if (!rc && c->runs_free && !m->parallel)
		rc = err_set(e, ENOTSUP,
		    "engine %s needs a thread for each CPU, so it has to be named at the start: "
		    "engine=%s+%s",
		    c->name, c->name, m->engine_class->name);
	if (!rc)
		rc = ask_model(m, c, &can, e);
	if (rc >= 0 && can.len)
		rc = err_set(e, ENOTSUP,
		    "engine %s can only give the guest the CPU \"%.80s\" here, so it has to be "
		    "named at the start: engine=%s+%s",
		    c->name, (const char *)can.data, c->name, m->engine_class->name);
	buf_free(&can);
	if (rc < 0)
		return rc;
	rc = 0;
	assert(m->nengines < MACHINE_ENGINES);
	engine = c->new (&m->engine_env, &why);
	if (!engine)
		return err_set(e, EIO,
		    "%.240s; an engine that is named at the start has what it needs: "
		    "engine=%s+%s",
		    why.text, m->engine_class->name, c->name);
	for (unsigned i = 0; i < m->nrams && !rc; i++)
		rc = c->map(engine, m->ram[i].gpa, m->ram[i].hva, m->ram[i].len, e);
	if (rc) {
		c->free(engine);
		return rc;
	}
	m->engines[m->nengines].class = c;
	m->engines[m->nengines].engine = engine;
	return (int)m->nengines++;
}

int engines_have(struct machine *m, const struct engine_class *c, struct err *e)
{
	for (unsigned i = 0; i < m->nengines; i++)
		if (m->engines[i].class == c)
			return (int)i;
	return add(m, c, e);
}

void engines_forsake(struct machine *m)
{
	for (unsigned i = 0; i < m->nengines; i++)
		if (m->engines[i].class->forsake)
			m->engines[i].class->forsake(m->engines[i].engine);
}

void engines_free(struct machine *m)
{
	const unsigned maker = m->ram_maker;

	while (m->nrams) {
		m->nrams--;
		m->engines[maker].class->ram_free(
		    m->engines[maker].engine, m->ram[m->nrams].hva, m->ram[m->nrams].len);
	}
	for (unsigned i = 0; i < m->nengines; i++)
		if (m->engines[i].engine)
			m->engines[i].class->free(m->engines[i].engine);
}

void engines_print(const struct machine *m, struct buf *b)
{
	struct engine_list l;

	buf_printf(b, "%s", m->engine_class->name);
	if (engine_list_read(&l, m->config.engine, NULL, false, NULL) < 0)
		return;
	for (unsigned i = 0; i < l.n && l.n > 1; i++)
		if (l.engine[i] != m->engine_class)
			buf_printf(b, "+%s", l.engine[i]->name);
}
