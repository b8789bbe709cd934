# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For system tests of clusters, after lib.sh: an etcd of several members, made by packaging's script,
# on free ports of loopback.

ETCD_TOOL=$ROOT/packaging/etcd/azcloudhsm_etcd

# needs_etcd: skips the whole test where it is not installed.
needs_etcd() {
    local program
    for program in etcd etcdctl openssl; do
        command -v "$program" >/dev/null && continue
        echo "skipped: $program is not installed"
        exit 0
    done
}

# free_ports COUNT: ports that were free a moment ago.
free_ports() {
    python3 - "$1" <<'END'
import socket, sys

held = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in held:
    one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in held])
END
}

declare -A etcd_pid=()

# etcd_make DIR COUNT: members m1.. on loopback, not started.
etcd_make() {
    local ports members=() i
    read -ra ports <<<"$(free_ports $((2 * $2)))"
    for ((i = 0; i < $2; i++)); do
        members+=("m$((i + 1))=127.0.0.1:${ports[2 * i]}:${ports[2 * i + 1]}")
    done
    "$ETCD_TOOL" make "$1" --local --timing 50,500 "${members[@]}"
}

# etcd_start DIR NAME...
etcd_start() {
    local dir=$1 name
    shift
    for name in "$@"; do
        "$ETCD_TOOL" run "$dir" "$name" >>"$dir/members/$name/log" 2>&1 &
        etcd_pid[$name]=$!
    done
}

# etcd_stop SIGNAL NAME...
etcd_stop() {
    local signal=$1 name pids=()
    shift
    for name in "$@"; do
        [ -z "${etcd_pid[$name]-}" ] || pids+=("${etcd_pid[$name]}")
        unset "etcd_pid[$name]"
    done
    [ ${#pids[@]} -eq 0 ] || killed "$signal" "${pids[@]}"
}

etcd_stop_all() {
    etcd_stop KILL "${!etcd_pid[@]}"
}

# etcd_well DIR [SECONDS]: waits until each member answers with the majority's word.
etcd_well() {
    local end=$((SECONDS + ${2:-60}))
    until "$ETCD_TOOL" ctl "$1" --command-timeout=2s endpoint health >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}
