/* SPDX-License-Identifier: BSD-2-Clause */
/* A small monitor, as programs for libnvmm are: a guest in long mode with a console port, a timer
 * in memory that wants to be acknowledged, and one port to leave by.  The timer is a thread that
 * stops the processor; the guest sleeps for the first half of its ticks and spins for the others.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "test/lib/nvmm_rig.h"

enum { CONSOLE = 0x3f8, LEAVE = 0xf4, VECTOR = 0x40, HANDLER_AT = 0x80, TICKS = 10 };
enum { TIMER_ACK = RIG_HOLE + 0x20, TIMER_STATUS = RIG_HOLE + 0x24 };

static const uint8_t guest[] = {
	0x0f, 0x01, 0x1d, 0x44, 0, 0, 0,               /* 00 lidt [rip + 0x44]: 4b */
	0xfa,                                          /* 07 cli */
	0x83, 0x3c, 0x25, 0x00, 0x81, 0, 0, 0x05,      /* 08 cmp dword [0x8100], 5 */
	0x73, 0x04,                                    /* 10 jae 16 */
	0xfb,                                          /* 12 sti */
	0xf4,                                          /* 13 hlt */
	0xeb, 0xf1,                                    /* 14 jmp 07 */
	0xfb,                                          /* 16 sti */
	0x48, 0x8d, 0x35, 0x27, 0, 0, 0,               /* 17 lea rsi, [rip + 0x27]: 45 */
	0xb9, 0x06, 0, 0, 0,                           /* 1e mov ecx, 6 */
	0xba, 0xf8, 0x03, 0, 0,                        /* 23 mov edx, CONSOLE */
	0xf3, 0x6e,                                    /* 28 rep outsb */
	0xf3, 0x90,                                    /* 2a pause */
	0x83, 0x3c, 0x25, 0x00, 0x81, 0, 0, 0x0a,      /* 2c cmp dword [0x8100], 10 */
	0x72, 0xf4,                                    /* 34 jb 2a */
	0xfa,                                          /* 36 cli */
	0x8a, 0x04, 0x25, 0x00, 0x81, 0, 0,            /* 37 mov al, [0x8100] */
	0xba, 0xf4, 0, 0, 0,                           /* 3e mov edx, LEAVE */
	0xee,                                          /* 43 out dx, al */
	0xf4,                                          /* 44 hlt */
	's', 'p', 'i', 'n', '\r', '\n',                /* 45 */
	0xff, 0x0f, 0, RIG_IDT >> 8, 0, 0, 0, 0, 0, 0, /* 4b the IDT's limit and base */
};

static const uint8_t handler[] = {
	0x50,                                     /* push rax */
	0x52,                                     /* push rdx */
	0xff, 0x04, 0x25, 0x00, 0x81, 0, 0,       /* inc dword [0x8100] */
	0xba, 0xf8, 0x03, 0, 0,                   /* mov edx, CONSOLE */
	0x8a, 0x04, 0x25, 0x00, 0x81, 0, 0,       /* mov al, [0x8100] */
	0x04, '0' - 1,                            /* add al, '0' - 1 */
	0xee,                                     /* out dx, al */
	0xb8, 0x01, 0, 0, 0,                      /* mov eax, 1 */
	0x89, 0x04, 0x25, 0x20, 0x10, 0, 0,       /* mov [TIMER_ACK], eax */
	0x83, 0x0c, 0x25, 0x24, 0x10, 0, 0, 0x01, /* or dword [TIMER_STATUS], 1 */
	0x5a,                                     /* pop rdx */
	0x58,                                     /* pop rax */
	0x48, 0xcf,                               /* iretq */
};

struct monitor {
	struct rig *rig;
	char console[64];
	unsigned len;
	int left; /* what the guest said when it left; -1: not yet */
	/* The timer. */
	atomic_bool due, end; /* a tick that the guest has not acknowledged */
	atomic_bool spins;    /* it has said that it does: there are no more ticks before */
	bool given;           /* the processor has its interrupt */
	uint32_t status;
	atomic_uint acknowledged;
};

/* Found by way of the machine, for callbacks have no argument of their own: behind its memory. */
static struct monitor **place_of(struct rig *r)
{
	return (struct monitor **)(void *)r->hole;
}

static struct monitor *monitor_of(struct nvmm_vcpu *vcpu)
{
	return *place_of((struct rig *)(void *)((char *)vcpu - offsetof(struct rig, vcpu)));
}

static void port(struct nvmm_io *io)
{
	struct monitor *m = monitor_of(io->vcpu);

	assert_false(io->in);
	assert_int_equal(io->size, 1);
	if (io->port == LEAVE) {
		m->left = *io->data;
		return;
	}
	assert_int_equal(io->port, CONSOLE);
	assert_true(m->len < sizeof m->console - 1);
	m->console[m->len++] = (char)*io->data;
	if (*io->data == '\n')
		atomic_store(&m->spins, true);
}

static void timer_register(struct nvmm_mem *mem)
{
	struct monitor *m = monitor_of(mem->vcpu);

	assert_int_equal(mem->size, 4);
	if (mem->gpa == TIMER_ACK) {
		assert_true(mem->write && m->given);
		m->given = false;
		atomic_store(&m->due, false);
		atomic_fetch_add(&m->acknowledged, 1);
	} else if (mem->write) {
		assert_int_equal(mem->gpa, TIMER_STATUS);
		memcpy(&m->status, mem->data, 4);
	} else {
		memcpy(mem->data, &m->status, 4);
	}
}

static void *tick(void *arg)
{
	struct monitor *m = arg;

	while (!atomic_load(&m->end)) {
		usleep(2000);
		if (atomic_load(&m->acknowledged) < (atomic_load(&m->spins) ? TICKS : TICKS / 2))
			atomic_store(&m->due, true);
		nvmm_vcpu_stop(&m->rig->vcpu);
	}
	return NULL;
}

/* The interrupt if there is one and it can be taken; else to be told when. */
static void before_run(struct monitor *m)
{
	struct nvmm_vcpu *vcpu = &m->rig->vcpu;
	const struct nvmm_x86_exit *x = vcpu->exit;

	if (!atomic_load(&m->due) || m->given)
		return;
	if (x->exitstate.rflags & PL_IF && !x->exitstate.int_shadow && !x->exitstate.evt_pending) {
		vcpu->event->type = NVMM_VCPU_EVENT_INTR;
		vcpu->event->vector = VECTOR;
		assert_int_equal(nvmm_vcpu_inject(&m->rig->mach, vcpu), 0);
		m->given = true;
	} else if (!x->exitstate.int_window_exiting) {
		rig_get(m->rig, NVMM_X64_STATE_INTR);
		vcpu->state->intr.int_window_exiting = 1;
		rig_set(m->rig, NVMM_X64_STATE_INTR);
	}
}

static void step(struct monitor *m)
{
	struct rig *r = m->rig;

	before_run(m);
	assert_int_equal(nvmm_vcpu_run(&r->mach, &r->vcpu), 0);
	switch (r->vcpu.exit->reason) {
	case NVMM_VCPU_EXIT_NONE:
	case NVMM_VCPU_EXIT_STOPPED:
	case NVMM_VCPU_EXIT_INT_READY:
		break;
	case NVMM_VCPU_EXIT_HALTED:
		while (!atomic_load(&m->due))
			usleep(100);
		break;
	case NVMM_VCPU_EXIT_IO:
		assert_int_equal(nvmm_assist_io(&r->mach, &r->vcpu), 0);
		break;
	case NVMM_VCPU_EXIT_MEMORY:
		assert_int_equal(nvmm_assist_mem(&r->mach, &r->vcpu), 0);
		break;
	default:
		fail_msg("exit %#llx", (unsigned long long)r->vcpu.exit->reason);
	}
}

static void a_guest_lives_and_ends(void **state)
{
	static const struct nvmm_assist_callbacks callbacks = { port, timer_register };
	struct monitor m = { .rig = *state, .left = -1 };
	struct rig *r = m.rig;
	pthread_t t;

	*place_of(r) = &m;
	nvmm_vcpu_configure(
	    &r->mach, &r->vcpu, NVMM_VCPU_CONF_CALLBACKS, (void *)(uintptr_t)&callbacks);
	rig_load(r, RIG_64, guest, sizeof guest);
	memcpy(r->ram + RIG_CODE + HANDLER_AT, handler, sizeof handler);
	rig_put64(r, RIG_IDT + 16 * VECTOR,
	    0x8e0000080000ull | ((RIG_CODE + HANDLER_AT) & 0xffff) |
		(uint64_t)((RIG_CODE + HANDLER_AT) >> 16) << 48);
	rig_set(r, NVMM_X64_STATE_ALL);
	assert_int_equal(pthread_create(&t, NULL, tick, &m), 0);
	while (m.left < 0)
		step(&m);
	atomic_store(&m.end, true);
	pthread_join(t, NULL);
	assert_int_equal(m.left, TICKS);
	assert_int_equal(atomic_load(&m.acknowledged), TICKS);
	assert_int_equal(m.status, 1);
	assert_string_equal(m.console, "01234spin\r\n56789");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_guest_lives_and_ends, rig_begin, rig_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
