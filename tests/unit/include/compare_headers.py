#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our PKCS #11 headers with the one that p11-kit installs.

The preprocessor lists every CKx_ number and every CK_ type of p11-kit; a generated program prints
the numbers, the sizes of the types and the offset and size of each field, once compiled with their
header and once with ours. A name that we lack, or a number that differs, fails the test, unless it
stands in one of the two tables below with the reason. Exits with 77 (skipped) when p11-kit's
header is not installed.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

OURS = "pkcs11_headers/include/cryptoki.h"
THEIRS = "p11-kit/pkcs11.h"

# Names of p11-kit that we leave out on purpose.
PRIVATE = {
    r"CKC_OPENPGP": "a number of p11-kit's own, in the vendor range",
    r"CK_OTP_FORMAT": "a second name of CK_OTP_OUTPUT_FORMAT, unknown to the standard",
    r"CK_FUNCTION_LIST_": "a macro of p11-kit 0.25 by which it declares its tables of functions",
    r"CK_SPEC": "a platform word of p11-kit",
    r"CK[A-Z]_IBM_\w+": "another vendor's numbers",
    r"CK_OTP_MECHANISM_INFO(_PTR)?": "declared by p11-kit, never defined",
}

# Numbers that p11-kit 0.24 has otherwise: {name: (theirs, ours)}. The published headers of 2.40 to
# 3.2 all agree with ours; only p11-kit counts these five from 0x1c0.
DIFFERENT = {
    "CKR_EXCEEDED_MAX_ITERATIONS": ("0x1c0", "0x1b5"),
    "CKR_FIPS_SELF_TEST_FAILED": ("0x1c1", "0x1b6"),
    "CKR_LIBRARY_LOAD_FAILED": ("0x1c2", "0x1b7"),
    "CKR_PIN_TOO_WEAK": ("0x1c3", "0x1b8"),
    "CKR_PUBLIC_KEY_INVALID": ("0x1c4", "0x1b9"),
}

# Fields of these that p11-kit 0.25 calls otherwise: {theirs: ours}.
POLY1305 = "CK_SALSA20_CHACHA20_POLY1305"
RENAMED = {"ulNonceBits": "ulNonceLen"}


def run(command, **more):
    return subprocess.run(command, text=True, capture_output=True, **more)


def private(name):
    return any(re.fullmatch(pattern, name) for pattern in PRIVATE)


def macros(cc, flags, header):
    """The object-like macros of a header whose names begin like the standard's."""
    text = run(cc + flags + ["-E", "-dM", "-include", header, "-x", "c", os.devnull]).stdout
    names = re.findall(r"^#define (CK[A-Z]?_[A-Z]\w*|TRUE|FALSE) \S", text, re.M)
    return sorted(names)


def types(cc, flags, header):
    """The types of a header: a name and, for a structure, the names of its fields."""
    text = run(cc + flags + ["-E", "-P", "-include", header, "-x", "c", os.devnull]).stdout
    bodies = {}
    for tag, body in re.findall(r"struct (\w+)\s*\{([^{}]*)\}", text):
        fields = [re.search(r"(\w+)\s*(\[[^\]]*\])?\s*$", part) for part in body.split(";")]
        bodies[tag] = [field.group(1) for field in fields if field]
    found = {}
    for declaration in re.findall(r"typedef\s+([^;{}]*|struct \w*\s*\{[^{}]*\}[^;]*);", text):
        pointer = re.search(r"\(\s*\*\s*(CK_\w+)\s*\)\s*\(", declaration)
        name = pointer.group(1) if pointer else re.search(r"(\w+)\s*$", declaration).group(1)
        struct = re.match(r"struct (\w+)", declaration)
        plain = struct and "*" not in declaration.split("}")[-1]
        if re.match(r"CK_[A-Z]", name):
            found[name] = bodies.get(struct.group(1), []) if plain else []
    return found


def words(cc, flags, header):
    """All words of a header that may be types; the compiler has the last say on them."""
    text = run(cc + flags + ["-E", "-P", "-include", header, "-x", "c", os.devnull]).stdout
    return set(re.findall(r"\bCK_[A-Z]\w*", text))


def program(header, numbers, kinds, renamed):
    lines = ["#include <stddef.h>", "#include <stdio.h>", "#include <%s>" % header, "",
             "int main(void)", "{"]
    for name in numbers:
        lines.append('    printf("%s %%#lx\\n", (unsigned long)(%s));' % (name, name))
    for name, fields in kinds.items():
        lines.append('    printf("sizeof(%s) %%zu\\n", sizeof(%s));' % (name, name))
        for field in fields:
            real = renamed.get(field, field) if name.startswith(POLY1305) else field
            lines.append('    printf("%s.%s %%zu, %%zu bytes\\n", offsetof(%s, %s), '
                         "sizeof(((%s *)0)->%s));" % (name, field, name, real, name, real))
    return "\n".join(lines + ["    return 0;", "}", ""])


def facts(cc, flags, source):
    """What a generated program prints, as {name: text}."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "facts")
        with open(path + ".c", "w") as file:
            file.write(source)
        build = run(cc + flags + [path + ".c", "-o", path])
        if build.returncode != 0:
            sys.exit("a field or type is missing:\n" + build.stderr)
        return dict(line.split(" ", 1) for line in run([path], check=True).stdout.splitlines())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--include", required=True, help="the directory above pkcs11_headers")
    parser.add_argument("cc", nargs="*", default=["cc"], help="the C compiler, after --")
    options = parser.parse_args()
    cc, ours = options.cc, ["-I", options.include]
    try:
        theirs = run(["pkg-config", "--cflags", "p11-kit-1"]).stdout.split()
    except FileNotFoundError:
        theirs = []
    if run(cc + theirs + ["-fsyntax-only", "-include", THEIRS, "-x", "c", os.devnull]).returncode:
        print("p11-kit's header is not installed")
        return 77

    numbers, kinds = macros(cc, theirs, THEIRS), types(cc, theirs, THEIRS)
    if len(numbers) < 500 or len(kinds) < 80:
        print("only %d numbers, %d types found: parser broken?" % (len(numbers), len(kinds)))
        return 1
    our_numbers, our_types = set(macros(cc, ours, OURS)), words(cc, ours, OURS)
    wrong = ["%s is missing" % name for name in numbers
             if name not in our_numbers and not private(name)]
    wrong += ["%s is missing" % name for name in kinds
              if name not in our_types and not private(name)]
    numbers = [name for name in numbers if name in our_numbers]
    kinds = {name: fields for name, fields in kinds.items() if name in our_types}

    expected = facts(cc, theirs, program(THEIRS, numbers, kinds, {}))
    actual = facts(cc, ours, program(OURS, numbers, kinds, RENAMED))
    for name, value in expected.items():
        if actual[name] != value and DIFFERENT.get(name) != (value, actual[name]):
            wrong.append("%s is %s, p11-kit has %s" % (name, actual[name], value))
    for line in wrong:
        print(line)
    print("%d values compared, %d sizes and offsets of %d types"
          % (len(numbers), len(expected) - len(numbers), len(kinds)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
