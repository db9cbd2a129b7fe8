/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GDB_PACKET_H
#define GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Packets of GDB's remote serial protocol.  Source: Debugging with GDB (13.1), appendix E.1:
 * "$data#checksum", what is escaped, runs; E.7: interrupts.
 */
enum { GDB_PACKET_MAX = 0x4000 };

enum gdb_event {
	GDB_NOTHING,
	GDB_PACKET,  /* data, len */
	GDB_DAMAGED, /* one whose checksum is wrong */
	GDB_ACK,
	GDB_NAK,
	GDB_INTERRUPT,
};

/* A stream of bytes, one by one.  All zeroes is one that begins. */
struct gdb_reader {
	uint8_t data[GDB_PACKET_MAX + 1]; /* with a zero byte behind */
	size_t len;
	enum { GDB_OUTSIDE, GDB_INSIDE, GDB_ESCAPED, GDB_SUM_HIGH, GDB_SUM_LOW } state;
	uint8_t sum, wanted;
	bool bad; /* it is too long, or damaged */
};

enum gdb_event gdb_read(struct gdb_reader *, uint8_t byte);

/* Appends a packet: data is as it is (text), or bytes of which some are escaped; runs are made
 * short in text. */
void gdb_put_text(struct buf *, const void *data, size_t len);
void gdb_put_binary(struct buf *, const void *data, size_t len);

/* Hexadecimal numbers, as they are in packets ---------------------------------------------------
 */

/* The value of a digit, or -1. */
int gdb_digit(char);
/* Takes a number of at least one digit and at most 64 bits off *at; false: there is none. */
bool gdb_number(const char **at, uint64_t *);
/* Takes this character off. */
bool gdb_take(const char **at, char);
/* Takes a word off that is a whole packet or ends at one of ":;,". */
bool gdb_word(const char **at, const char *word);
/* The bytes that 2 * n digits stand for; false: there are not as many. */
bool gdb_bytes(const char **at, void *to, size_t n);
void gdb_put_hex(struct buf *, const void *bytes, size_t n);

#endif
