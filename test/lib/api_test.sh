# SPDX-License-Identifier: BSD-2-Clause
# The library as others get it: its header stands alone in C and C++, it exports the API and nothing else, and a
# program that is linked with the shared library runs.
. test/tap.sh
built=$(dirname "$LODGE")
: "${CC:=cc}"

echo '#include "lodge.h"' >"$tmp/header.c"
$CC -std=c11 -Wall -Wextra -Wpedantic -Werror -Iinclude -c "$tmp/header.c" -o "$tmp/header.o"
ok $? "lodge.h is C11 without extensions, and needs no other header"
if command -v c++ >/dev/null; then
	c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -Iinclude -x c++ -c "$tmp/header.c" -o "$tmp/header.o"
	ok $? "lodge.h is C++11"
else
	skip "lodge.h is C++11" "no C++ compiler here"
fi

if [ ! -f "$built/liblodge.so" ]; then
	skip_all "the shared library" "it is not built"
fi
nm -D --defined-only "$built/liblodge.so" | awk '$2 ~ /[TDBR]/ { print $3 }' | LC_ALL=C sort >"$tmp/exported"
grep -o '\<lodge_[a-z_]*(' include/lodge.h | tr -d '(' | LC_ALL=C sort -u >"$tmp/stated"
grep -v '^lodge_' "$tmp/exported" >"$tmp/others"
is "$(cat "$tmp/others")" "" "nothing is exported but the API"
for f in $(cat "$tmp/exported"); do
	grep -qx "$f" "$tmp/stated" || echo "$f"
done >"$tmp/unstated"
is "$(cat "$tmp/unstated")" "" "all that is exported stands in lodge.h"
for f in $(grep -o '^LODGE_API .*' include/lodge.h | grep -o '\<lodge_[a-z_]*(' | tr -d '('); do
	grep -qx "$f" "$tmp/exported" || echo "$f"
done >"$tmp/missing"
is "$(cat "$tmp/missing")" "" "all that lodge.h states is exported"

cat >"$tmp/use.c" <<'END'
#include <stdio.h>
#include <lodge.h>
static void print(void *arg, const struct lodge_engine *n)
{
	(void)arg;
	printf("%s\n", n->name);
}
int main(void)
{
	lodge_engines(print, NULL);
	return 0;
}
END
ln -s "$(cd "$built" && pwd)/liblodge.so" "$tmp/liblodge.so.0"
$CC -Iinclude "$tmp/use.c" "$tmp/liblodge.so.0" -o "$tmp/use" && LD_LIBRARY_PATH="$tmp" "$tmp/use" >"$tmp/out"
ok $? "a program with the shared library runs"
has "$tmp/out" '^interp$' "and finds the engines"
finish
