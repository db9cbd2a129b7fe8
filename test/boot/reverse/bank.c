/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program for a bare riscv64 machine that spoils its own memory, for doc/gdb.md: a name that is
 * too long runs into the balance behind it, which is found wrong long after that.
 */
__asm__(".pushsection .text.start, \"ax\"\n"
	".globl _start\n"
	"_start: la sp, stack\n"
	"	call work\n"
	"1:	j 1b\n"
	".popsection\n"
	".pushsection .bss\n"
	".align 4\n"
	"	.zero 4096\n"
	"stack:	.zero 16\n"
	".popsection\n");

enum { ACCOUNTS = 8, NAME = 8 };

struct account {
	char name[NAME];
	long balance;
};

static struct account bank[ACCOUNTS];
static const char *const names[ACCOUNTS] = { "ada", "bob", "chris", "dora", "eve", "ferdinand",
	"gus", "hal" };
volatile long rounds;

static void copy(char *to, const char *from)
{
	while ((*to++ = *from++))
		;
}

static void rename_account(int n, const char *name)
{
	copy(bank[n].name, name);
}

static void pay(int from, int to, long amount)
{
	bank[from].balance -= amount;
	bank[to].balance += amount;
}

static long total(void)
{
	long sum = 0;

	for (int i = 0; i < ACCOUNTS; i++)
		sum += bank[i].balance;
	return sum;
}

void wrong(long sum)
{
	rounds = sum;
	for (;;)
		;
}

void work(void)
{
	for (int i = 0; i < ACCOUNTS; i++)
		bank[i].balance = 1000;
	for (rounds = 0; rounds < 300000; rounds++) {
		pay((int)(rounds % 5), (int)((rounds + 1) % 5), 1);
		if (rounds == 123456)
			rename_account(5, names[5]);
	}
#ifdef POWER_OFF /* for recordings: SiFive's test device */
	*(volatile int *)0x100000 = 0x5555;
#endif
	if (total() != 1000 * ACCOUNTS)
		wrong(total());
}
