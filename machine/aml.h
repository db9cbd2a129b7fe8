/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_AML_H
#define MACHINE_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * A writer of ACPI machine language: terms one behind the other, in the order in which they are
 * called.  What opens something (a scope, a package, a resource template) is ended by aml_end,
 * which fills in its length.  Errors stick in out.failed.  Starts as all zeroes; the maker frees
 * out.
 */
enum { AML_DEPTH = 8 };

struct aml {
	struct buf out;
	unsigned depth;
	struct aml_open {
		size_t at; /* where the length goes */
		uint8_t kind;
		uint8_t count; /* elements of a package */
	} open[AML_DEPTH];
};

/* Names are paths as in ASL: "COM1", "\\_SB", "_SB.PCI0"; segments of up to four characters are
 * filled up with '_'. */
void aml_scope(struct aml *, const char *path);
void aml_device(struct aml *, const char *name);
void aml_method(struct aml *, const char *name, unsigned args); /* serialized: no */
void aml_end(struct aml *);

/* Name (name, ...): the object is what is written next. */
void aml_name(struct aml *, const char *name);
void aml_path(struct aml *, const char *path); /* a reference to a named object */
void aml_int(struct aml *, uint64_t);
void aml_str(struct aml *, const char *);
void aml_eisa_id(struct aml *, const char *id); /* "PNP0501" */
void aml_uuid(struct aml *, const char *text);  /* ToUUID (...) */
void aml_package(struct aml *);
/* Each element of the open package is announced, then written. */
void aml_element(struct aml *);
void aml_name_int(struct aml *, const char *name, uint64_t);

/* In methods: the opcode, then its operands, as the specification orders them. */
enum aml_op {
	AML_LOCAL0 = 0x60, /* to + 7 */
	AML_ARG0 = 0x68,   /* to + 6 */
	AML_STORE = 0x70,  /* source, target */
	AML_AND = 0x7b,    /* a, b, target */
	AML_OR = 0x7d,
	AML_NOTIFY = 0x86,      /* object, value */
	AML_DWORD_FIELD = 0x8a, /* buffer, byte index, then aml_path for the new name */
	AML_LEQUAL = 0x93,
	AML_RETURN = 0xa4
};
void aml_op(struct aml *, enum aml_op);
void aml_if(struct aml *); /* its predicate is written first; to aml_end */
void aml_else(struct aml *);

/* Resource templates: ACPI 6.5, 6.4. */
void aml_resources(struct aml *);
void aml_io(struct aml *, uint16_t base, uint8_t len);
void aml_memory(struct aml *, uint32_t base, uint32_t len);
void aml_irq(struct aml *, uint8_t isa_irq); /* edge, active high */
void aml_gsi(struct aml *, uint32_t gsi, bool edge);
void aml_bus_window(struct aml *, uint16_t first, uint16_t last);
void aml_io_window(struct aml *, uint16_t first, uint16_t last);
void aml_memory_window(struct aml *, uint64_t base, uint64_t size);

#endif
