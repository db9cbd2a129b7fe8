#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What tools/decgen.py refuses, and that it names the lines; that its decoders pick the line that
# fixes most bits.
. test/tap.sh

head='prefix t
include stdint.h
fields R rd=11:7 rs1=19:15 rs2=24:20
fields I rd=11:7 rs1=19:15 imm=s31:20
fields M rd=11:7 rs1=19:15 rs2=24:20 imm=14:12
'
# Line 6 is the first behind the head.
gen() {
	printf '%s%s\n' "$head" "$1" >"$tmp/t.dec"
	python3 tools/decgen.py "$tmp/t.dec" >"$tmp/t.h" 2>"$tmp/err"
}
refused() {
	gen "$1"
	ok $((! $?)) "refuses $2"
	has "$tmp/err" "$3" "says why: $3"
}

gen 'add 0000000 ..... ..... 000 ..... 0110011 R'
ok $? "takes a good line"
refused 'add 0000000 ..... ..... 000 ..... 0110011 R
adx 000000. ..... ..... 00. ..... 0110011 R' "an operand bit that nobody reads" "t.dec:7: adx: nobody reads"
refused 'addi ....... ..... ..... 000 ..... 0010011 I
nop 0000000 ..... ..... ... ..... 0010011 M' "lines of which neither fixes more" "t.dec:7: nop overlaps addi .line 6"
refused 'addi ....... ..... ..... 000 ..... 0010011 I
addj ....... ..... ..... 000 ..... 0010011 I' "the same bits twice" "t.dec:7: addj overlaps addi .line 6"
refused 'addi ....... ..... ..... 000 ..... 0010011 I
addi ....... ..... ..... 001 ..... 0010011 I' "the same name twice" "t.dec:7: addi is on line 6"
refused 'add 000000 ..... ..... 000 ..... 0110011 R' "a word that is too short" "t.dec:6: add: 31 bits"
refused 'add 0000000 ..... ..... 000 ..... 0110011 R rs4!=0' "a constraint on no operand" "t.dec:6: add: what is 'rs4!=0'"
refused 'c.add = sub 000000000000000.' "a short form of nothing" "t.dec:6: c.add"
refused 'fields X rd=11-7' "a slice that is none" "t.dec:6: what is the slice"

gen 'addi ....... ..... ..... 000 ..... 0010011 I
nop 0000000 00000 00000 000 00000 0010011
mv 0000000 00000 ..... 000 ..... 0010011 I rd!=1
c.x = addi 000 . ..... ..... 01 C imm!=0 next
' 2>/dev/null
ok $((! $?)) "refuses an unknown format"
gen 'fields C rd=11:7 rs1=11:7 imm=s12,6:2
addi ....... ..... ..... 000 ..... 0010011 I
nop 0000000 00000 00000 000 00000 0010011
mv 0000000 00000 ..... 000 ..... 0010011 I rd!=1
c.x = addi 000 . ..... ..... 01 C imm!=0 next'
ok $? "takes special cases of a line"
cat >"$tmp/t.c" <<'END'
#include <assert.h>
enum { T_SINK = 32 };
#include "t.h"
int main(void)
{
	struct t_args a;
	assert(t_decode32(0x00000013, &a) == T_OP_nop);
	assert(t_decode32(0x00010113, &a) == T_OP_mv && a.rd == 2 && a.rs1 == 2 && a.imm == 0);
	assert(t_decode32(0x00010093, &a) == T_OP_addi && a.rd == 1);
	assert(t_decode32(0xfff10013, &a) == T_OP_addi && a.rd == T_SINK && a.imm == -1);
	assert(t_decode32(0x00001013, &a) == T_OP_illegal);
	assert(t_decode16(0x1101, &a) == T_OP_addi && a.rd == 2 && a.rs1 == 2 && a.imm == -32);
	assert(t_decode16(0x0101, &a) == T_OP_illegal);
	return 0;
}
END
${CC:-cc} -o "$tmp/t" "$tmp/t.c" && "$tmp/t"
ok $? "decodes what it was told"
finish
