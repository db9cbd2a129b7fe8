/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/virtio_rig.h"

enum { RX = 0, TX = 1 };

static struct vrig *start(void)
{
	struct vrig *vr = vrig_new("virtio_console", NULL);

	vr_start(vr, 0, 16);
	return vr;
}

static void offer_room(struct vrig *vr, uint16_t i, uint32_t len)
{
	vr_desc(vr, RX, i, VR_DATA + 64u * i, len, VR_WRITE, 0);
	vr_offer(vr, RX, i);
}

static void output_reaches_the_host(void **state)
{
	struct vrig *vr = start();
	uint32_t len;

	(void)state;
	strcpy((char *)vr_at(vr, VR_DATA), "hello, world");
	vr_desc(vr, TX, 0, VR_DATA, 7, VR_NEXT, 1);
	vr_desc(vr, TX, 1, VR_DATA + 7, 5, 0, 0);
	vr_offer(vr, TX, 0);
	vr_kick(vr, TX);
	assert_string_equal(vr->r->chr.out, "hello, world");
	assert_int_equal(vr_used(vr, TX, &len), 0);
	assert_int_equal(len, 0);
	vrig_free(vr);
}

static void input_fills_the_drivers_buffers(void **state)
{
	struct vrig *vr = start();
	uint32_t len;

	(void)state;
	assert_int_equal(rig_type(vr->r, "early"), 0);
	offer_room(vr, 0, 4);
	offer_room(vr, 1, 0); /* of no use: goes back empty */
	offer_room(vr, 2, 8);
	vr_kick(vr, RX);
	assert_int_equal(rig_type(vr->r, "soon"), 0); /* Linux would drop it now */
	assert_int_equal(vr->r->chr.rooms, 0);
	rig_advance(vr->r, 10000000);
	assert_int_equal(vr->r->chr.rooms, 1);
	assert_int_equal(vr_used(vr, RX, NULL), -1);
	assert_int_equal(rig_type(vr->r, "abcdef"), 6);
	assert_int_equal(vr_used(vr, RX, &len), 0);
	assert_int_equal(len, 4);
	assert_int_equal(vr_used(vr, RX, &len), 1);
	assert_int_equal(len, 0);
	assert_int_equal(vr_used(vr, RX, &len), 2);
	assert_int_equal(len, 2);
	assert_memory_equal(vr_at(vr, VR_DATA), "abcd", 4);
	assert_memory_equal(vr_at(vr, VR_DATA + 128), "ef", 2);
	assert_true(vr->r->irq[VR_IRQ]);
	assert_int_equal(rig_type(vr->r, "late"), 0);
	vrig_free(vr);
}

static void buffers_survive_save_and_load(void **state)
{
	struct vrig *vr = start();

	(void)state;
	offer_room(vr, 0, 4);
	vr_kick(vr, RX);
	vr_reload(vr);
	assert_int_equal(rig_type(vr->r, "abc"), 0);
	rig_advance(vr->r, 10000000);
	vr_reload(vr);
	assert_int_equal(rig_type(vr->r, "abc"), 3);
	assert_int_equal(vr_used(vr, RX, NULL), 0);
	vrig_free(vr);
}

static void emergency_writes_work_at_once(void **state)
{
	struct vrig *vr = vrig_new("virtio_console", NULL);

	(void)state;
	assert_true(vr_offered(vr) & 4);
	rig_write(vr->r, VR_BASE + R_CONFIG + 8, '!', 4);
	rig_write(vr->r, VR_BASE + R_CONFIG + 8, '?', 1);
	rig_write(vr->r, VR_BASE + R_CONFIG + 4, '.', 4);
	assert_string_equal(vr->r->chr.out, "!?");
	vrig_free(vr);
}

static void a_console_without_a_host_side_swallows(void **state)
{
	static struct chr_lines none;
	struct vrig *vr = vrig_new("virtio_console", &none);

	(void)state;
	vr_start(vr, 0, 16);
	vr_desc(vr, TX, 0, VR_DATA, 7, 0, 0);
	vr_offer(vr, TX, 0);
	vr_kick(vr, TX);
	offer_room(vr, 0, 4);
	vr_kick(vr, RX);
	assert_int_equal(vr_used(vr, TX, NULL), 0);
	vrig_free(vr);
}

static void a_broken_queue_has_no_room(void **state)
{
	struct vrig *vr = start();

	(void)state;
	offer_room(vr, 0, 4);
	vr_desc(vr, RX, 0, 0x1000, 4, VR_WRITE, 0);
	vr_kick(vr, RX);
	assert_true(vr_broken(vr));
	assert_int_equal(rig_type(vr->r, "abc"), 0);
	vrig_free(vr);
}

/* Several ports ------------------------------------------------------------------------------- */

#define F_MULTIPORT 2u

enum { CONTROL_RX = 2, CONTROL_TX, RX1, TX1, RX2, TX2 };
enum { READY = 0, ADD = 1, PORT_READY = 3, CONSOLE = 4, RESIZE = 5, OPEN = 6, NAME = 7 };

struct ports {
	struct vrig *vr;
	struct chr_lines lines;
	struct rig_chr agent, other;
	uint16_t next; /* buffer of the control queue */
};

static void offer_control(struct ports *p, unsigned n)
{
	for (; n; n--, p->next = (p->next + 1) % 16) {
		vr_desc(p->vr, CONTROL_RX, p->next, VR_DATA + 0x1000 + 128u * p->next, 128,
		    VR_WRITE, 0);
		vr_offer(p->vr, CONTROL_RX, p->next);
	}
	vr_kick(p->vr, CONTROL_RX);
}

/* The next message is this one; text: what follows it. */
static void hear(struct ports *p, uint32_t id, unsigned what, unsigned value, const char *text)
{
	uint32_t len;
	int i = vr_used(p->vr, CONTROL_RX, &len);
	const uint8_t *m;

	assert_true(i >= 0);
	m = vr_at(p->vr, VR_DATA + 0x1000 + 128u * (unsigned)i);
	assert_int_equal(get_le(m, 4), id);
	assert_int_equal(get_le(m + 4, 2), what);
	assert_int_equal(get_le(m + 6, 2), value);
	assert_int_equal(len, 8 + strlen(text));
	assert_memory_equal(m + 8, text, strlen(text));
	offer_control(p, 1);
}

static void hear_nothing(struct ports *p)
{
	assert_int_equal(vr_used(p->vr, CONTROL_RX, NULL), -1);
}

static void tell(struct ports *p, uint32_t id, unsigned what, unsigned value)
{
	uint8_t *m = vr_at(p->vr, VR_DATA);

	put_le(m, id, 4);
	put_le(m + 4, what, 2);
	put_le(m + 6, value, 2);
	vr_desc(p->vr, CONTROL_TX, 0, VR_DATA, 8, 0, 0);
	vr_offer(p->vr, CONTROL_TX, 0);
	vr_kick(p->vr, CONTROL_TX);
	assert_int_equal(vr_used(p->vr, CONTROL_TX, NULL), 0);
}

static size_t type_at(struct rig_chr *c, const char *text)
{
	return chr_input(&c->chr, (const uint8_t *)text, strlen(text));
}

static int make_ports(void **state)
{
	static const struct chr_ops ops = { .write = rig_chr_write, .room = rig_chr_room };
	struct ports *p = calloc(1, sizeof *p);

	assert_non_null(p);
	p->agent.chr.ops = p->other.chr.ops = &ops;
	p->lines.n = 2;
	strcpy(p->lines.line[0].name, "org.agent.0");
	p->lines.line[0].chr = &p->agent.chr;
	strcpy(p->lines.line[1].name, "other");
	p->lines.line[1].chr = &p->other.chr;
	p->agent.chr.away = true;
	p->vr = vrig_new("virtio_console", &p->lines);
	assert_int_equal(vr_config(p->vr, 4, 4), 3);
	vr_start(p->vr, F_MULTIPORT, 16);
	*state = p;
	return 0;
}

static int drop_ports(void **state)
{
	struct ports *p = *state;

	vrig_free(p->vr);
	free(p);
	return 0;
}

static void ports_are_named_and_opened(void **state)
{
	struct ports *p = *state;
	struct vrig *vr = p->vr;

	tell(p, 0, READY, 1);
	hear_nothing(p); /* there is no buffer yet: nothing is lost */
	vr_reload(vr);
	offer_control(p, 1);
	hear(p, 1, ADD, 1, ""); /* port 0 is not there */
	hear(p, 2, ADD, 1, "");
	hear_nothing(p);
	tell(p, 0, PORT_READY, 1);
	tell(p, 7, PORT_READY, 1);
	tell(p, UINT32_MAX, OPEN, 1);
	hear_nothing(p);
	tell(p, 1, PORT_READY, 1);
	hear(p, 1, OPEN, 0, "");
	hear(p, 1, NAME, 1, "org.agent.0");
	tell(p, 2, PORT_READY, 1);
	hear(p, 2, OPEN, 1, "");
	hear(p, 2, NAME, 1, "other");
	chr_set_away(&p->agent.chr, false);
	hear(p, 1, OPEN, 1, "");
	chr_set_away(&p->agent.chr, false);
	hear_nothing(p);
}

static void each_port_has_its_line(void **state)
{
	struct ports *p = *state;
	struct vrig *vr = p->vr;
	uint32_t len;

	vr_desc(vr, RX2, 0, VR_DATA + 0x100, 16, VR_WRITE, 0);
	vr_offer(vr, RX2, 0);
	vr_kick(vr, RX2);
	assert_int_equal(type_at(&p->other, "early"), 0); /* nobody has opened it */
	tell(p, 2, OPEN, 1);
	assert_int_equal(p->other.rooms, 1);
	assert_int_equal(type_at(&p->agent, "abc"), 0);
	assert_int_equal(type_at(&p->other, "abc"), 3);
	assert_int_equal(vr_used(vr, RX2, &len), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(vr_at(vr, VR_DATA + 0x100), "abc", 3);
	strcpy((char *)vr_at(vr, VR_DATA + 0x200), "to the agent");
	vr_desc(vr, TX1, 0, VR_DATA + 0x200, 12, 0, 0);
	vr_offer(vr, TX1, 0);
	vr_kick(vr, TX1);
	assert_string_equal(p->agent.out, "to the agent");
	assert_string_equal(p->other.out, "");
	tell(p, 2, OPEN, 0);
	vr_offer(vr, RX2, 0);
	vr_kick(vr, RX2);
	assert_int_equal(type_at(&p->other, "late"), 0);
}

static void a_console_has_a_size(void **state)
{
	struct ports p = { .vr = vrig_new("virtio_console", NULL) };
	struct rig *r = p.vr->r;

	(void)state;
	chr_resize(&r->chr.chr, 80, 24);
	vr_start(p.vr, F_MULTIPORT | 1, 16);
	assert_int_equal(vr_config(p.vr, 0, 2), 80);
	assert_int_equal(vr_config(p.vr, 2, 2), 24);
	offer_control(&p, 1);
	tell(&p, 0, READY, 1);
	hear(&p, 0, ADD, 1, "");
	tell(&p, 0, PORT_READY, 1);
	/* The newer size is told. */
	chr_resize(&r->chr.chr, 0x6463, 0x3231);
	assert_int_equal(vr_config(p.vr, 0, 4), 0x32316463);
	assert_int_equal(vr_get(p.vr, R_ISR) & 2, 2);
	hear(&p, 0, CONSOLE, 1, "");
	hear(&p, 0, RESIZE, 1, "cd12");
	hear(&p, 0, OPEN, 1, "");
	hear_nothing(&p);
	vr_desc(p.vr, RX, 0, VR_DATA + 0x100, 16, VR_WRITE, 0);
	vr_offer(p.vr, RX, 0);
	vr_kick(p.vr, RX);
	assert_int_equal(rig_type(r, "x"), 0);
	tell(&p, 0, OPEN, 1); /* there is nothing to wait for */
	assert_int_equal(rig_type(r, "x"), 1);
	vrig_free(p.vr);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_reaches_the_host),
		cmocka_unit_test(input_fills_the_drivers_buffers),
		cmocka_unit_test(buffers_survive_save_and_load),
		cmocka_unit_test(emergency_writes_work_at_once),
		cmocka_unit_test(a_console_without_a_host_side_swallows),
		cmocka_unit_test(a_broken_queue_has_no_room),
		cmocka_unit_test_setup_teardown(ports_are_named_and_opened, make_ports, drop_ports),
		cmocka_unit_test_setup_teardown(each_port_has_its_line, make_ports, drop_ports),
		cmocka_unit_test(a_console_has_a_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
