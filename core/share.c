/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/share.h"

#include <stddef.h>

void share_submit(struct share *s, struct share_req *r)
{
	s->ops->submit(s, r);
}

void share_cancel(struct share *s)
{
	s->ops->cancel(s);
}

void share_drain(struct share *s)
{
	s->ops->drain(s);
}

void share_reset(struct share *s)
{
	s->ops->reset(s);
}

void share_free(struct share *s)
{
	if (s)
		s->ops->free(s);
}
