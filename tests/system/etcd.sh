# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For system tests: etcd on loopback, in the folder etcd of where the test works; sourced after
# lib.sh. Its members let in who shows a certificate, and after etcd_auth each to what its role has.

ETCD=$PWD/etcd
ETCD_ENDPOINTS='' # with spaces between them
etcd_pids=()

# etcd_certificate NAME: $ETCD/NAME.crt and .key.
etcd_certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$ETCD/$1.key" -out "$ETCD/$1.csr" 2>/dev/null
    openssl x509 -req -in "$ETCD/$1.csr" -CA "$ETCD/ca.crt" -CAkey "$ETCD/ca.key" -CAcreateserial \
        -days 30 -extfile "$ETCD/names" -out "$ETCD/$1.crt" 2>/dev/null
}

etcd_member() {
    local peers=$1 name=$2 client=$3 peer=$4
    # The members' own certificate is a client's too, as they speak to themselves.
    (cd "$ETCD" && exec etcd --name "$name" --data-dir "$name" --listen-client-urls "$client" \
        --advertise-client-urls "$client" --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
        --initial-cluster "$peers" --cert-file server.crt --key-file server.key --trusted-ca-file ca.crt \
        --client-cert-auth --heartbeat-interval 50 --election-timeout 500) >>"$ETCD/$name.log" 2>&1 &
    etcd_pids+=($!)
    at_exit killed KILL $!
}

# etcdctl as root
etcd_ctl() {
    ETCDCTL_API=3 limit 30 etcdctl --endpoints "${ETCD_ENDPOINTS// /,}" --cacert "$ETCD/ca.crt" \
        --cert "$ETCD/root.crt" --key "$ETCD/root.key" "$@"
}

# etcd_up COUNT: so many members, which have a leader when this returns.
etcd_up() {
    local i peers='' client=() peer=() ports
    mkdir -p "$ETCD"
    printf 'subjectAltName=IP:127.0.0.1\n' >"$ETCD/names"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=etcd-ca \
        -keyout "$ETCD/ca.key" -out "$ETCD/ca.crt" -days 30 2>/dev/null
    etcd_certificate server
    etcd_certificate root
    read -ra ports <<<"$(free_ports $((2 * $1)))"
    for ((i = 0; i < $1; i++)); do
        client[i]=https://127.0.0.1:${ports[2 * i]}
        peer[i]=http://127.0.0.1:${ports[2 * i + 1]}
        peers+=${peers:+,}m$i=${peer[i]}
    done
    for ((i = 0; i < $1; i++)); do
        etcd_member "$peers" "m$i" "${client[i]}" "${peer[i]}"
    done
    ETCD_ENDPOINTS="${client[*]}"
    waited 60 etcd_ctl endpoint health && return
    not_ok "etcd begins" "$(tail -n 5 "$ETCD"/*.log)"
    exit 1
}

# etcd_role ROLE PREFIX NAME...: those names get certificates, and may use what lies under PREFIX.
etcd_role() {
    local name
    etcd_ctl role add "$1" >/dev/null
    etcd_ctl role grant-permission --prefix=true "$1" readwrite "$2" >/dev/null
    for name in "${@:3}"; do
        etcd_certificate "$name"
        etcd_ctl user add "$name" --no-password >/dev/null
        etcd_ctl user grant-role "$name" "$1" >/dev/null
    done
}

# etcd_auth: from now on roles count.
etcd_auth() {
    etcd_ctl user add root --no-password >/dev/null
    etcd_ctl user grant-role root root >/dev/null
    etcd_ctl auth enable >/dev/null
}
