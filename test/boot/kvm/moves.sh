# SPDX-License-Identifier: BSD-2-Clause
# moves.sh, for kvm_guest.sh: guests move from soft to kvm and back while they check their memory, registers and clocks
# (engine/watch.c, sums.sh).

# moves CPUS ROUNDS SECONDS: there and back so often, or as often as there is time for.
moves() {
	name="moves from soft to kvm and back, $1 CPU"
	rm -f /tmp/in
	mkfifo /tmp/in
	: >/tmp/out
	read -r begun idle </proc/uptime
	lodge run -q -E soft+kvm -M microvm -m 96M -c "$1" -n none --ctl /tmp/ctl -C stdio -k vmlinux -i watch.gz \
		-p "console=ttyS0 panic=-1 quiet noxsave lodge.run=/sums.sh_&_/watch_$1;_rm_/tmp/on;_wait;_dmesg" \
		</tmp/in >/tmp/out 2>/tmp/err &
	pid=$!
	exec 3>/tmp/in
	for i in $(seq 400); do
		grep -aq '^ROUND ' /tmp/out && grep -aq '^UP ' /tmp/out && break
		kill -0 $pid 2>/dev/null || break
		sleep 0.5
	done
	first=$(sed -n 's/^UP //p' /tmp/out | tail -n 1)
	done=$(./moves /tmp/ctl soft kvm "$2" "$3" 2>/tmp/why)
	ok $? "$name: ${done:-0} moves"
	[ ! -s /tmp/why ] || sed 's/^/# /' /tmp/why
	rounds=$(grep -ac '^ROUND ' /tmp/out)
	for i in $(seq 200); do
		[ "$(grep -ac '^ROUND ' /tmp/out)" -le "$rounds" ] || break
		sleep 0.5
	done
	[ "$(grep -ac '^ROUND ' /tmp/out)" -gt "$rounds" ]
	ok $? "$name: the guest works on"
	echo enough >&3
	exec 3>&-
	wait $pid
	ok $? "$name: it hears the console, and powers off with status 0"
	read -r now idle </proc/uptime
	grep -aq '^ROUNDS ALL RIGHT' /tmp/out && ! grep -aq WRONG /tmp/out
	ok $? "$name: no sum was wrong, and no clock went back"
	# Time stands still for a guest that moves, so it has less than there was: for a hundredth nothing is said, since rates
	# differ by a little.
	up=$(sed -n 's/^UP //p' /tmp/out | tail -n 1)
	there=$((${now%.*} - ${begun%.*} + 1))
	[ $((${up:-0} * 100)) -le $((there * 101)) ]
	ok $? "$name: no clock went ahead"
	echo "#   $(grep -ac '^UP ' /tmp/out) sums of a file, $(sed -n 's/^ROUNDS ALL RIGHT //p' /tmp/out) of memory, ${up:-0} s of its own time in $there s"
	# A slow machine may have complaints before the first move.
	grep -aEi "clocksource.*(unstable|skew)|hung task|blocked for|lockup|stall|warn|bug:|oops" /tmp/out |
		awk -v first="${first:-0}" '{ at = $0; sub(/^\[ */, "", at); if (at + 0 > first + 1) print }' >/tmp/found
	[ ! -s /tmp/found ]
	ok $? "$name: the kernel complains of nothing"
	sed 's/^/#   /' /tmp/found
}
