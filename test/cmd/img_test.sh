# SPDX-License-Identifier: BSD-2-Clause
# lodge img: what its commands make, print and refuse, with which exit status, and what stays of a file when they fail.
. test/tap.sh

img() {
	timeout 60 "$LODGE" img "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
}

# does WANTED ARGS...: the exit status of a command.
does() {
	wanted=$1
	shift
	img "$@"
	is $rc "$wanted" "img $(echo "$*" | sed "s|$tmp/||g") exits with $wanted"
	[ $rc -eq "$wanted" ] || sed 's/^/#   | /' "$tmp/err"
}

a=$tmp/a.qcow2 b=$tmp/b.qcow2 raw=$tmp/raw

what="img without a command" refused 'img create, info' img
what="an unknown command of img" refused '"walk".*convert' img walk
what="an unknown option of create" refused 'usage: lodge img create' img create -Z "$a" 1G
what="create without a size" refused 'size is wanted' img create "$a"
what="a size that is none" refused '"big".*10G' img create "$a" big
what="an unknown format" refused '"vdi".*raw, qcow2' img create -f vdi "$a" 1G
what="an unknown option" refused '"colour"' img create -f qcow2 -o colour=red "$a" 1G
what="a cluster size that is none" refused 'cluster_size=3K' img create -f qcow2 -o cluster_size=3K "$a" 1G
what="options that exclude each other" refused 'compat=1.1' \
	img create -f qcow2 -o compat=0.10,extended_l2=on "$a" 1G
what="an option of qcow2 for raw" refused 'raw' img create -o cluster_size=64K "$a" 1G
what="a disk that is too large for its clusters" refused 'cluster_size' \
	img create -f qcow2 -o cluster_size=512 "$a" 1T
what="a backing file that is not there" refused 'nobody.*no such file' img create -f qcow2 -b nobody "$a" 1G
[ ! -e "$a" ]
ok $? "what is refused makes no file"

does 0 create -f qcow2 "$a" 1G
does 0 info "$a"
has "$tmp/out" '^virtual size: 1 GiB \(1073741824 bytes\)$' "info has the size"
does 0 info --json "$a"
has "$tmp/out" '"cluster-size": 65536' "info --json has the cluster size"
does 0 check "$a"
has "$tmp/out" '^no errors$' "a new image has no errors"
does 0 resize "$a" +1G
does 0 info --output=json "$a"
has "$tmp/out" '"virtual-size": 2147483648' "resize makes it larger"
does 1 resize "$a" 1G
has "$tmp/err" -- '--shrink' "that it gets smaller has to be said"
does 0 resize --shrink "$a" -1536M
does 0 info "$a"
has "$tmp/out" '536870912 bytes' "resize makes it smaller"

# 3 MiB of data, 5 of zeroes, some data.
{
	seq 500000 | head -c 3145728
	head -c 5242880 /dev/zero
	seq 1000 | head -c 3584
} >"$raw"
for options in "" "-c" "-c -o compat=0.10" "-o cluster_size=512,refcount_bits=1" "-o extended_l2=on -m 3" \
	"-o preallocation=metadata,lazy_refcounts=on" "-m 1 -p"; do
	# shellcheck disable=SC2086 # words on purpose
	does 0 convert -f raw -O qcow2 $options "$raw" "$b"
	does 0 check "$b"
	does 0 convert "$b" "$tmp/again"
	cmp -s "$raw" "$tmp/again"
	ok $? "it comes back as it was"
	if command -v qemu-img >/dev/null; then
		qemu-img check -q "$b" && qemu-img compare -q -f raw -F qcow2 "$raw" "$b"
		ok $? "qemu-img finds it so, too"
	else
		skip "qemu-img finds it so, too" "qemu-img is not installed"
	fi
done
[ "$(du -k "$tmp/again" | cut -f1)" -lt 4000 ]
ok $? "holes stay holes"
does 0 convert -f raw -O qcow2 -c "$raw" "$b"
[ "$(wc -c <"$b")" -lt 2000000 ]
ok $? "-c makes it smaller"

does 0 snapshot -c one "$b"
does 1 snapshot -c one "$b"
does 0 snapshot -l "$b"
has "$tmp/out" '^1 +one ' "the list has the snapshot"
does 0 snapshot --json -l "$b"
has "$tmp/out" '"name": "one"' "and so has it as JSON"
does 0 snapshot -a one "$b"
does 0 snapshot -d one "$b"
does 1 snapshot -d one "$b"
has "$tmp/err" 'no snapshot "one"' "what is gone cannot be deleted"
what="two things at once" refused 'not more' img snapshot -l -c two "$b"
does 1 snapshot -c one "$raw"
has "$tmp/err" 'raw images have no snapshots' "raw images have no snapshots"

what="a raw backing file whose format is not said" refused '-F raw' img create -f qcow2 -b raw "$a"
does 0 create -f qcow2 -b raw -F raw "$a"
does 0 info --backing-chain "$a"
has "$tmp/out" "^image: $raw\$" "the chain has the backing file"
does 0 convert "$a" "$tmp/again"
cmp -s "$raw" "$tmp/again"
ok $? "the backing file shows through"

does 63 check "$raw"
does 1 check "$tmp/nobody"
# number IMAGE OFFSET: 8 bytes of it, the high one first.
number() { echo $((0x$(od -An -tx1 -j "$2" -N 8 "$1" | tr -d ' \n'))); }
counts=$(number "$b" "$(number "$b" 48)")
printf '\377' | dd of="$b" bs=1 seek=$((counts + 4000)) conv=notrunc 2>/dev/null
does 3 check "$b"
does 0 check -r leaks "$b"
does 0 check "$b"
printf '\0\0\0\0' | dd of="$b" bs=1 seek="$counts" conv=notrunc 2>/dev/null
does 2 check "$b"
does 2 check -r leaks "$b"
does 0 check -r all "$b"
does 0 check --json "$b"
has "$tmp/out" '"check-errors": 0' "check --json has what qemu-img has"
does 0 convert "$b" "$tmp/again"
cmp -s "$raw" "$tmp/again"
ok $? "repairs keep what is there"

# A source whose tables are damaged.
does 0 convert -f raw -O qcow2 "$raw" "$b"
cp "$b" "$tmp/short"
printf '\177' | dd of="$tmp/short" bs=1 seek="$(number "$b" 40)" conv=notrunc 2>/dev/null
rm -f "$tmp/again"
does 2 convert "$tmp/short" "$tmp/again"
has "$tmp/err" 'short cannot be read' "the damaged one is named"
[ ! -e "$tmp/again" ]
ok $? "a copy that failed does not stay"
does 1 convert "$b" "$b"

# Somebody uses it.
if [ "$(uname)" = Linux ]; then
	cat >"$tmp/hold.py" <<'END'
import fcntl, struct, sys, time
f = open(sys.argv[1], "r+b")
fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
print("held", flush=True)
time.sleep(60)
END
	python3 "$tmp/hold.py" "$b" >"$tmp/held" 2>&1 &
	holder=$!
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		grep -q held "$tmp/held" && break
		sleep 0.2
	done
	for command in "info" "check" "resize --shrink" "snapshot -c two" "create -f qcow2"; do
		# shellcheck disable=SC2086 # words on purpose
		case $command in resize* | create*) does 1 $command "$b" 1G ;; *) does 1 $command "$b" ;; esac
		has "$tmp/err" 'in use' "$command leaves it to who uses it"
	done
	does 0 info -U "$b"
	kill $holder
	wait $holder 2>/dev/null
else
	skip "images that are in use" "no program to hold a lock"
fi
does 0 check "$b"
for command in create info convert check resize snapshot; do
	grep -q "^\\.It Cm $command\$" doc/lodge-img.1
	ok $? "lodge-img(1) has $command"
done
finish
