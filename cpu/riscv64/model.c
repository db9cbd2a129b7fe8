/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/riscv64/model.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"

#define NAME(name) [RV_EXT_##name] = #name,
#define ALWAYS(name)
#define VECTOR(name) | 1ull << RV_EXT_##name

static const char *const names[RV_NEXTENSIONS] = { RV_EXTENSIONS(NAME, NAME) };
/* Bits of those that come with vectors. */
static const uint64_t with_vectors = 0 RV_EXTENSIONS(ALWAYS, VECTOR);

const char *rv_extension_name(enum rv_extension x)
{
	return names[x];
}

bool rv_model_has(const struct rv_model *m, enum rv_extension x)
{
	return !(m->hidden >> x & 1) && (m->vector || !(with_vectors >> x & 1));
}

static bool is(const char *word, size_t len, const char *name)
{
	return len == strlen(name) && !memcmp(word, name, len);
}

static bool take_change(struct rv_model *m, const char *name, size_t len, bool add)
{
	if (is(name, len, "v")) {
		m->vector = add;
		return true;
	}
	for (unsigned n = 0; n < RV_NEXTENSIONS; n++) {
		if (!is(name, len, names[n]))
			continue;
		m->hidden = (m->hidden & ~(1ull << n)) | (uint64_t)!add << n;
		return true;
	}
	return false;
}

/* One word of the text; false: it is none. */
static bool take(struct rv_model *m, const char *word, size_t len, bool first)
{
	static const struct {
		const char *name;
		unsigned bits;
	} tables[] = { { "sv39", 39 }, { "sv48", 48 }, { "sv57", 57 } };

	if (first)
		return is(word, len, "rv64") || is(word, len, "best");
	for (size_t n = 0; n < ARRAY_LEN(tables); n++)
		if (is(word, len, tables[n].name)) {
			m->virtual_bits = tables[n].bits;
			return true;
		}
	return len && (*word == '+' || *word == '-') &&
	       take_change(m, word + 1, len - 1, *word == '+');
}

int rv_model_parse(struct rv_model *m, const char *text, struct err *e)
{
	const char *word = text && *text ? text : NULL;
	size_t len;

	*m = (struct rv_model){ .virtual_bits = 57 };
	while (word) {
		len = strcspn(word, ",");
		if (!take(m, word, len, word == text))
			return err_set(e, EINVAL,
			    "riscv64: what is the CPU \"%.80s\"? rv64 or best, then ,+v or ,-v, "
			    "-NAME of an extension (-zacas), sv39, sv48 or sv57",
			    text);
		word = word[len] ? word + len + 1 : NULL;
	}
	return 0;
}
