# SPDX-License-Identifier: BSD-2-Clause
# Network cards with Linux's driver: DHCP, ping, DNS, TFTP, downloads, ways in, two guests joined, a tap device.
# LODGE_DOWNLOAD=1073741824 takes a larger download.
. test/tap.sh
PATH=$PATH:/usr/sbin:/sbin
command -v python3 >/dev/null || skip_all "networks" "no python3 here"
peer="python3 test/boot/net_peer.py"
mib=1048576
download=${LODGE_DOWNLOAD:-$((32 * mib))}
trap 'kill $server $other 2>/dev/null; rm -rf "$tmp"' EXIT
server= other=

# linux NAME ARGS... -- COMMAND: boots $guest_dir, output in $tmp/NAME.
linux() {
	name=$1 args=
	shift
	while [ "$1" != -- ]; do
		args="$args $1"
		shift
	done
	# shellcheck disable=SC2086 # words on purpose
	$LODGE run -q -m 256M --timeout 600s $args -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 panic=-1 quiet lodge.run=$(echo "$2" | tr ' ' _)" >"$tmp/$name" 2>"$tmp/err" </dev/null
}

# up ADDRESS: configures eth0.
up() {
	echo "ip addr add $1/24 dev eth0;ip link set eth0 up"
}

# when FILE WORD COMMAND...: as soon as the guest has said the word.
when() {
	for i in $(seq 600); do
		grep -q "$2" "$1" 2>/dev/null && break
		sleep 0.5
	done
	shift 2
	"$@"
}

# sum_of FILE: the MD5 sum that a guest printed.
sum_of() {
	sed -nE 's/^([0-9a-f]{32}) .*/\1/p' "$1"
}

$peer serve "$tmp/ports" &
server=$!
for i in $(seq 100); do
	[ -f "$tmp/ports" ] && break
	sleep 0.1
done
read -r http sink dns <"$tmp/ports" || skip_all "networks" "no server on loopback"
sum=$($peer data "$download" | md5sum | cut -d' ' -f1)
small=$($peer data $mib | md5sum | cut -d' ' -f1)
case $($LODGE run -n user,fwd= -k /dev/null 2>&1) in
*libslirp*) skip_all "networks" "this build has no libslirp" ;;
esac
lease="echo '#!/bin/sh' >/s;echo env >>/s;chmod 755 /s;udhcpc -i eth0 -n -q -t 20 -s /s"
route="ip route add default via 10.0.2.2"
fetch="wget -q -O - http://10.0.2.2:$http"

# user ARCH NAME ARGS...: what every guest can do with the user network.
user() {
	guest "devices-$1"
	shift
	what=$1
	linux "$@" -n "user,dump=$tmp/pcap" -- "ip link set eth0 up;$lease;$(up 10.0.2.15);$route;ping -c 2 10.0.2.2;\
$fetch/$download | md5sum;dd if=/dev/zero bs=64k count=64 | nc 10.0.2.2 $sink;echo sent \$?"
	has "$tmp/$what" '^ip=10.0.2.15' "$what: DHCP gives an address"
	has "$tmp/$what" '^router=10.0.2.2' "$what: and a router"
	has "$tmp/$what" '^dns=10.0.2.3' "$what: and a name server"
	has "$tmp/$what" '2 packets received, 0% packet loss' "$what: the router answers pings"
	is "$(sum_of "$tmp/$what")" "$sum" "$what: a download of $download bytes has its sum"
	has "$tmp/$what" '^sent 0' "$what: the guest can send, too"
	$peer pcap "$tmp/pcap" >"$tmp/dump" 2>&1
	has "$tmp/dump" '^dhcp' "$what: the dump has DHCP's frames"
	has "$tmp/dump" '^tcp [0-9]{5}' "$what: and segments that the host does not cut"
}

user riscv64 riscv64
x86=yes
case $($LODGE run -a x86_64 -k /dev/null 2>&1) in
*'arch "x86_64"'*) x86= ;;
esac
if [ $x86 ]; then
	user x86_64 microvm -M microvm
	user x86_64 pc -M pc
	user x86_64 legacy -M pc -o virtio=legacy
	linux queues -M pc -c 2 -n user,queues=2,mtu=1400 -- "$(up 10.0.2.15);cat /sys/class/net/eth0/mtu;\
ls -d /sys/class/net/eth0/queues/rx*;$fetch/$mib | md5sum"
	has "$tmp/queues" '^1400' "the guest is told its MTU"
	has "$tmp/queues" 'queues/rx-1' "and has two pairs of queues for two CPUs"
	is "$(sum_of "$tmp/queues")" "$small" "through which a download comes"
fi

guest devices-riscv64
port=$($peer port)
mkdir "$tmp/tftp"
$peer data $mib >"$tmp/tftp/file"
# shellcheck disable=SC2086 # words on purpose
{
	when "$tmp/ways" LISTENING-1 $peer get "$port" >"$tmp/in" &
	when "$tmp/ways" LISTENING-2 $peer get "$tmp/path" >"$tmp/in2" &
}
linux ways -n "user,fwd=tcp:$port:22,fwd=unix:$tmp/path:23,tftp=$tmp/tftp,dns=10.0.2.2,hostname=named,ipv6=off" -- \
	"ip link set eth0 up;$lease;$(up 10.0.2.15);$route;\
(sleep 1;echo LISTENING-1)&echo from the guest | nc -l -p 22;(sleep 1;echo LISTENING-2)&echo once more | nc -l -p 23;\
tftp -g -r file -l /f 10.0.2.2;md5sum /f;nslookup name.test 10.0.2.2;ip -6 addr show dev eth0"
has "$tmp/in" '^from the guest' "a forwarded port leads in"
has "$tmp/in2" '^once more' "and so does a socket's path"
is "$(sum_of "$tmp/ways")" "$small" "TFTP gives a file"
has "$tmp/ways" '^hostname=named' "DHCP gives the name that was asked for"
if [ "$dns" ]; then
	has "$tmp/ways" '192\.0\.2\.7' "DNS goes to whom it should"
else
	skip "DNS goes to whom it should" "port 53 of loopback is not ours"
fi
# shellcheck disable=SC2086 # words on purpose
when "$tmp/restrict" LISTENING $peer get "$port" >"$tmp/in" &
other=$!
linux restrict -n "user,restrict,fwd=tcp:$port:22" -- "$(up 10.0.2.15);$route;ping -c 1 10.0.2.2;\
wget -T 5 -q -O - http://10.0.2.2:$http/100;echo got \$?;(sleep 1;echo LISTENING)&echo still in | nc -l -p 22"
has "$tmp/restrict" '^got [1-9]' "restrict: nothing goes out"
wait $other
has "$tmp/in" '^still in' "restrict: forwards still lead in"
linux none -n none -- "ls /sys/class/net"
ok "$(grep -c eth "$tmp/none")" "net none: there is no card"

linux joined1 -n "unix:$tmp/wire,listen" -- "$(up 10.1.0.1);nc -l -p 9 | md5sum" &
other=$!
linux joined2 -n "unix:$tmp/wire" -- "$(up 10.1.0.2);for i in 1 2 3 4 5 6 7 8 9; do ping -c 1 -W 5 10.1.0.1 && break; done;\
head -c $((8 * mib)) /dev/urandom >/f;md5sum /f;sleep 2;nc 10.1.0.1 9 </f;sleep 1"
wait $other
has "$tmp/joined2" ' 0% packet loss' "two guests joined by a socket ping each other"
is "$(sum_of "$tmp/joined1")" "$(sum_of "$tmp/joined2")" "and 8 MiB cross unharmed"

cat >"$tmp/tap.sh" <<END
ip tuntap add tap0 mode tap && ip addr add 10.2.0.1/24 dev tap0 && ip link set tap0 up || exit 1
ip link set lo up
$peer serve $tmp/tap-ports 10.2.0.1 &
while [ ! -f $tmp/tap-ports ]; do sleep 0.1; done
read -r http sink dns <$tmp/tap-ports
$LODGE run -q -m 256M --timeout 300s -n tap:tap0 -k $guest_dir/vmlinux -i $guest_dir/initrd.gz \
	-p "console=ttyS0 panic=-1 quiet lodge.run=$(echo "$(up 10.2.0.2);ping -c 2 10.2.0.1" | tr ' ' _);\
wget_-q_-O_-_http://10.2.0.1:\$http/$download|md5sum;dd_if=/dev/zero_bs=64k_count=64|nc_10.2.0.1_\$sink;echo_sent_\\\$?" \
	>$tmp/tap 2>$tmp/err </dev/null
kill \$!
END
if [ "$(id -u)" = 0 ] && [ -c /dev/net/tun ] && command -v ip >/dev/null && unshare -n ip tuntap add t0 mode tap 2>/dev/null; then
	unshare -n sh "$tmp/tap.sh"
	has "$tmp/tap" '2 packets received, 0% packet loss' "through a tap device the host answers"
	is "$(sum_of "$tmp/tap")" "$sum" "and gives a download"
	has "$tmp/tap" '^sent 0' "and takes what the guest sends"
else
	skip "a tap device" "that takes root, and a tap device"
fi
what="a tap device that is not there"
refused 'tap nothere0' run -n tap:nothere0/x -k "$guest_dir/vmlinux"
what="a class of network that is not there"
refused 'there is tap, unix, user, none' run -n nat -k "$guest_dir/vmlinux"
finish
