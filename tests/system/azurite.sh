# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For system tests of certificates in Azurite, sourced after lib.sh: finding it, starting it on $port, and what
# there is in it.

# shellcheck disable=SC2034
key=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
azurite_pid=''
mkdir -p "$TMP/azurite"

# azurite_up: on $port, with what it had before.
azurite_up() {
    node "$AZURITE" --silent --disableTelemetry --location "$TMP/azurite" --blobHost 127.0.0.1 --blobPort "$port" \
        --cert "$TMP/server.crt" --key "$TMP/server.key" --oauth basic >>"$TMP/azurite.log" 2>&1 &
    azurite_pid=$!
    # shellcheck disable=SC2064
    at_exit killed KILL $azurite_pid
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        ! (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
        sleep 0.1
    done
    not_ok "Azurite is up" "$(tail -n 20 "$TMP/azurite.log")"
}

# azurite_find: sets AZURITE, or says in $why what is missing.
azurite_find() {
    AZURITE=${AZURITE:-}
    [ -z "$AZURITE" ] || return 0
    command -v node >/dev/null && command -v npm >/dev/null || { why="node and npm are not installed"; return 1; }
    [[ $(node --version) =~ ^v([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge 16 ] ||
        { why="node $(node --version) is too old for Azurite"; return 1; }
    mkdir "$TMP/npm"
    limit 80 npm install --prefix "$TMP/npm" --prefer-offline --no-audit --no-fund --fetch-retries=1 azurite@3 \
        >"$TMP/npm.log" 2>&1 || { why="npm cannot install azurite: $(grep -m1 'npm ERR\|npm error' "$TMP/npm.log")"; return 1; }
    AZURITE=$TMP/npm/node_modules/azurite/dist/src/blob/main.js
}

# azurite_certificate: of the one that listens on 127.0.0.1.
azurite_certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$TMP/server.key" -out "$TMP/server.crt" -days 30 -subj /CN=127.0.0.1 \
        -addext subjectAltName=IP:127.0.0.1 2>/dev/null
    export CA=$TMP/server.crt
}

blobs() { limit 60 python3 "$ROOT/tests/system/programs/blobs.py" "$@"; }
