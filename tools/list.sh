#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# list.sh [FOLDER/]KIND: write the table of every KIND from the files that define
# `const struct KIND_class KIND_NAME`: KIND/NAME.c, KIND/*/NAME.c, or for a CPU KIND/NAME/cpu.c.
# Run by the build, never by hand.
set -eu
k=${1##*/}
names=$(find "$1" -name '*.c' -exec grep -hE "^const struct ${k}_class ${k}_[a-z0-9_]+ = \{" {} + |
	sed -E "s/^const struct ${k}_class ${k}_([a-z0-9_]+) .*/\1/" | LC_ALL=C sort)
echo "/* made by tools/list.sh $1: do not edit */"
echo "#include \"$1/$k.h\""
for n in $names; do echo "extern const struct ${k}_class ${k}_$n;"; done
echo "const struct ${k}_class *const ${k}_classes[] = {"
for n in $names; do echo "	&${k}_$n,"; done
echo "	0,"
echo "};"
