# SPDX-License-Identifier: BSD-2-Clause
# Completion of lodge(1) for bash.  What there is comes from the program itself.

# The arguments of commands for machines that run: their names, and what each command takes besides.
_lodge_running()
{
	local command=${COMP_WORDS[1]} words

	case $command in
	stop) words='--force --all --timeout' ;;
	status) words=--json ;;
	esac
	if [[ $command == screenshot ]] && ((COMP_CWORD == 3)); then
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	elif [[ $command == monitor ]] && ((COMP_CWORD == 3)); then
		mapfile -t COMPREPLY < <(compgen -W "$("$lodge" monitor "$prev" query-commands 2>/dev/null |
			awk '{ print $NF }')" -- "$cur")
	elif [[ $command == engine ]] && ((COMP_CWORD == 3)); then
		mapfile -t COMPREPLY < <(compgen -W "$("$lodge" engines | awk '{ print $1 }')" -- "$cur")
	elif [[ $cur == */* ]]; then
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	elif ((COMP_CWORD == 2)) || [[ $command == @(stop|pause|resume|reset|status) ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$lodge" list | awk 'NR > 1 { print $1 }') $words" -- "$cur")
	fi
}

_lodge()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} lodge=${COMP_WORDS[0]}

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W 'run list status stop pause resume reset console monitor debug snapshot restore replay why-wrote fork screenshot type
			send-key balloon img trace engines engine selftest machines help --help --version' -- "$cur")
		return
	fi
	case ${COMP_WORDS[1]} in
	run) ;;
	restore | replay)
		if [[ $cur != -* && $prev != -* ]]; then
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		;;
	list)
		mapfile -t COMPREPLY < <(compgen -W --json -- "$cur")
		return
		;;
	status | stop | pause | resume | reset | console | monitor | debug | snapshot | fork | screenshot | type | send-key | balloon | engine)
		_lodge_running
		return
		;;
	selftest)
		if [[ $prev == -E || $prev == --engine ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$("$lodge" engines | awk '{ print $1 }')" -- "$cur")
		elif [[ $cur == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W '--engine --list --verbose' -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W "$("$lodge" selftest --list | awk '{ print $1; print $2; print $1 "/" $2 }')" -- "$cur")
		fi
		return
		;;
	why-wrote)
		if [[ $cur == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W '--before --cpu --physical --symbols' -- "$cur")
			return
		fi
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	trace)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	help)
		mapfile -t COMPREPLY < <(compgen -W 'run keys' -- "$cur")
		return
		;;
	img)
		compopt -o filenames
		if ((COMP_CWORD == 2)); then
			mapfile -t COMPREPLY < <(compgen -W 'create info convert check resize snapshot' -- "$cur")
		elif [[ $prev == -[fFO] ]]; then
			mapfile -t COMPREPLY < <(compgen -W 'raw qcow2' -- "$cur")
		elif [[ $prev == -r ]]; then
			mapfile -t COMPREPLY < <(compgen -W 'leaks all' -- "$cur")
		elif [[ $prev == -o ]]; then
			compopt -o nospace
			mapfile -t COMPREPLY < <(compgen -S = -W 'cluster_size compat extended_l2 refcount_bits \
				compression_type preallocation lazy_refcounts backing_file backing_fmt' -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		return
		;;
	*) return ;;
	esac
	case $prev in
	-a | --arch)
		mapfile -t COMPREPLY < <(compgen -W "$("$lodge" machines | awk '{ print $2 }')" -- "$cur")
		;;
	-M | --machine)
		mapfile -t COMPREPLY < <(compgen -W "$("$lodge" machines | awk '{ print $1 }')" -- "$cur")
		;;
	-E | --engine)
		mapfile -t COMPREPLY < <(compgen -W "auto $("$lodge" engines | awk '{ print $1 }')" -- "$cur")
		;;
	-C | --console)
		mapfile -t COMPREPLY < <(compgen -W 'stdio pty keep none unix: file:' -- "$cur")
		;;
	-n | --net)
		mapfile -t COMPREPLY < <(compgen -W 'user tap: unix: none' -- "$cur")
		;;
	-o | --option)
		mapfile -t COMPREPLY < <(compgen -S = -W "$("$lodge" help keys | awk 'NR > 2 { print $1 }')" -- "$cur")
		compopt -o nospace
		;;
	--ctl)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -W 'auto none' -- "$cur"; compgen -f -- "$cur")
		;;
	--log | --pidfile | --trace-file | -b | --firmware | -k | --kernel | -i | --initrd | -d | --disk | -f | --config)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	-s | --share)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	-g | --gdb)
		mapfile -t COMPREPLY < <(compgen -W '1234 unix:' -- "$cur")
		;;
	-m | --memory | -c | --cpus | -p | --cmdline | --timeout | --seed | --trace | --trace-last | --engine-after) ;;
	*)
		[[ $cur != -* ]] ||
			mapfile -t COMPREPLY < <(compgen -W "$("$lodge" help run | grep -o -- '--[a-z-]*' | sort -u)" -- "$cur")
		;;
	esac
}

complete -F _lodge lodge
