# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For system tests of clusters, sourced after lib.sh: an etcd made by packaging's script, nodes on it,
# daemons before them, and what befalls single parts. Hosts are network namespaces with their own
# addresses where that is permitted (the test begins with `cluster_hosts "$@"`), else free ports of
# loopback. Host I has the member mI and the node sI; daemons and applications are outside.

ETCD_TOOL=$ROOT/packaging/etcd/azcloudhsm_etcd

# needs_etcd: skips the whole test where it is not installed.
needs_etcd() {
    local program
    for program in etcd etcdctl openssl; do
        command -v "$program" >/dev/null && continue
        echo "skipped: $program is not installed"
        exit 0
    done
    ! etcd_is_old || { echo "skipped: etcd is older than 3.4"; exit 0; }
}

# ---- hosts ----

HOSTS=${CLUSTER_HOSTS-} # network or empty: loopback
declare -A host_pid=() part_pid=() part_host=() part_command=() part_log=()

# cluster_hosts ARGUMENT...: the test begins anew in a network of its own, where that can be: as root, or
# in a user namespace.
cluster_hosts() {
    local user why=''
    [ -z "${CLUSTER_HOSTS+set}" ] || return 0
    for user in '' -r; do
        why=$(unshare $user -n sh -c 'ip link add bridge0 type bridge && ip link add veth0 type veth peer name veth1' 2>&1) || continue
        trap - EXIT
        rm -rf "$TMP"
        CLUSTER_HOSTS=network exec unshare $user -n "$0" "$@"
    done
    skip "hosts with addresses of their own" "no network namespaces here (${why##*$'\n'}): on loopback, and nothing is cut off"
    HOSTS=''
}

host_address() {
    if [ -n "$HOSTS" ]; then echo "10.0.0.$1"; else echo 127.0.0.1; fi
}

hosts_make() {
    local i
    [ -n "$HOSTS" ] || return 0
    ip link set lo up
    ip link add bridge0 type bridge forward_delay 0
    ip addr add 10.0.0.254/24 dev bridge0
    ip link set bridge0 up
    for ((i = 1; i <= $1; i++)); do
        unshare -n sleep 100000 &
        host_pid[$i]=$!
        at_exit killed KILL $!
        until [ "$(readlink "/proc/${host_pid[$i]}/ns/net")" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
        ip link add "v$i" type veth peer name eth0 netns "${host_pid[$i]}"
        ip link set "v$i" master bridge0 up
        on "$i" ip link set lo up
        on "$i" ip addr add "10.0.0.$i/24" dev eth0
        on "$i" ip link set eth0 up
    done
}

# on HOST COMMAND...
on() {
    if [ -n "$HOSTS" ] && [ "$1" != 0 ]; then
        nsenter -t "${host_pid[$1]}" -n "${@:2}"
    else
        "${@:2}"
    fi
}

# host_cut I: what is sent to it and by it gets lost from now on. host_join I: no more.
host_cut() {
    ip link set "v$1" down
}
host_join() {
    ip link set "v$1" up
}

# ---- parts: m1.. (members of etcd), s1.. (nodes), d.. (daemons) ----

# part_add NAME HOST LOG COMMAND...
part_add() {
    part_host[$1]=$2
    part_log[$1]=$3
    part_command[$1]=$(printf '%q ' "${@:4}")
}

part_start() {
    local name
    for name in "$@"; do
        [ "${name#s}" = "$name" ] || rm -f "$CLUSTER/$name/server.ports"
        # In the background as a simple command, so that the process is the part itself.
        if [ -n "$HOSTS" ] && [ "${part_host[$name]}" != 0 ]; then
            eval "exec nsenter -t ${host_pid[${part_host[$name]}]} -n ${part_command[$name]}" >>"${part_log[$name]}" 2>&1 &
        else
            eval "exec ${part_command[$name]}" >>"${part_log[$name]}" 2>&1 &
        fi
        part_pid[$name]=$!
    done
}

# part_signal SIGNAL NAME...
part_signal() {
    local name
    for name in "${@:2}"; do
        [ -z "${part_pid[$name]-}" ] || kill "-$1" "${part_pid[$name]}" 2>/dev/null
    done
}

# part_end SIGNAL NAME...: and waits until they are gone.
part_end() {
    local name pids=()
    for name in "${@:2}"; do
        [ -z "${part_pid[$name]-}" ] || pids+=("${part_pid[$name]}")
        unset "part_pid[$name]"
    done
    [ ${#pids[@]} -eq 0 ] || killed "$1" "${pids[@]}"
}

parts_end() {
    local names=("${!part_pid[@]}")
    [ ${#names[@]} -eq 0 ] || part_end KILL "${names[@]}"
}

# ---- the etcd ----

# etcd_make DIR COUNT: members m1.., each on its host, not started.
etcd_make() {
    local ports=() members=() i
    [ -n "$HOSTS" ] || read -ra ports <<<"$(free_ports $((2 * $2)))"
    for ((i = 1; i <= $2; i++)); do
        members+=("m$i=$(host_address "$i"):${ports[2 * i - 2]-2379}:${ports[2 * i - 1]-2380}")
    done
    "$ETCD_TOOL" make "$1" --local --timing "${ETCD_TIMING:-100,1000}" "${members[@]}" || return
    for ((i = 1; i <= $2; i++)); do
        etcd_part "$1" "m$i" "$i"
    done
}

# etcd_part DIR NAME HOST
etcd_part() {
    part_add "$2" "$3" "$1/members/$2/log" etcd --config-file "$1/members/$2/etcd.conf.yml"
}

# etcd_well DIR [SECONDS]: waits until each member answers with the majority's word.
etcd_well() {
    waited "${2:-60}" "$ETCD_TOOL" ctl "$1" --command-timeout=2s endpoint health
}

# ---- the nodes ----

# node_config I: its configuration and certificates; node 1 comes first.
node_config() {
    local i=$1 folder=$CLUSTER/s$1 serial ports=() endpoints settings=""
    [ "$(type -t node_settings)" != function ] || settings=$(node_settings "$i")
    mkdir -m 700 "$folder"
    serial=$(printf '%016x' $((0xa000 + i)))
    echo "$serial" >"$folder/node.serial"
    [ -n "$HOSTS" ] || read -ra ports <<<"$(free_ports 2)"
    node_client[i]=${ports[0]-2224} node_manage[i]=${ports[1]-2225}
    # The member on the same host is asked first.
    endpoints=$("$ETCD_TOOL" endpoints "$CLUSTER/etcd" | tr , '\n' |
        awk -v first="$i" '{ e[NR - 1] = $0 } END { for (k = 0; k < NR; k++)
            printf "%s\"%s\"", k ? ", " : "", e[(k + first - 1) % NR] }')
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$folder/node.key" \
        -out "$folder/node.csr" -subj "/CN=HSM:$serial:PARTN:1" 2>/dev/null
    openssl x509 -req -in "$folder/node.csr" -CA "$CLUSTER/PO.crt" -CAkey "$CLUSTER/PO.key" \
        -set_serial "$i" -days 30 -out "$folder/node.crt" 2>/dev/null
    cp "$CLUSTER/PO.crt" "$folder"
    cat >"$folder/azcloudhsm_server.cfg" <<END
{ "listen": ["$(host_address "$i"):${node_client[i]}"],
  "listen_management": ["$(host_address "$i"):${node_manage[i]}"],
  "state": "$folder", ${settings:+$settings,}
  "store": { "engine": "etcd", "endpoints": [$endpoints], "prefix": "/opencloudhsm/",
    "ca": "$CLUSTER/etcd/ca.crt", "certificate": "$CLUSTER/etcd/nodes/node.crt",
    "private_key": "$CLUSTER/etcd/nodes/node.key" } }
END
    part_add "s$i" "$i" "$folder/log" "$BIN/azcloudhsm_server" "$folder/azcloudhsm_server.cfg"
}

node_ready() {
    [ -s "$CLUSTER/$1/server.ports" ]
}

# nodes_ready NAME...
nodes_ready() {
    local name
    for name in "$@"; do
        waited 60 node_ready "$name" || return
    done
}

# manage I LINE...: the management tool on node I.
manage() {
    printf '{ "servers": [ { "hostname": "%s", "management_port": %s, "e2e_encryption": { "owner_cert_path": "%s/PO.crt" } } ] }\n' \
        "$(host_address "$1")" "${node_manage[$1]}" "$CLUSTER" >"$CLUSTER/manage$1.cfg"
    printf '%s\n' "${@:2}" | limit 60 "$BIN/azcloudhsm_mgmt_util" "$CLUSTER/manage$1.cfg" 2>&1
}

# daemon_add NAME NODE...: a daemon that knows those nodes; its applications have the environment
# of daemon_use.
daemon_add() {
    local name=$1 folder=$CLUSTER/$1 i servers=''
    mkdir -m 700 "$folder"
    for i in "${@:2}"; do
        servers+="${servers:+, }{ \"hostname\": \"$(host_address "$i")\", \"client_port\": ${node_client[i]}, \"management_port\": ${node_manage[i]} }"
    done
    cat >"$folder/azcloudhsm_client.cfg" <<END
{ "client": { "daemon_id": 1, "e2e_owner_crt_path": "$CLUSTER/PO.crt", "log_level": "INFO",
    "reconnect_attempts": -1, "reconnect_interval": 1, "socket_type": "UNIXSOCKET",
    "socket_path": "$folder/sock", "socket_mode": "0600", "state": "$folder" },
  "servers": [ $servers ] }
END
    printf '%s\n' DAEMON_ID=1 SOCKET_TYPE=UNIXSOCKET "SOCKET_PATH=$folder/sock" DEFAULT_WRAP_WITH_TRUSTED=1 \
        >"$folder/azcloudhsm_application.cfg"
    part_add "$name" 0 "$folder/log" "$BIN/azcloudhsm_client" "$folder/azcloudhsm_client.cfg"
}

# daemon_use NAME
daemon_use() {
    export AZCLOUDHSM_APPLICATION_CFG=$CLUSTER/$1/azcloudhsm_application.cfg
}

# daemon_answers NAME: does a node answer through it?
daemon_answers() {
    AZCLOUDHSM_APPLICATION_CFG=$CLUSTER/$1/azcloudhsm_application.cfg limit 20 \
        "$PROGRAMS/p11op" "$MODULE" count nothing
}

# cluster_up NODES [MEMBERS]: all of it runs then, with officer admin, user cu1 and the daemon d,
# which is in use.
cluster_up() {
    local i nodes=$1 members=${2:-3} output
    CLUSTER=$TMP/c
    node_client=() node_manage=()
    mkdir -m 700 "$CLUSTER"
    hosts_make $((nodes > members ? nodes : members))
    at_exit parts_end
    etcd_make "$CLUSTER/etcd" "$members"
    for ((i = 1; i <= members; i++)); do
        part_start "m$i"
    done
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$CLUSTER/PO.key" \
        -out "$CLUSTER/PO.crt" -days 30 -subj /CN=owner 2>/dev/null
    "$ETCD_TOOL" protect "$CLUSTER/etcd" || cluster_failed "etcd"
    for ((i = 1; i <= nodes; i++)); do
        node_config "$i"
    done
    on 1 "$BIN/azcloudhsm_server" "$CLUSTER/s1/azcloudhsm_server.cfg" --initialize --officer admin \
        ${POLICY:+--policy "$POLICY"} >>"$CLUSTER/s1/log" 2>&1 <<<adminpassword || cluster_failed "node 1"
    part_start s1
    nodes_ready s1 || cluster_failed "node 1"
    output=$(manage 1 "loginHSM CO admin adminpassword" "createUser CU cu1 user1234" y quit)
    grep -q "createUser success" <<<"$output" || cluster_failed "the user" "$output"
    for ((i = 2; i <= nodes; i++)); do
        cp "$CLUSTER/s1/master.key" "$CLUSTER/s$i"
        part_start "s$i"
    done
    for ((i = 2; i <= nodes; i++)); do
        nodes_ready "s$i" || cluster_failed "node $i"
    done
    # shellcheck disable=SC2046
    daemon_add d $(seq "$nodes")
    part_start d
    daemon_use d
    waited 30 daemon_answers d || cluster_failed "the daemon"
}

# cluster_failed WHAT [WHY]
cluster_failed() {
    not_ok "the cluster comes up: $1" "$(printf '%s\n' "${2-}"; tail -n 15 "$CLUSTER"/*/log "$CLUSTER"/etcd/members/*/log)"
    exit 1
}
