# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For system tests of second factors, sourced after lib.sh: a person who signs what azcloudhsm_mgmt_util
# asks for with -2fa. The test has a function `tool`, which runs it.

# factor_key NAME: makes NAME.key and NAME.pub.
factor_key() {
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key" 2>/dev/null
    openssl pkey -in "$1.key" -pubout -out "$1.pub"
}

# fill KEY FILE: as the person would: every digest signed, and the public key; KEY old: with the
# signatures that the file used has.
fill() {
    python3 - "$1" "$2" <<'PY'
import base64, json, subprocess, sys
key, path = sys.argv[1:]
data = json.load(open(path))
assert data["Version"] == "1.0" and data["PublicKey"] == "" and data["Data"], data
for entry in data["Data"]:
    digest = base64.b64decode(entry["Digest"])
    assert len(digest) == 32 and entry["HsmId"] and entry["Signature"] == "", entry
    if key == "old":
        entry["Signature"] = json.load(open("used"))["Data"][0]["Signature"]
        continue
    open("digest", "wb").write(digest)
    signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", key + ".key", "-pkeyopt",
                                "digest:sha256", "-in", "digest"], stdout=subprocess.PIPE, check=True).stdout
    entry["Signature"] = base64.b64encode(signature).decode()
data["PublicKey"] = open("one.pub" if key == "old" else key + ".pub").read()
json.dump(data, open(path, "w"))
PY
}
asked() {
    [ "$(grep -o 'Enter filename:' shown | wc -l)" -ge "$1" ]
}
# talk WORD...: lines for the tool; a word `sign:KEY` waits until it asks, and signs authdata with that
# key; `give:FILE` gives back another file.
talk() {
    local word count=0
    rm -f authdata
    : >shown
    {
        for word in "$@"; do
            case $word in
            sign:*)
                count=$((count + 1))
                waited 60 asked $count && fill "${word#sign:}" authdata
                echo
                ;;
            give:*)
                count=$((count + 1))
                waited 60 asked $count
                echo "${word#give:}"
                ;;
            *) echo "$word" ;;
            esac
        done
    } | tool >shown 2>&1
    output=$(cat shown)
}
