/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/riscv64/model.h"

#include <errno.h>
#include <string.h>

/* One word of the text; false: it is none. */
static bool take(struct rv_model *m, const char *word, size_t len, bool first)
{
	if (first)
		return (len == 4 && !memcmp(word, "rv64", 4)) ||
		       (len == 4 && !memcmp(word, "best", 4));
	if (len != 2 || word[1] != 'v' || (*word != '+' && *word != '-'))
		return false;
	m->vector = *word == '+';
	return true;
}

int rv_model_parse(struct rv_model *m, const char *text, struct err *e)
{
	const char *word = text && *text ? text : NULL;
	size_t len;

	*m = (struct rv_model){ .vector = false };
	while (word) {
		len = strcspn(word, ",");
		if (!take(m, word, len, word == text))
			return err_set(e, EINVAL,
			    "riscv64: what is the CPU \"%.80s\"? rv64 or best, then ,+v or ,-v",
			    text);
		word = word[len] ? word + len + 1 : NULL;
	}
	return 0;
}
