/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recorder.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "base/thread.h"

enum { BLOCK = 64 << 10, WAITING_MAX = 8 << 20 };
static const uint64_t FLUSH_NS = 100000000;

struct recorder {
	int fd;
	uint64_t end;           /* of the file */
	struct log_place place; /* the VM's thread's: of what comes next */
	struct log_place told;  /* of what was put last */
	atomic_int failed;
	bool threaded;
	struct thread thread;
	struct mutex lock; /* for the rest */
	struct cond work;  /* the thread waits for some, */
	struct cond done;  /* and others for the thread */
	struct buf entries;
	bool writing, hurry, quit;
};

/* The lock is held, and let go of meanwhile. */
static void write_block(struct recorder *r)
{
	struct buf plain = r->entries, packed = { 0 };
	int rc;

	r->entries = (struct buf){ 0 };
	r->writing = true;
	mutex_unlock(&r->lock);
	rc = plain.failed ? -ENOMEM : log_pack(&plain, &packed);
	if (!rc)
		rc = os_file_write(r->fd, packed.data, packed.len, r->end);
	r->end += packed.len;
	buf_free(&plain);
	buf_free(&packed);
	if (rc)
		atomic_store(&r->failed, rc);
	mutex_lock(&r->lock);
	r->writing = false;
	cond_broadcast(&r->done);
}

static void *work(void *arg)
{
	struct recorder *r = arg;

	mutex_lock(&r->lock);
	while (!r->quit || r->entries.len) {
		if (r->entries.len && (r->quit || r->hurry || r->entries.len >= BLOCK))
			write_block(r);
		else if (!cond_wait_for(&r->work, &r->lock, FLUSH_NS) && r->entries.len)
			write_block(r);
	}
	mutex_unlock(&r->lock);
	return NULL;
}

/* An entry begins: takes the lock. */
static struct buf *begin(struct recorder *r, enum log_kind kind)
{
	const uint8_t byte = (uint8_t)kind, at = LOG_AT;
	struct buf *b = &r->entries;

	mutex_lock(&r->lock);
	if (!b->len) {
		log_put_number(b, r->told.turns);
		log_put_number(b, r->told.count);
	}
	if (r->told.turns != r->place.turns) {
		buf_put(b, &at, 1);
		log_put_number(b, r->place.turns - r->told.turns);
		log_put_number(b, r->place.count - r->told.count);
		r->told = r->place;
	}
	buf_put(b, &byte, 1);
	return b;
}

/* It is whole. */
static void end(struct recorder *r)
{
	if (atomic_load_explicit(&r->failed, memory_order_relaxed)) {
		buf_free(&r->entries);
		r->entries = (struct buf){ 0 };
	} else if (!r->threaded && r->entries.len >= BLOCK) {
		write_block(r);
	} else if (r->entries.len >= BLOCK) {
		cond_signal(&r->work);
		while (r->entries.len >= WAITING_MAX)
			cond_wait(&r->done, &r->lock);
	}
	mutex_unlock(&r->lock);
}

static void put_data(struct recorder *r, struct buf *b, const void *data, size_t len)
{
	if (len > LOG_DATA_MAX) {
		atomic_store(&r->failed, -EFBIG);
		return;
	}
	log_put_number(b, len);
	buf_put(b, data, len);
}

void recorder_at(struct recorder *r, uint64_t turns, uint64_t count)
{
	r->place = (struct log_place){ turns, count };
}

void recorder_event(struct recorder *r, int source, const void *data, size_t len)
{
	struct buf *b = begin(r, LOG_EVENT);

	log_put_number(b, (uint64_t)source);
	put_data(r, b, data, len);
	end(r);
}

void recorder_answer(struct recorder *r, const void *data, size_t len)
{
	put_data(r, begin(r, LOG_ANSWER), data, len);
	end(r);
}

void recorder_wake(struct recorder *r, uint64_t ns)
{
	log_put_number(begin(r, LOG_WAKE), ns);
	end(r);
}

void recorder_sums(struct recorder *r, enum log_kind kind, const void *data, size_t len)
{
	put_data(r, begin(r, kind), data, len);
	end(r);
}

void recorder_end(struct recorder *r)
{
	begin(r, LOG_END);
	end(r);
}

int recorder_failed(struct recorder *r)
{
	return atomic_load(&r->failed);
}

int recorder_flush(struct recorder *r)
{
	mutex_lock(&r->lock);
	r->hurry = true;
	if (!r->threaded && r->entries.len)
		write_block(r);
	cond_signal(&r->work);
	while (r->entries.len || r->writing)
		cond_wait(&r->done, &r->lock);
	r->hurry = false;
	mutex_unlock(&r->lock);
	return recorder_failed(r);
}

void recorder_start(struct recorder *r)
{
	if (!r->threaded)
		r->threaded = thread_start(&r->thread, "lodge-record", work, r) == 0;
}

struct recorder *recorder_new(int fd, uint64_t at, const void *head, size_t head_len, struct err *e)
{
	struct recorder *r = calloc(1, sizeof *r);

	if (!r) {
		err_set(e, ENOMEM, "recording: no memory");
		close(fd);
		return NULL;
	}
	r->fd = fd;
	r->end = at;
	mutex_init(&r->lock);
	cond_init(&r->work);
	cond_init(&r->done);
	recorder_sums(r, LOG_HEAD, head, head_len);
	return r;
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	recorder_flush(r);
	mutex_lock(&r->lock);
	r->quit = true;
	cond_signal(&r->work);
	mutex_unlock(&r->lock);
	if (r->threaded)
		thread_join(&r->thread);
	buf_free(&r->entries);
	cond_fini(&r->work);
	cond_fini(&r->done);
	mutex_fini(&r->lock);
	close(r->fd);
	free(r);
}
