/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/clone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "core/clock.h"
#include "core/mem.h"
#include "machine/build.h"
#include "machine/run.h"
#include "machine/save.h"
#include "machine/save_parts.h"
#include "machine/snapshot.h"
#include "machine/tape.h"

void clone_init(struct clone *c)
{
	c->hear = c->tell = -1;
}

static void forget_names(struct clone *c)
{
	free(c->name);
	free(c->console);
	free(c->ctl);
	c->name = c->console = c->ctl = NULL;
	c->begun = false;
}

/* How copies have ended is nobody's business, but somebody has to ask. */
static void reap(struct clone *c)
{
	for (unsigned i = 0; i < c->nchildren;)
		if (waitpid(c->child[i], NULL, WNOHANG) != 0)
			c->child[i] = c->child[--c->nchildren];
		else
			i++;
}

void clone_fini(struct clone *c)
{
	if (c->hear >= 0)
		close(c->hear);
	if (c->tell >= 0)
		close(c->tell);
	buf_free(&c->state);
	forget_names(c);
	reap(c);
	free(c->child);
}

static int copy_names(struct clone *c, const struct clone_what *w)
{
	c->name = strdup(w->name);
	c->console = strdup(w->console ? w->console : "none");
	c->ctl = strdup(w->ctl ? w->ctl : "none");
	if (c->name && c->console && c->ctl)
		return 0;
	forget_names(c);
	return -ENOMEM;
}

int machine_clone(struct machine *m, const struct clone_what *what, struct err *e)
{
	struct clone *c = &m->clone;
	int rc = tape_refuse(m, "copy", e);

	if (!rc)
		rc = disks_can_share(m, e);
	if (rc)
		return rc;
	mutex_lock(&m->lock);
	if (c->name || c->hear >= 0)
		rc = err_set(e, EBUSY, "a copy of this machine is being made already");
	else if (!m->running)
		rc = err_set(e, EINVAL, "the machine does not run, so there is nothing to copy");
	else if (copy_names(c, what))
		rc = err_set(e, ENOMEM, "no memory for a copy of the machine");
	if (!rc)
		c->status = (struct clone_status){ .state = CLONE_RUNS };
	mutex_unlock(&m->lock);
	if (!rc)
		machine_leave(m);
	return rc;
}

/* What the child has said since. */
static void hear(struct clone *c)
{
	char text[sizeof c->status.err.text] = "";
	ssize_t n = read(c->hear, text, sizeof text - 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	close(c->hear);
	c->hear = -1;
	c->status.state = n == 1 ? CLONE_DONE : CLONE_FAILED;
	if (n > 1)
		err_set(&c->status.err, EINVAL, "%s", text);
	else if (n < 1)
		err_set(&c->status.err, EIO, "the copy has ended before it ran");
}

void machine_clone_status(struct machine *m, struct clone_status *to)
{
	mutex_lock(&m->lock);
	if (m->clone.hear >= 0)
		hear(&m->clone);
	*to = m->clone.status;
	mutex_unlock(&m->lock);
}

void machine_clone_tell(struct machine *parent, const struct err *why_not)
{
	struct clone *c = &parent->clone;
	const char *text = why_not ? why_not->text : ".";
	ssize_t n = write(c->tell, text, strlen(text));

	(void)n; /* who asked sees that there is nothing */
	close(c->tell);
	c->tell = -1;
}

static bool has_room(struct clone *c)
{
	pid_t *more = realloc(c->child, (c->nchildren + 1) * sizeof *more);

	if (more)
		c->child = more;
	return more;
}

/* A pipe, and a child that holds one end of it; *hear is the other one. */
static pid_t make_child(struct clone *c, int *hear, struct err *e)
{
	int fd[2];
	pid_t pid;

	reap(c);
	if (!has_room(c)) {
		err_set(e, ENOMEM, "no memory for a copy of the machine");
		return -1;
	}
	if (pipe(fd) < 0) {
		err_set(e, errno, "cannot make a pipe for a copy: %s", strerror(errno));
		return -1;
	}
	for (int i = 0; i < 2; i++)
		fcntl(fd[i], F_SETFD, FD_CLOEXEC);
	fcntl(fd[0], F_SETFL, fcntl(fd[0], F_GETFL) | O_NONBLOCK);
	pid = fork();
	if (pid < 0)
		err_set(e, errno, "cannot make a process for a copy: %s", strerror(errno));
	if (pid > 0)
		c->child[c->nchildren++] = pid;
	if (pid > 0)
		*hear = fd[0];
	else
		close(fd[0]);
	if (pid == 0)
		c->tell = fd[1];
	else
		close(fd[1]);
	return pid;
}

bool clone_is_asked(const struct machine *m)
{
	return m->clone.name && !m->clone.begun;
}

/* true in the child, where the lock is left alone: other threads of the parent may have had it. */
bool clone_attend(struct machine *m)
{
	struct clone *c = &m->clone;
	const uint64_t began = os_clock_ns();
	struct err e = { "" };
	bool asked;
	pid_t pid = -1;
	int hear = -1;

	mutex_lock(&m->lock);
	asked = clone_is_asked(m);
	c->begun |= asked;
	mutex_unlock(&m->lock);
	if (!asked)
		return false;
	clock_pause(m->env.clock);
	if (!save_state(m, &c->state, &e))
		pid = make_child(c, &hear, &e);
	if (pid == 0)
		return true;
	mutex_lock(&m->lock);
	/* From here on others may ask the child. */
	c->hear = hear;
	c->status.pid = pid;
	c->status.stood_ns = os_clock_ns() - began;
	if (pid < 0) {
		c->status.state = CLONE_FAILED;
		c->status.err = e;
	}
	buf_free(&c->state);
	forget_names(c);
	mutex_unlock(&m->lock);
	if (!machine_is_paused(m))
		clock_resume(m->env.clock);
	return false;
}

void clone_end(struct machine *m)
{
	struct clone *c = &m->clone;

	mutex_lock(&m->lock);
	if (c->name) {
		c->status.state = CLONE_FAILED;
		err_set(
		    &c->status.err, ECANCELED, "the machine has ended before it could be copied");
		forget_names(c);
	}
	mutex_unlock(&m->lock);
}

/* In the child -------------------------------------------------------------------------------- */

int clone_take_ram(struct machine *m, void **hva, uint64_t size, struct err *e)
{
	struct machine *from = m->host.source;

	if (m->nrams >= from->nrams || from->ram[m->nrams].len != size)
		return err_set(e, EINVAL, "the copy of a machine has other memory than that");
	*hva = from->ram[m->nrams].hva;
	return 0;
}

static void copy_used(uint8_t *to, const uint8_t *from, uint64_t len)
{
	enum { PAGES = SNAPSHOT_CHUNK / MEM_PAGE };

	for (uint64_t at = 0, n; at < len; at += n) {
		uint8_t used[PAGES / 8] = { 0 };
		bool known;

		n = len - at < SNAPSHOT_CHUNK ? len - at : SNAPSHOT_CHUNK;
		known = os_ram_touched(from + at, n, used);
		for (uint64_t i = 0; i < n / MEM_PAGE; i++)
			if (!known || used[i / 8] >> i % 8 & 1)
				memcpy(to + at + i * MEM_PAGE, from + at + i * MEM_PAGE, MEM_PAGE);
	}
}

/* Memory of devices is made by them; what was used of it is copied. */
int clone_take_windows(struct machine *m, struct err *e)
{
	struct snapshot_ram from, to;
	int rc = snapshot_pieces(m->host.source->env.mem, &from);

	if (!rc)
		rc = snapshot_pieces(m->env.mem, &to);
	if (rc || from.n != to.n)
		return err_set(e, EINVAL, "the copy of a machine has other memory than that");
	for (unsigned i = 0; i < to.n; i++)
		if (to.piece[i].gpa == MEM_NOWHERE && to.piece[i].len == from.piece[i].len)
			copy_used(to.piece[i].hva, from.piece[i].hva, to.piece[i].len);
	return 0;
}
