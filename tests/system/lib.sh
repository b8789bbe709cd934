# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For system tests: results as TAP lines, a folder that goes away, and the paths of the installed
# tree. A test begins with
#
#   . "$(dirname "$0")/lib.sh"
#
# and may set STAGE before to test another tree. When it ends, what it started is stopped (at_exit)
# and its status is non-zero if a check failed.
set -u

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
STAGE=${STAGE:-$ROOT/build/stage/opt/azurecloudhsm}
BIN=$STAGE/bin
LIB=$STAGE/lib64
# shellcheck disable=SC2034  # used by the tests
MODULE=$LIB/libazcloudhsm_pkcs11.so
# Programs of tests/system/meson.build: in the build folder that the stage was installed from.
# shellcheck disable=SC2034
PROGRAMS=${PROGRAMS:-$(realpath -m "$STAGE/../../..")/tests/system}
FULL=${FULL:-}
TMP=$(mktemp -d "${TMPDIR:-/tmp}/hsmtest.XXXXXX")

tap_done=0 tap_failed=0 tap_plan='' tap_cleanup=()

# plan COUNT: a test that ends early is then seen as failed.
plan() {
    tap_plan=$1
    echo "1..$1"
}

ok() {
    tap_done=$((tap_done + 1))
    echo "ok - $1"
}

# not_ok NAME [WHY]
not_ok() {
    tap_done=$((tap_done + 1)) tap_failed=$((tap_failed + 1))
    echo "not ok - $1"
    [ $# -lt 2 ] || printf '%s\n' "$2" | sed 's/^/#   /'
}

skip() {
    tap_done=$((tap_done + 1))
    echo "ok - $1 # SKIP $2"
}

# check NAME COMMAND...: ok if COMMAND succeeds, else not ok with its output.
check() {
    local name=$1 output status=0
    shift
    output=$("$@" 2>&1) || status=$?
    if [ "$status" -eq 0 ]; then
        ok "$name"
    else
        not_ok "$name" "$(printf '%s\n' "exit status $status: $*" "$output")"
    fi
}

# lacks TEXT LINE...: names the lines that are not among those of TEXT; leading and trailing blanks
# of a line do not count.
lacks() {
    local text=$1 line
    shift
    for line in "$@"; do
        sed 's/^[[:blank:]]*//; s/[[:blank:]]*$//' <<<"$text" | grep -qxF -- "$line" ||
            echo "lacks the line: $line"
    done
}

# has_lines NAME TEXT LINE...: ok if TEXT lacks none of them.
has_lines() {
    local name=$1 text=$2 missing
    shift 2
    missing=$(lacks "$text" "$@")
    if [ -z "$missing" ]; then
        ok "$name"
    else
        not_ok "$name" "$(printf '%s\n' "$missing" "in:" "$text")"
    fi
}

# shows NAME TEXT PART: ok if PART stands somewhere in TEXT.
shows() {
    if grep -qF -- "$3" <<<"$2"; then
        ok "$1"
    else
        not_ok "$1" "$(printf '%s\n' "lacks: $3" "in:" "$2")"
    fi
}

# matches NAME TEXT PATTERN: ok if a line of TEXT matches the extended regular expression.
matches() {
    if grep -qE -- "$3" <<<"$2"; then
        ok "$1"
    else
        not_ok "$1" "$(printf '%s\n' "no line matches: $3" "in:" "$2")"
    fi
}

# tap COMMAND...: runs a program that speaks TAP; its lines become ours.
tap() {
    local output status=0 good bad
    output=$("$@" 2>&1) || status=$?
    printf '%s\n' "$output"
    good=$(grep -c '^ok\b' <<<"$output")
    bad=$(grep -c '^not ok\b' <<<"$output")
    tap_done=$((tap_done + good + bad)) tap_failed=$((tap_failed + bad))
    if [ "$bad" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$good" -eq 0 ]; }; then
        not_ok "it ran to its end: $*" "exit status $status"
    fi
}

# Options of openssl x509 for a certificate whose time is over; 3.4 and later take no days that are negative.
# shellcheck disable=SC2034
EXPIRED=(-days -1)
! openssl x509 -help 2>&1 | grep -q not_after || EXPIRED=(-not_before 20200101000000Z -not_after 20200102000000Z)

# etcd_is_old: the one of Ubuntu 22.04 is.
etcd_is_old() {
    [[ $(etcd --version 2>/dev/null) =~ etcd\ Version:\ ([0-9]+)\.([0-9]+) ]] &&
        ((BASH_REMATCH[1] < 3 || (BASH_REMATCH[1] == 3 && BASH_REMATCH[2] < 4)))
}

# slack: so many times as long as on an idle machine things may take here at this moment.
slack() {
    local load
    read -r load _ </proc/loadavg
    echo $((1 + ${load%.*} / $(nproc)))
}

# limit SECONDS COMMAND...: with an end, also for what does not listen; three times as late, as a slow or
# busy machine is no reason to fail. In the group of the test, so that it ends when that is told to: bash does not
# come to at_exit before what it waits for has ended.
limit() {
    timeout --foreground --kill-after=5 $((3 * $1)) "${@:2}"
}

# mailrooms PID: how many processes a daemon shares mailboxes with.
mailrooms() {
    find "/proc/$1/fd" -lname '*azcloudhsm_client mail*' 2>/dev/null | wc -l
}

# waited SECONDS COMMAND...: until it succeeds.
waited() {
    local end=$((SECONDS + $1))
    until "${@:2}" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

# usual MS: how long something may take that takes MS at most on a machine that has nothing else to do;
# so many times as long as there are others for each processor.
usual() {
    awk -v ms="$1" -v cores="$(nproc)" '{ printf "%d\n", ms * (1 + $1 / cores) }' /proc/loadavg
}

# free_ports COUNT: of loopback, which were free a moment ago. They lie below those that the kernel gives to who
# connects: what runs beside us takes none of them before it is used, nor while who has it is started again.
free_ports() {
    python3 - "$1" <<'END'
import random, socket, sys

end = 32768
try:
    end = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
except (OSError, ValueError, IndexError):
    pass
held = []
for _ in range(1000):
    if len(held) == int(sys.argv[1]):
        break
    one = socket.socket()
    try:
        one.bind(("127.0.0.1", random.randrange(10000, end) if end > 12000 else 0))
        held.append(one)
    except OSError:
        one.close()
print(*[one.getsockname()[1] for one in held])
END
}

# under PID...: they, and all that they started: of `limit COMMAND &` the PID is a shell, under which is timeout,
# and under that the command.
under() {
    local pid children
    for pid in "$@"; do
        echo "$pid"
        children=''
        { read -r children <"/proc/$pid/task/$pid/children"; } 2>/dev/null
        # shellcheck disable=SC2086 # they are words
        [ -z "$children" ] || under $children
    done
}

# killed SIGNAL PID...: quietly, with what they started, if they are still there.
killed() {
    # shellcheck disable=SC2046
    kill "-$1" $(under "${@:2}") 2>/dev/null
    wait "${@:2}" 2>/dev/null || true
}

# gone PID...: waits until they are; one whose parent has not looked yet is gone, too.
gone() {
    local pid
    for pid in "$@"; do
        while grep -q '^State:[[:blank:]]*[^ZX]' "/proc/$pid/status" 2>/dev/null; do sleep 0.02; done
    done
}

# hsm_down DIR: stops it; with a sanitizer, its logs must be clean.
hsm_down() {
    limit 60 "$BIN/azcloudhsm_dev" down --dir "$1" ||
        not_ok "azcloudhsm_dev down" "see above"
    if grep -lE 'Sanitizer|runtime error' "$1"/*.log "$1"/node*/*.log >"$TMP/unclean"; then
        not_ok "the logs are clean" "$(xargs tail -n 60 <"$TMP/unclean")"
    fi
}

# The release of these sources.
# shellcheck disable=SC2034
RELEASE=$(sed -n 's/^#define FRAME_VERSION \([0-9]*\)u.*/\1/p' "$ROOT/src/wire/frame.h")

# OpenSSL's provider for PKCS #11, where the distribution has it.
provider_path() {
    echo "${PKCS11_PROVIDER-$(sed -n 's/^MODULESDIR: *"\(.*\)"$/\1/p' <(openssl version -a))/pkcs11.so}"
}
# provider_config [LINE]: a configuration of OpenSSL with it and our module, logged in.
provider_config() {
    cat <<END
openssl_conf = init
[init]
providers = providers
[providers]
default = builtin
pkcs11 = pkcs11
[builtin]
activate = 1
[pkcs11]
module = $(provider_path)
pkcs11-module-path = $MODULE
pkcs11-module-token-pin = cu1:user1234
${1:-}
activate = 1
[req]
distinguished_name = name
[name]
END
}

# hsm_up DIR [OPTION...]: a throwaway HSM that goes away with the test; its environment is ours then.
# Its policy is $POLICY where that is set and no other is asked for.
hsm_up() {
    local dir=$1 environment
    shift
    case " $* " in
    *" --policy "*) ;;
    *) [ -z "${POLICY:-}" ] || set -- "$@" --policy "$POLICY" ;;
    esac
    limit 60 "$BIN/azcloudhsm_dev" up --dir "$dir" "$@" >"$TMP/up.log" 2>&1 || {
        not_ok "azcloudhsm_dev up" "$(cat "$TMP/up.log")"
        exit 1
    }
    at_exit hsm_down "$dir"
    environment=$(limit 10 "$BIN/azcloudhsm_dev" env --dir "$dir")
    eval "$environment"
}

# at_exit COMMAND...: runs when the test ends, however it ends; the last one first.
at_exit() {
    tap_cleanup=("$(printf '%q ' "$@")" "${tap_cleanup[@]}")
}

tap_end() {
    local status=$? command
    trap - EXIT
    trap : INT TERM # once is enough, and they come twice
    for command in "${tap_cleanup[@]}"; do
        eval "$command"
    done
    rm -rf "$TMP"
    if [ -n "$tap_plan" ] && [ "$tap_done" -ne "$tap_plan" ]; then
        not_ok "all of the plan was run" "$tap_done of $tap_plan"
    fi
    [ "$tap_failed" -eq 0 ] || status=1
    exit "$status"
}
trap tap_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
