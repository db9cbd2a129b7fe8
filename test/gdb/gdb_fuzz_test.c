/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever is said to the server, the machine lives, and the next debugger is served.  LODGE_SEED
 * and LODGE_SECONDS choose another run, and a longer one. */
#include <errno.h>
#include <time.h>

#include "base/os.h"
#include "gdb/packet.h"
#include "test/gdb/rig.h"
#include "test/random.h"

/* What packets are made of: whole ones, which are changed a little. */
static const char *const seeds[] = { "?", "g", "p20", "p10", "P0a=1100000000000000",
	"P10=3412000000000000", "m80000000,40", "mf0000,40", "x80000000,10", "M80000110,4:01020304",
	"M8000,4:01020304", "X80000110,2:ab", "Z0,80000018,4", "Z0,f009f,1", "Z1,8000001c,2",
	"Z2,80000110,8", "Z2,8000,8", "Z3,80000110,4", "Z4,8000,1", "z0,80000018,4", "z2,8000,8",
	"Z0,80000018,4;X3,220127", "Z0,f009f,1;X5,2601002027X2,2227", "vCont;c", "vCont;s:p1.1",
	"vCont;s:1;c", "vCont;r80000018,80000018:1", "vCont;rf009f,f00b0:1;c", "vCont;t", "vCont?",
	"c", "s", "C05", "S05;80000018", "D", "D;1", "R00", "!", "vAttach;1", "vRun;", "Hgp1.1",
	"Hc-1", "Hg0", "T1", "qC", "qfThreadInfo", "qsThreadInfo", "qThreadExtraInfo,p1.1",
	"qSupported:swbreak+;hwbreak+;multiprocess+", "qAttached",
	"qXfer:features:read:target.xml:0,fff", "qXfer:features:read:target.xml:400,10",
	"qXfer:memory-map:read::0,fff", "qCRC:80000000,100", "qSearch:memory:80000000;1000;abc",
	"Qqemu.PhyMemMode:1", "Qqemu.PhyMemMode:0", "qqemu.PhyMemMode", "QStartNoAckMode",
	"QNonStop:0", "qRcmd,68656c70", "qRcmd,696e666f20726567697374657273",
	"qRcmd,696e666f206d656d", "qRcmd,696e666f20746c62203078383030303030303030",
	"qRcmd,696e666f206d74726565", "qRcmd,696e666f20697271", "qRcmd,696e666f2064657669636573",
	"qRcmd,61726368206175746f", "qRcmd,617263682069333836", "qRcmd,7265736574",
	"qRcmd,73746f70", "qRcmd,636f6e74", "qRcmd,706879736963616c206f6e",
	"qRcmd,696e666f20736e617073686f7473", "qRcmd,77616c6b2030783830303030303030",
	"qRcmd,747261636520657863657074696f6e73", "qRcmd,7472616365206f6666" };

/* The same for a machine that can go back: seek, when, bookmarks, wrote, checkpoints. */
static const char *const seeds_back[] = { "bs", "bc", "bs", "bc", "qRcmd,7365656b2031303030",
	"qRcmd,7365656b202b3130", "qRcmd,7365656b202d3130", "qRcmd,7365656b2061", "qRcmd,7768656e",
	"qRcmd,626f6f6b6d61726b2061", "qRcmd,626f6f6b6d61726b73",
	"qRcmd,77726f74652030783830303030313130", "qRcmd,77726f7465203078383030303a38",
	"qRcmd,636865636b706f696e7473" };

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static size_t change(uint64_t *seed, char *text, size_t n, size_t room)
{
	static const char digits[] = "0123456789abcdef,;:.-pXsc";
	unsigned times = (unsigned)(random_split(seed) % 4);
	size_t at;

	while (times--) {
		at = n ? random_split(seed) % n : 0;
		switch (random_split(seed) % 5) {
		case 0:
			text[at] = (char)random_split(seed);
			break;
		case 1:
			n = at;
			break;
		case 2:
			if (n + 40 < room) {
				memmove(text + at + 20, text + at, n - at);
				memset(text + at, digits[random_split(seed) % 16], 20);
				n += 20;
			}
			break;
		default:
			text[at] = digits[random_split(seed) % (sizeof digits - 1)];
			break;
		}
	}
	return n;
}

/* What was said last, of which the server may not have heard all yet: one of them it is at. */
enum { SAID = 300, SHOWN = 100 };

struct said {
	struct gdb_reader reader; /* as the server's, when it has heard all */
	uint64_t n;
	char text[SAID][SHOWN + 1];
};

static void note(struct said *s, const char *text, size_t n)
{
	char *to = s->text[s->n++ % SAID];

	for (n = n < SHOWN ? n : SHOWN; n--; text++)
		*to++ = *text < ' ' || *text > '~' ? '.' : *text;
	*to = '\0';
}

static void tell(void *arg)
{
	const struct said *s = arg;

	for (uint64_t i = s->n < SAID ? 0 : s->n - SAID; i < s->n; i++)
		print_message("packet %llu: %s\n", (unsigned long long)i, s->text[i % SAID]);
}

/* Reads what there is, so that the server is never in the way of itself. */
static void drain(const struct rig *r)
{
	char bytes[4096];

	while (recv(r->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
}

/* What ends the machine is not said, as its end would be no failure. */
static bool is_end(struct said *s, const char *bytes, size_t n)
{
	const char *text = (const char *)s->reader.data;
	bool any = false;

	for (size_t i = 0; i < n; i++)
		if (gdb_read(&s->reader, (uint8_t)bytes[i]) == GDB_PACKET)
			any |= text[0] == 'k' || !strncmp(text, "vKill", 5);
	return any;
}

/* false: it has hung up, or has to. */
static bool say(const struct rig *r, struct said *s, const char *text, size_t n, bool whole)
{
	char packet[700], end[4];
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (unsigned char)text[i];
	packet[0] = '$';
	memcpy(packet + 1, text, n);
	snprintf(end, sizeof end, "#%02x", sum & 255);
	memcpy(packet + 1 + n, end, 3);
	n += whole ? 4 : n / 2;
	if (is_end(s, packet, n))
		return false;
	return send(r->fd, packet, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void again(struct rig *r)
{
	struct said *s = r->arg;

	s->reader.state = GDB_OUTSIDE;
	close(r->fd);
	rig_dial(r);
}

static void check(struct rig *r)
{
	again(r);
	rig_expect(r, "qSupported", "PacketSize=");
	rig_expect(r, "?", "T05thread:");
	assert_true(strlen(rig_ask(r, "g")) > 200);
}

static const char *some_seed(uint64_t *seed, bool back)
{
	if (back && random_split(seed) % 3 == 0)
		return seeds_back[random_split(seed) % ARRAY_LEN(seeds_back)];
	return seeds[random_split(seed) % ARRAY_LEN(seeds)];
}

static void whatever_is_said(const char *arch, bool back)
{
	const uint64_t until = os_clock_ns() + number("LODGE_SECONDS", 6) * 1000000000 / 4;
	uint64_t seed = number("LODGE_SEED", 20261126);
	struct said *said = calloc(1, sizeof *said);
	struct rig *r = rig_new(arch, back ? "reverse" : seed & 1 ? "soft" : "eager", "2");
	char text[600];
	const char *from;
	size_t n;

	assert_non_null(said);
	r->silent = tell;
	r->arg = said;
	print_message("%s: LODGE_SEED=%llu\n", arch, (unsigned long long)seed);
	for (unsigned i = 1; os_clock_ns() < until; i++) {
		from = some_seed(&seed, back);
		n = strlen(from);
		memcpy(text, from, n);
		if (random_split(&seed) % 3)
			n = change(&seed, text, n, sizeof text);
		note(said, text, n);
		if (!say(r, said, text, n, random_split(&seed) % 50))
			again(r);
		if (random_split(&seed) % 4 == 0 && !is_end(said, "\3", 1))
			send(r->fd, "\3", 1, MSG_NOSIGNAL);
		if (random_split(&seed) % 8 == 0)
			usleep((unsigned)(random_split(&seed) % (back ? 20000 : 500)));
		drain(r);
		if (i % 500 == 0)
			check(r);
	}
	check(r);
	print_message("%llu packets\n", (unsigned long long)said->n);
	rig_free(r);
	free(said);
}

static void whatever_is_said_to_riscv64(void **state)
{
	(void)state;
	whatever_is_said("riscv64", false);
}

static void whatever_is_said_to_x86_64(void **state)
{
	(void)state;
	whatever_is_said("x86_64", false);
}

static void whatever_is_said_where_riscv64_goes_back(void **state)
{
	(void)state;
	whatever_is_said("riscv64", true);
}

static void whatever_is_said_where_x86_64_goes_back(void **state)
{
	(void)state;
	whatever_is_said("x86_64", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_is_said_to_riscv64),
		cmocka_unit_test(whatever_is_said_to_x86_64),
		cmocka_unit_test(whatever_is_said_where_riscv64_goes_back),
		cmocka_unit_test(whatever_is_said_where_x86_64_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
