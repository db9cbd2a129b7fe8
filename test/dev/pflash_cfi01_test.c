/* SPDX-License-Identifier: BSD-2-Clause */
/* A flash chip: what its commands do to its contents and to its file, also when Lodge is killed. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/block.h"
#include "test/dev/virtio_disk.h"
#include "test/random.h"

enum { BASE = 0x10000000, BLOCK = 4096, FILE_BLOCKS = DISK_SIZE / BLOCK };
enum { READY = 0x80, ERASE_FAILED = 0x20, PROGRAM_FAILED = 0x10, LOCKED = 0x02 };
enum { BAD_SEQUENCE = READY | ERASE_FAILED | PROGRAM_FAILED };

struct flash {
	struct rig *r;
	struct disk disk;
	uint8_t before[DISK_SIZE];
};

static int make(void **state)
{
	struct flash *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->r = rig_new();
	disk_init(&f->disk);
	memcpy(f->before, f->disk.data, DISK_SIZE);
	rig_dev(f->r, "pflash_cfi01", BASE, 0, &f->disk.b);
	*state = f;
	return 0;
}

static int drop(void **state)
{
	struct flash *f = *state;

	rig_free(f->r);
	free(f);
	return 0;
}

static uint8_t get(struct flash *f, uint64_t off)
{
	return (uint8_t)rig_read(f->r, BASE + off, 1);
}

static void put(struct flash *f, uint64_t off, unsigned val)
{
	rig_write(f->r, BASE + off, val, 1);
}

static uint8_t status(struct flash *f)
{
	put(f, 0, 0x70);
	return get(f, 0);
}

/* Whatever was begun, this ends it: the count of a buffer is the longest. */
static void read_array(struct flash *f)
{
	for (unsigned i = 0; i < 260; i++)
		put(f, 0, 0xff);
}

static void same_as_file(struct flash *f)
{
	read_array(f);
	for (uint64_t off = 0; off < DISK_SIZE; off += 8)
		if (rig_read(f->r, BASE + off, 8) != get_le(f->disk.data + off, 8))
			fail_msg("chip and file differ at %#llx", (unsigned long long)off);
}

static void the_contents_are_the_files(void **state)
{
	struct flash *f = *state;
	const unsigned sizes[] = { 1, 2, 4, 8 };

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		const unsigned n = sizes[i];

		assert_true(rig_read(f->r, BASE + 8, n) == get_le(f->before + 8, n));
		assert_true(rig_read(f->r, BASE + DISK_SIZE - n, n) ==
			    get_le(f->before + DISK_SIZE - n, n));
	}
	same_as_file(f);
}

/* edk2, OvmfPkg/QemuFlashFvbServicesRuntimeDxe: it wants 0 as the status behind a clear. */
static void ovmf_finds_it(void **state)
{
	struct flash *f = *state;

	put(f, 5, 0x50);
	assert_int_not_equal(get(f, 5), 0x50);
	put(f, 5, 0x70);
	assert_int_equal(get(f, 5), 0);
	put(f, 5, 0xff);
	assert_int_equal(get(f, 5), f->before[5]);
}

static void programming_clears_bits_and_reaches_the_file(void **state)
{
	struct flash *f = *state;

	f->disk.data[100] = 0xff;
	put(f, 100, 0x40);
	put(f, 100, 0x5a);
	assert_int_equal(get(f, 0), READY);
	assert_int_equal(f->disk.data[100], f->before[100] & 0x5a);
	put(f, 0, 0xff);
	assert_int_equal(get(f, 100), f->before[100] & 0x5a);
	assert_int_equal(get(f, 99), f->before[99]);
	assert_int_equal(get(f, 101), f->before[101]);
	put(f, 100, 0x10);
	put(f, 100, 0xff);
	put(f, 0, 0xff);
	assert_int_equal(get(f, 100), f->before[100] & 0x5a);
	same_as_file(f);
}

static void erasing_sets_a_block_to_ones(void **state)
{
	struct flash *f = *state;
	uint8_t ones[BLOCK];

	memset(ones, 0xff, sizeof ones);
	put(f, 2 * BLOCK + 17, 0x20);
	put(f, 2 * BLOCK + 17, 0xd0);
	assert_int_equal(get(f, 0), READY);
	assert_memory_equal(f->disk.data + 2 * BLOCK, ones, BLOCK);
	assert_memory_equal(f->disk.data, f->before, 2 * BLOCK);
	assert_memory_equal(f->disk.data + 3 * BLOCK, f->before + 3 * BLOCK, DISK_SIZE - 3 * BLOCK);
	same_as_file(f);
}

static void fill_buffer(struct flash *f, uint64_t off, const uint8_t *data, unsigned n)
{
	put(f, off, 0xe8);
	assert_int_equal(get(f, off) & READY, READY);
	put(f, off, n - 1);
	for (unsigned i = 0; i < n; i++)
		put(f, off + i, data[i]);
}

static void a_buffer_is_programmed_when_it_is_confirmed(void **state)
{
	struct flash *f = *state;
	const uint64_t off = 4 * BLOCK - 256;
	uint8_t data[256];

	put(f, 3 * BLOCK, 0x20);
	put(f, 3 * BLOCK, 0xd0);
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(255 - i);
	fill_buffer(f, off, data, 256);
	assert_int_equal(f->disk.data[off], 0xff);
	put(f, off, 0xd0);
	assert_int_equal(get(f, 0), READY);
	assert_memory_equal(f->disk.data + off, data, 256);
	/* In any order, and not all of it. */
	put(f, off, 0x20);
	put(f, off, 0xd0);
	put(f, off, 0xe8);
	put(f, off, 1);
	put(f, off + 8, 0x12);
	put(f, off + 9, 0x34);
	put(f, off, 0xd0);
	assert_int_equal(get_le(f->disk.data + off + 7, 4), 0xff3412ff);
	/* A wide access is several cycles. */
	put(f, off, 0xe8);
	put(f, off, 3);
	rig_write(f->r, BASE + off, 0x44332211, 4);
	put(f, off, 0xd0);
	assert_int_equal(get_le(f->disk.data + off, 4), 0x44332211);
	same_as_file(f);
}

static void wrong_sequences_are_reported_and_change_nothing(void **state)
{
	static const uint8_t data[] = { 0, 0, 0, 0 };
	struct flash *f = *state;

	put(f, 0, 0x20);
	put(f, 0, 0x21);
	assert_int_equal(get(f, 0), BAD_SEQUENCE);
	put(f, 0, 0x50);
	put(f, 0, 0x60);
	put(f, 0, 0x02);
	assert_int_equal(get(f, 0), BAD_SEQUENCE);
	put(f, 0, 0x50);
	fill_buffer(f, 0, data, 4); /* not confirmed */
	put(f, 0, 0xff);
	assert_int_equal(get(f, 0), BAD_SEQUENCE);
	put(f, 0, 0x50);
	put(f, 0, 0xe8); /* out of the buffer */
	put(f, 0, 1);
	put(f, 8, 0);
	put(f, 10, 0);
	assert_int_equal(get(f, 0), BAD_SEQUENCE);
	put(f, 0, 0x50);
	put(f, 0, 0xe8); /* into the next block */
	put(f, 0, 1);
	put(f, BLOCK - 1, 0);
	assert_int_equal(get(f, 0), BAD_SEQUENCE);
	put(f, 0, 0x50);
	put(f, 0, 0xe8); /* behind the end */
	put(f, 0, 255);
	put(f, DISK_SIZE - 1, 0);
	assert_int_equal(get(f, 0), BAD_SEQUENCE);
	put(f, 0, 0x50);
	put(f, 0, 0x33); /* no command */
	assert_int_equal(status(f), 0);
	assert_memory_equal(f->disk.data, f->before, DISK_SIZE);
	same_as_file(f);
}

static void locks_are_taken_and_hold_nothing(void **state)
{
	struct flash *f = *state;

	put(f, 0, 0x60);
	put(f, 0, 0x01);
	assert_int_equal(get(f, 0), READY);
	put(f, 0, 0x40);
	put(f, 0, 0);
	assert_int_equal(get(f, 0), READY);
	assert_int_equal(f->disk.data[0], 0);
	put(f, 0, 0x60);
	put(f, 0, 0xd0);
	assert_int_equal(get(f, 0), READY);
}

static void it_says_what_it_is(void **state)
{
	struct flash *f = *state;

	put(f, 0, 0x90);
	assert_int_equal(get(f, 0), 0x89);
	assert_int_equal(get(f, 2), 0);
	put(f, 0x55, 0x98);
	assert_int_equal(rig_read(f->r, BASE + 0x10, 1), 'Q');
	assert_int_equal(rig_read(f->r, BASE + 0x10, 8) & 0xffffffffff, 0x0001595251);
	assert_int_equal(get(f, 0x27), 16);
	assert_int_equal(rig_read(f->r, BASE + 0x2a, 2), 8);
	assert_int_equal(get(f, 0x2c), 1);
	assert_int_equal(get(f, 0x2d) | get(f, 0x2e) << 8, FILE_BLOCKS - 1);
	assert_int_equal((get(f, 0x2f) | get(f, 0x30) << 8) * 256, BLOCK);
	assert_int_equal(get(f, get(f, 0x15)), 'P');
	assert_int_equal(get(f, 0x40), 0);
	assert_int_equal(get(f, BLOCK - 1), 0);
	put(f, 0, 0xff);
	assert_int_equal(get(f, 0), f->before[0]);
}

static void a_file_that_cannot_be_written_is_a_locked_chip(void **state)
{
	struct flash *f = *state;

	f->disk.b.readonly = true;
	put(f, 0, 0x40);
	put(f, 0, 0);
	assert_int_equal(get(f, 0), READY | LOCKED | PROGRAM_FAILED);
	put(f, 0, 0x50);
	put(f, 0, 0x20);
	put(f, 0, 0xd0);
	assert_int_equal(get(f, 0), READY | LOCKED | ERASE_FAILED);
	assert_memory_equal(f->disk.data, f->before, DISK_SIZE);
	same_as_file(f);
}

static void errors_of_the_host_are_errors_of_the_chip(void **state)
{
	struct flash *f = *state;

	f->disk.fail = -EIO;
	put(f, 0, 0x40);
	put(f, 0, 0);
	assert_int_equal(get(f, 0), READY | PROGRAM_FAILED);
	put(f, 0, 0x50);
	put(f, 0, 0x20);
	put(f, 0, 0xd0);
	assert_int_equal(get(f, 0), READY | ERASE_FAILED);
	f->disk.fail = 0;
	put(f, 0, 0x50);
	put(f, 0, 0x40);
	put(f, 0, 1);
	assert_int_equal(get(f, 0), READY);
	assert_int_equal(f->disk.data[0], 1);
}

static void bad_files_are_refused_with_a_reason(void **state)
{
	static const uint64_t sizes[] = { 0, 512, BLOCK + 512, 65 << 20 };
	struct flash *f = *state;
	struct block b = f->disk.b;
	struct err e = { "" };
	struct dev where = { .env = &f->r->env, .base = 2 * BASE };

	assert_null(dev_new(dev_find("pflash_cfi01"), &where, &e));
	assert_non_null(strstr(e.text, "file"));
	where.back = &b;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		b.size = sizes[i];
		assert_null(dev_new(dev_find("pflash_cfi01"), &where, &e));
		assert_non_null(strstr(e.text, "root.img"));
	}
	f->disk.fail = -EIO;
	where.back = &f->disk.b;
	assert_null(dev_new(dev_find("pflash_cfi01"), &where, &e));
	assert_non_null(strstr(e.text, "root.img"));
}

static void what_was_begun_survives_save_and_restore(void **state)
{
	static const uint8_t zeroes[5];
	struct flash *f = *state;

	fill_buffer(f, 300, zeroes, 4);
	rig_reload(f->r->dev[0]);
	put(f, 0, 0xd0);
	assert_memory_equal(f->disk.data + 300, zeroes, 4);
	put(f, 0, 0x20);
	rig_reload(f->r->dev[0]);
	put(f, 0, 0xd0);
	assert_int_equal(f->disk.data[1], 0xff);
	put(f, 0, 0x90);
	rig_reload(f->r->dev[0]);
	assert_int_equal(get(f, 0), 0x89);
	put(f, 0, 0x20);
	dev_reset(f->r->dev[0]);
	assert_int_equal(get(f, 0), 0xff);
	assert_int_equal(status(f), READY);
	assert_true(f->disk.flushes > 0); /* a reset does it */
}

static void a_slow_file_gets_all_changes_in_the_end(void **state)
{
	struct flash *f = *state;

	f->disk.slow = true;
	for (unsigned i = 0; i < 3000; i++) {
		const uint64_t off = (i * 2654435761u) % DISK_SIZE;

		put(f, off, i % 7 ? 0x40 : 0x20);
		put(f, off, i % 7 ? i & 0xff : 0xd0);
		assert_true(f->disk.nwaiting <= 1);
		if (i % 5 == 0 && f->disk.nwaiting)
			disk_answer(&f->disk, 0);
	}
	while (f->disk.nwaiting)
		disk_answer(&f->disk, 0);
	f->disk.slow = false;
	same_as_file(f);
}

static void a_slow_file_is_waited_for(void **state)
{
	struct flash *f = *state;

	rig_free(f->r);
	f->r = rig_new();
	f->disk.slow = true;
	rig_dev(f->r, "pflash_cfi01", BASE, 0, &f->disk.b);
	put(f, 0, 0x40);
	put(f, 0, 0);
	assert_int_equal(get(f, 0), 0xff);
	assert_int_equal(f->disk.nwaiting, 1);
	disk_answer(&f->disk, 0);
	f->disk.slow = false;
	assert_memory_equal(f->disk.data, f->before, DISK_SIZE);
	same_as_file(f);
}

/* Each sequence of up to DEPTH cycles, of all that means something and something that does not:
 * what is in the file is what is in the chip, and nothing but programming and erasing changed it.
 */
static void every_sequence_leaves_chip_and_file_the_same(void **state)
{
	static const uint8_t cycle[] = { 0x00, 0x01, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98,
		0xd0, 0xe8, 0xff };
	enum { DEPTH = 4, N = sizeof cycle };
	struct flash *f = *state;
	unsigned total = 1, at;

	for (unsigned i = 0; i < DEPTH; i++)
		total *= N;
	for (unsigned n = 0; n < total; n++) {
		at = n;
		for (unsigned i = 0; i < DEPTH; i++, at /= N) {
			put(f, (n >> i & 1) * (DISK_SIZE - 1), cycle[at % N]);
			get(f, n % DISK_SIZE);
		}
		read_array(f);
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(get(f, i), f->disk.data[i]);
			assert_int_equal(
			    get(f, DISK_SIZE - 1 - i), f->disk.data[DISK_SIZE - 1 - i]);
		}
	}
	assert_memory_equal(f->disk.data + BLOCK, f->before + BLOCK, DISK_SIZE - 2 * BLOCK);
	same_as_file(f);
}

static void random_sequences_leave_chip_and_file_the_same(void **state)
{
	static const uint8_t likely_ones[] = { 0x40, 0x20, 0xd0, 0xe8, 0xff, 0x70, 0x50, 3 };
	uint64_t seed = random_seed(), x = seed | 1;
	struct flash *f = *state;

	print_message("LODGE_SEED=%llu\n", (unsigned long long)seed);
	for (unsigned i = 0; i < 200000; i++) {
		const unsigned size = 1u << (x >> 60 & 3);
		const uint64_t off = (x >> 20) % DISK_SIZE & ~(uint64_t)(size - 1);

		x = x * 6364136223846793005 + 1442695040888963407;
		if (x >> 63)
			put(f, off, likely_ones[x >> 50 & 7]);
		else
			rig_write(f->r, BASE + off, x >> 8, size);
		if (i % 20000 == 0)
			same_as_file(f);
	}
	same_as_file(f);
}

/* A process that fills block after block, and says how far it has come. */
static void fill_for_ever(const char *path, int progress)
{
	struct flash f = { .r = rig_new() };
	struct block *b = block_open(path, &(struct block_options){ .format = "raw" }, NULL);
	uint32_t n = 0;

	if (!b)
		_exit(1);
	rig_dev(f.r, "pflash_cfi01", BASE, 0, b);
	for (;; n++) {
		const uint64_t off = n % DISK_SIZE;

		if (off % BLOCK == 0) {
			put(&f, off, 0x20);
			put(&f, off, 0xd0);
		}
		put(&f, off, 0x40);
		put(&f, off, (n / DISK_SIZE) & 0x7f);
		if (write(progress, &n, sizeof n) != sizeof n)
			_exit(1);
	}
}

static void check_killed(const uint8_t *data, uint32_t last)
{
	uint32_t done = 0;

	/* What was reported is there; at most one operation more has begun. */
	for (uint32_t n = last >= BLOCK ? last - BLOCK + 1 : 0; n <= last; n++)
		if (n / BLOCK == last / BLOCK)
			assert_int_equal(data[n % DISK_SIZE], (n / DISK_SIZE) & 0x7f);
	for (uint32_t n = last + 1; n % BLOCK; n++)
		done += data[n % DISK_SIZE] != 0xff;
	assert_in_range(done, 0, 1);
}

static void a_killed_lodge_leaves_all_that_was_done(void **state)
{
	char path[] = "/tmp/lodge-flash.XXXXXX";
	static uint8_t data[DISK_SIZE];
	const int fd = mkstemp(path);
	int pipes[2], ended;

	(void)state;
	assert_true(fd >= 0 && !ftruncate(fd, DISK_SIZE));
	for (unsigned round = 0; round < 20; round++) {
		uint32_t n, last = 0, until = 1 + round * 4099;
		pid_t child;

		assert_int_equal(pipe(pipes), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child) {
			close(pipes[0]);
			fill_for_ever(path, pipes[1]);
		}
		close(pipes[1]);
		while (last < until && read(pipes[0], &n, sizeof n) == sizeof n)
			last = n;
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &ended, 0), child);
		assert_true(WIFSIGNALED(ended));
		while (read(pipes[0], &n, sizeof n) == sizeof n)
			last = n;
		close(pipes[0]);
		assert_int_equal(pread(fd, data, DISK_SIZE, 0), DISK_SIZE);
		check_killed(data, last);
	}
	close(fd);
	unlink(path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_contents_are_the_files, make, drop),
		cmocka_unit_test_setup_teardown(ovmf_finds_it, make, drop),
		cmocka_unit_test_setup_teardown(
		    programming_clears_bits_and_reaches_the_file, make, drop),
		cmocka_unit_test_setup_teardown(erasing_sets_a_block_to_ones, make, drop),
		cmocka_unit_test_setup_teardown(
		    a_buffer_is_programmed_when_it_is_confirmed, make, drop),
		cmocka_unit_test_setup_teardown(
		    wrong_sequences_are_reported_and_change_nothing, make, drop),
		cmocka_unit_test_setup_teardown(locks_are_taken_and_hold_nothing, make, drop),
		cmocka_unit_test_setup_teardown(it_says_what_it_is, make, drop),
		cmocka_unit_test_setup_teardown(
		    a_file_that_cannot_be_written_is_a_locked_chip, make, drop),
		cmocka_unit_test_setup_teardown(
		    errors_of_the_host_are_errors_of_the_chip, make, drop),
		cmocka_unit_test_setup_teardown(bad_files_are_refused_with_a_reason, make, drop),
		cmocka_unit_test_setup_teardown(
		    what_was_begun_survives_save_and_restore, make, drop),
		cmocka_unit_test_setup_teardown(
		    a_slow_file_gets_all_changes_in_the_end, make, drop),
		cmocka_unit_test_setup_teardown(a_slow_file_is_waited_for, make, drop),
		cmocka_unit_test_setup_teardown(
		    every_sequence_leaves_chip_and_file_the_same, make, drop),
		cmocka_unit_test_setup_teardown(
		    random_sequences_leave_chip_and_file_the_same, make, drop),
		cmocka_unit_test(a_killed_lodge_leaves_all_that_was_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
