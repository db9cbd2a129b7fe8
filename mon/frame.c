/* SPDX-License-Identifier: BSD-2-Clause */
/* Source: RFC 8259, sections 2 and 7: where brackets and strings end. */
#include "mon/frame.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Between two values. */
static enum frame_end put_outside(struct frame *f, uint8_t c)
{
	if (f->rubbish) {
		f->rubbish = c != '\n';
		return f->rubbish ? FRAME_MORE : FRAME_RUBBISH;
	}
	if (is_blank(c))
		return FRAME_MORE;
	if (c != '{' && c != '[') {
		f->rubbish = true;
		return FRAME_MORE;
	}
	f->depth = 1;
	buf_put(&f->text, &c, 1);
	return f->text.failed ? FRAME_LOST : FRAME_MORE;
}

static void put_in_string(struct frame *f, uint8_t c)
{
	if (f->escape)
		f->escape = false;
	else if (c == '\\')
		f->escape = true;
	else if (c == '"')
		f->string = false;
}

enum frame_end frame_put(struct frame *f, uint8_t c)
{
	if (!f->depth)
		return put_outside(f, c);
	buf_put(&f->text, &c, 1);
	if (f->text.failed || f->text.len > FRAME_MAX)
		return FRAME_LOST;
	if (f->string)
		put_in_string(f, c);
	else if (c == '"')
		f->string = true;
	else if (c == '{' || c == '[')
		f->depth++;
	else if (c == '}' || c == ']')
		f->depth--;
	if (f->depth > FRAME_DEPTH)
		return FRAME_LOST;
	return f->depth ? FRAME_MORE : FRAME_VALUE;
}

void frame_next(struct frame *f)
{
	f->text.len = 0;
	f->depth = 0;
	f->string = f->escape = false;
}

void frame_free(struct frame *f)
{
	buf_free(&f->text);
}
