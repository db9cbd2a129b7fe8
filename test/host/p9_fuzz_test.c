/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that sends any messages: mostly well-formed ones with odd contents, in any order, some
 * with bytes changed or cut off, or with too little room for the answer.  Sanitizers see what goes
 * wrong; beside the folder nothing may change, and afterwards a well-behaved client is served.
 * LODGE_SEED repeats a run, LODGE_ROUNDS makes it longer.
 */

#include "test/host/p9_rig.h"
#include "test/random.h"

struct fuzz {
	struct client *c;
	uint64_t seed;
};

static uint64_t rnd(struct fuzz *f, uint64_t below)
{
	return (random_shift(&f->seed) >> 16) % below;
}

static bool one_in(struct fuzz *f, unsigned n)
{
	return rnd(f, n) == 0;
}

static void fid(struct fuzz *f)
{
	c_put(f->c, one_in(f, 50) ? f->seed : one_in(f, 4) ? 0 : rnd(f, 7), 4);
}

static void name(struct fuzz *f)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "a", "b", "c", "..", ".",
		"", "../outside", "outside", "/", "a/b", "user.a", "user.b", "user.virtfs.mode",
		"security.x", "9P2000.L", "9P2000.u" };
	char odd[300];
	size_t n = rnd(f, sizeof odd);

	if (!one_in(f, 30)) {
		c_str(f->c, names[one_in(f, 4) ? rnd(f, ARRAY_LEN(names)) : rnd(f, 6)]);
		return;
	}
	for (size_t i = 0; i < n; i++)
		odd[i] = (char)rnd(f, 256);
	c_put(f->c, n, 2);
	c_bytes(f->c, odd, n);
}

static void link_target(struct fuzz *f)
{
	static const char *const targets[] = { "../outside/secret", "../outside", "..", "a", "/",
		"." };

	if (one_in(f, 8))
		name(f);
	else
		c_str(f->c, targets[rnd(f, ARRAY_LEN(targets))]);
}

static void number(struct fuzz *f, unsigned size)
{
	static const uint64_t edges[] = { 0, 1, 2, 4095, 4096, 65535, 65536, 1u << 20, INT32_MAX,
		UINT32_MAX, INT64_MAX, UINT64_MAX };
	uint64_t v = one_in(f, 3) ? edges[rnd(f, ARRAY_LEN(edges))] : rnd(f, 9000);

	c_put(f->c, v, size);
}

static void flags(struct fuzz *f)
{
	c_put(f->c, one_in(f, 4) ? f->seed : rnd(f, 4) | (one_in(f, 4) ? 01000 : 0), 4);
}

static void mode(struct fuzz *f)
{
	static const uint32_t kinds[] = { 0, 0, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK };

	c_put(f->c, kinds[rnd(f, ARRAY_LEN(kinds))] | rnd(f, 010000), 4);
}

static void data(struct fuzz *f)
{
	uint32_t n = one_in(f, 8) ? (uint32_t)rnd(f, 20000) : (uint32_t)rnd(f, 64);

	c_put(f->c, one_in(f, 30) ? f->seed : n, 4);
	for (uint32_t i = 0; i < n; i += 4)
		c_put(f->c, random_shift(&f->seed), 4);
}

/*
 * What each message is made of: f fid, n name, t target of a link, F flags, m mode, d data, w names
 * to walk, and numbers of 1, 2, 4 and 8 bytes.
 */
static const struct {
	uint8_t type;
	const char *parts;
} messages[] = {
	{ P9_TWALK, "ffw" },
	{ P9_TWALK, "ffw" },
	{ P9_TWALK, "ffw" },
	{ P9_TLOPEN, "fF" },
	{ P9_TLOPEN, "fF" },
	{ P9_TLCREATE, "fnFm4" },
	{ P9_TLCREATE, "fnFm4" },
	{ P9_TSYMLINK, "fnt4" },
	{ P9_TMKNOD, "fnm444" },
	{ P9_TRENAME, "ffn" },
	{ P9_TREADLINK, "f" },
	{ P9_TGETATTR, "f8" },
	{ P9_TSETATTR, "fam4488888" },
	{ P9_TXATTRWALK, "ffn" },
	{ P9_TXATTRCREATE, "fn8F" },
	{ P9_TREADDIR, "f84" },
	{ P9_TFSYNC, "f4" },
	{ P9_TLOCK, "f14884n" },
	{ P9_TGETLOCK, "f1884n" },
	{ P9_TLINK, "ffn" },
	{ P9_TMKDIR, "fnm4" },
	{ P9_TMKDIR, "fnm4" },
	{ P9_TRENAMEAT, "fnfn" },
	{ P9_TUNLINKAT, "fnr" },
	{ P9_TREAD, "f84" },
	{ P9_TWRITE, "f8d" },
	{ P9_TCLUNK, "f" },
	{ P9_TCLUNK, "f" },
	{ P9_TREMOVE, "f" },
	{ P9_TSTATFS, "f" },
	{ P9_TFLUSH, "2" },
	{ P9_TAUTH, "fnn4" },
};

static void part(struct fuzz *f, char what)
{
	unsigned n;

	switch (what) {
	case 'f':
		fid(f);
		break;
	case 'n':
		name(f);
		break;
	case 't':
		link_target(f);
		break;
	case 'F':
		flags(f);
		break;
	case 'm':
		mode(f);
		break;
	case 'd':
		data(f);
		break;
	case 'r':
		c_put(f->c, one_in(f, 2) ? 0x200 : rnd(f, 0x400), 4);
		break;
	case 'a':
		c_put(f->c, rnd(f, 0x400), 4);
		break;
	case 'w':
		n = (unsigned)rnd(f, 4);
		c_put(f->c, one_in(f, 50) ? rnd(f, 65536) : n, 2);
		while (n--)
			name(f);
		break;
	default:
		number(f, (unsigned)(what - '0'));
	}
}

static void spoil(struct fuzz *f)
{
	struct client *c = f->c;

	if (one_in(f, 3))
		c->len = 7 + rnd(f, c->len - 6);
	for (unsigned n = (unsigned)rnd(f, 4); n; n--)
		c->msg[4 + rnd(f, c->len - 4)] = (uint8_t)f->seed;
}

static void some_message(struct fuzz *f)
{
	struct client *c = f->c;
	size_t i = rnd(f, ARRAY_LEN(messages));
	const char *p;

	c_begin(c, messages[i].type);
	for (p = messages[i].parts; *p; p++)
		part(f, *p);
	if (one_in(f, 12))
		spoil(f);
	put_le(c->msg, one_in(f, 60) ? f->seed : c->len, 4);
	c->pieces = 1 + (unsigned)rnd(f, 9);
	c->ans_max = one_in(f, 20) ? rnd(f, 200) : C_MAX;
	c_send(c);
	c->ans_max = C_MAX;
}

static void start(struct fuzz *f)
{
	assert_int_equal(c_version(f->c, 4096 + (uint32_t)rnd(f, 100000), "9P2000.L"), 0);
	assert_int_equal(c_attach(f->c, 0, (uint32_t)rnd(f, 3)), 0);
}

static void expect_service(struct fuzz *f)
{
	struct client *c = f->c;

	c->pieces = 1;
	assert_int_equal(c_version(c, 65536, "9P2000.L"), 0);
	assert_int_equal(c_attach(c, 0, 0), 0);
	if (c->p->readonly)
		return;
	assert_int_equal(c_walk(c, 0, 1, ""), 0);
	assert_int_equal(c_create(c, 1, "after-all", O_RDWR | 0200, 0644, 0), 0);
	assert_int_equal(c_write(c, 1, 0, "still here", 10), 10);
	assert_int_equal(c_read(c, 1, 0, 100), 10);
	assert_true(h_has(c->share, "after-all", "still here"));
}

static void survive(bool readonly, bool mapped)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	struct fuzz f = { .seed = random_seed() };
	unsigned good = 0;
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) : 20;

	printf("# LODGE_SEED=%llu\n", (unsigned long long)f.seed);
	f.seed = (f.seed + 1) * 0x9e3779b97f4a7c15ull | 1;
	for (unsigned i = 0; i < n; i++) {
		f.c = c_new(readonly, mapped);
		if (one_in(&f, 4)) {
			nodes_free(f.c->p->nodes);
			f.c->p->nodes = nodes_new(f.c->share, 4, NULL);
		}
		h_file(f.c->share, "a", "text");
		start(&f);
		for (unsigned j = 0; j < 2000; j++) {
			some_message(&f);
			if (!f.c->p->msize)
				start(&f);
			else if (one_in(&f, 4)) /* if it was clunked */
				(void)c_attach(f.c, 0, (uint32_t)rnd(&f, 3));
			good += f.c->ans_len && f.c->ans[4] != P9_RLERROR;
		}
		expect_service(&f);
		c_end(f.c);
	}
	assert_true(good > n * 100); /* or it tests nothing but refusals */
	printf("# %u of %u messages did something\n", good, n * 2000);
}

static void any_messages_are_survived(void **state)
{
	(void)state;
	survive(false, false);
}

static void and_with_mapped_owners(void **state)
{
	(void)state;
	survive(false, true);
}

static void and_if_nothing_may_be_written(void **state)
{
	(void)state;
	survive(true, false);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_messages_are_survived),
		cmocka_unit_test(and_with_mapped_owners),
		cmocka_unit_test(and_if_nothing_may_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
