# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For the tests of azcloudhsm_util, after lib.sh: one command each, in both generations.

# shellcheck disable=SC2034  # used by the tests
success="HSM Return: SUCCESS"
login=(loginHSM -u CU -s cu1 -p user1234)

# util WORD...: one command after a login; its lines without blanks around them, to $output, and its
# status to $status.
util() {
    output=$(limit 60 "$BIN/azcloudhsm_util" singlecmd "${login[@]}" "$@" 2>&1)
    status=$?
}
# aws WORD...: in the older generation.
aws() {
    output=$(limit 60 "$BIN/azcloudhsm_util" --compat aws singlecmd "${login[@]}" "$@" 2>&1)
    status=$?
}
# json WORD...: the listing alone.
json() {
    output=$(limit 60 "$BIN/azcloudhsm_util" --json singlecmd "${login[@]}" "$@" 2>/dev/null)
    status=$?
}
# handle TEXT: the number after that text in $output.
handle() {
    sed -n "s/.*$1: *\([0-9][0-9]*\).*/\1/p" <<<"$output" | head -1
}
# done_with NAME LINE...: the last command succeeded and printed these lines.
done_with() {
    has_lines "$1" "$output" "${@:2}"
    check "$1: status 0" test "$status" -eq 0
}
# refused_with NAME LINE...: it failed with status 1, and these lines.
refused_with() {
    has_lines "$1" "$output" "${@:2}"
    check "$1: status 1" test "$status" -eq 1
}
# private FILE: nobody else can read it.
private() {
    check "$1 is its owner's alone" test "$(stat -c %a "$1")" = 600
}
