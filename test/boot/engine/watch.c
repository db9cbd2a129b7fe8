/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program of the guest in engine_test.sh, without a C library: watch CPUS.  On each CPU a process
 * works on memory and with floating point, always twice, and compares; it looks whether clocks go
 * back, also those that the others have read.  It says "ROUND N" now and then, "WRONG ..." when
 * something is, and ends when it is sent a line.
 */
typedef unsigned long word;

enum { WORDS = 1 << 18, SUMS = 2000 };

#if defined(__riscv)
enum {
	SYS_READ = 63,
	SYS_WRITE = 64,
	SYS_PPOLL = 73,
	SYS_EXIT = 93,
	SYS_CLOCK_GETTIME = 113,
	SYS_SETAFFINITY = 122,
	SYS_CLONE = 220,
	SYS_MMAP = 222,
	SYS_WAIT4 = 260,
};

static long call(word n, word a, word b, word c, word d, word e, word f)
{
	register word a7 __asm__("a7") = n, a0 __asm__("a0") = a, a1 __asm__("a1") = b;
	register word a2 __asm__("a2") = c, a3 __asm__("a3") = d, a4 __asm__("a4") = e;
	register word a5 __asm__("a5") = f;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
			 : "memory");
	return (long)a0;
}

static word counter(void)
{
	word t;

	__asm__ volatile("fence\n rdtime %0\n fence" : "=r"(t)::"memory");
	return t;
}

static word vectors(word seed)
{
	return seed;
}

__asm__(".globl _start\n_start: mv a0, sp\n andi sp, sp, -16\n call start\n");
#else
enum {
	SYS_READ = 0,
	SYS_WRITE = 1,
	SYS_PPOLL = 271,
	SYS_EXIT = 60,
	SYS_CLOCK_GETTIME = 228,
	SYS_SETAFFINITY = 203,
	SYS_CLONE = 56,
	SYS_MMAP = 9,
	SYS_WAIT4 = 61,
};

static long call(word n, word a, word b, word c, word d, word e, word f)
{
	register word r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long rc;

	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return rc;
}

static word counter(void)
{
	word low, high;

	__asm__ volatile("lfence\n rdtsc\n lfence" : "=a"(low), "=d"(high)::"memory");
	return high << 32 | low;
}

/* The upper halves of YMM registers, where there are any. */
typedef word vector __attribute__((vector_size(32)));

/* Whether the kernel saves them (CPUID 1, ECX: OSXSAVE), and there is AVX2. */
static int has_vectors(void)
{
	unsigned a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c >> 27 & 1))
		return 0;
	a = 7, c = 0;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b >> 5 & 1;
}

__attribute__((noinline, target("avx2"))) static word use_vectors(word seed)
{
	vector a = { seed, seed + 1, seed + 2, seed + 3 }, b = a << 7;

	for (int i = 0; i < SUMS; i++) {
		a += b ^ (a >> 3);
		b -= a << 5;
		__asm__ volatile("" : "+x"(a), "+x"(b));
	}
	a ^= b;
	return a[0] ^ a[1] ^ a[2] ^ a[3];
}

static word vectors(word seed)
{
	return has_vectors() ? use_vectors(seed) : seed;
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
#endif

enum { PROT_RW = 3, MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_ANON = 0x20, SIGCHLD = 17, POLLIN = 1 };
enum { CLOCK_MONOTONIC = 1, CLOCK_RAW = 4 };

/* What all processes see. */
static struct shared {
	word latest[3]; /* that a clock was read */
	int stop, wrong;
} * shared;

static void say(const char *text, word n)
{
	char line[80], digits[24];
	word len = 0, d = sizeof digits;

	while (text[len] && len < 50) {
		line[len] = text[len];
		len++;
	}
	do
		digits[--d] = (char)('0' + n % 10);
	while (n /= 10);
	while (d < sizeof digits)
		line[len++] = digits[d++];
	line[len++] = '\n';
	call(SYS_WRITE, 1, (word)line, len, 0, 0, 0);
}

static void wrong(const char *text, word n)
{
	__atomic_store_n(&shared->wrong, 1, __ATOMIC_SEQ_CST);
	say(text, n);
}

static void *map(word size, word how)
{
	return (void *)call(SYS_MMAP, 0, size, PROT_RW, how | MAP_ANON, (word)-1, 0);
}

/* What is read now is not before what anybody has read before. */
static void look_at_clock(int which, word (*read)(void))
{
	word before = __atomic_load_n(&shared->latest[which], __ATOMIC_SEQ_CST), now = read();

	if (now < before)
		wrong(which ? "WRONG a clock went back by " : "WRONG the counter went back by ",
		    before - now);
	while (now > before && !__atomic_compare_exchange_n(&shared->latest[which], &before, now, 0,
				   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static word read_clock(word which)
{
	word t[2] = { 0, 0 };

	call(SYS_CLOCK_GETTIME, which, (word)t, 0, 0, 0, 0);
	return t[0] * 1000000000 + t[1];
}

static word monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static word raw(void)
{
	return read_clock(CLOCK_RAW);
}

__attribute__((noinline)) static word work(word *p, word seed)
{
	word sum = seed;

	for (word i = 0; i < WORDS; i++) {
		p[i] = p[i] * 6364136223846793005 + seed + i;
		sum = (sum << 1 | sum >> 63) ^ p[i];
	}
	return sum;
}

__attribute__((noinline)) static word doubles(word seed)
{
	union {
		double d;
		word w;
	} sum = { .d = 0 };
	double x = 1.0 + (double)(seed % 1000);

	for (int i = 0; i < SUMS; i++) {
		sum.d += 1.0 / x;
		x = x * 1.0000001 + 0.5;
		__asm__ volatile("" : "+m"(sum));
	}
	return sum.w;
}

/* On x86 the x87's registers. */
__attribute__((noinline)) static word long_doubles(word seed)
{
#if defined(__riscv)
	return seed;
#else
	long double sum = 0, x = 1.0L + (long double)(seed % 1000);

	for (int i = 0; i < SUMS; i++) {
		sum += 1.0L / x;
		x = x * 1.0000001L + 0.5L;
	}
	return (word)(sum * 1e15L);
#endif
}

static void look_at_floats(word seed)
{
	if (doubles(seed) != doubles(seed))
		wrong("WRONG sum of doubles in round ", seed);
	if (long_doubles(seed) != long_doubles(seed))
		wrong("WRONG sum of long doubles in round ", seed);
	if (vectors(seed) != vectors(seed))
		wrong("WRONG vectors in round ", seed);
}

/* Page tables come and go, and other CPUs have to forget them. */
static void fork_one(void)
{
	long pid = call(SYS_CLONE, SIGCHLD, 0, 0, 0, 0, 0);

	if (!pid)
		call(SYS_EXIT, 0, 0, 0, 0, 0, 0);
	else
		call(SYS_WAIT4, (word)pid, 0, 0, 0, 0, 0);
}

static void look_for_line(void)
{
	struct {
		int fd;
		short events, revents;
	} p = { .events = POLLIN };
	word none[2] = { 0, 0 };
	char line[80];

	if (call(SYS_PPOLL, (word)&p, 1, (word)none, 0, 0, 0) <= 0)
		return;
	call(SYS_READ, 0, (word)line, sizeof line, 0, 0, 0);
	__atomic_store_n(&shared->stop, 1, __ATOMIC_SEQ_CST);
}

static word watch(word cpu)
{
	word mask = 1ul << cpu, round = 0, sum[2];
	word *p[2] = { map(WORDS * sizeof(word), MAP_PRIVATE),
		map(WORDS * sizeof(word), MAP_PRIVATE) };

	call(SYS_SETAFFINITY, 0, sizeof mask, (word)&mask, 0, 0, 0);
	while (!__atomic_load_n(&shared->stop, __ATOMIC_SEQ_CST)) {
		for (int i = 0; i < 2; i++) {
			sum[i] = work(p[i], round);
			look_at_clock(0, counter);
			look_at_clock(1, monotonic);
			look_at_clock(2, raw);
		}
		if (sum[0] != sum[1])
			wrong("WRONG sum of memory in round ", round);
		look_at_floats(round);
		fork_one();
		round++;
		if (cpu)
			continue;
		if (round % 8 == 0)
			say("ROUND ", round);
		look_for_line();
	}
	return round;
}

void start(word *stack);
void start(word *stack)
{
	const char *cpus = stack[0] > 1 ? (const char *)stack[2] : "1";
	word n = (word)(*cpus - '0'), done;

	shared = map(4096, MAP_SHARED);
	for (word cpu = 1; cpu < n; cpu++)
		if (!call(SYS_CLONE, SIGCHLD, 0, 0, 0, 0, 0)) {
			watch(cpu);
			call(SYS_EXIT, 0, 0, 0, 0, 0, 0);
		}
	done = watch(0);
	while (call(SYS_WAIT4, (word)-1, 0, 0, 0, 0, 0) > 0)
		;
	say(shared->wrong ? "ROUNDS WITH ERRORS " : "ROUNDS ALL RIGHT ", done);
	call(SYS_EXIT, (word)shared->wrong, 0, 0, 0, 0, 0);
}
