#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles the public headers the way that applications may include them.

Each header stands first and alone, then in the order of the service's guide, in strict and GNU C
and in C++, with every warning an error. The sample is compiled without -Wpedantic in C, because
`{ }` is C++ and GNU C. Compilers that are not installed are passed over and named.
"""
import argparse
import os
import shutil
import subprocess
import sys

PREFIX = "pkcs11_headers/include/"
HEADERS = ["cryptoki.h", "pkcs11.h", "pkcs11t.h", "pkcs11f.h"]
INCLUDES = [[header] for header in HEADERS] + [["cryptoki.h", "pkcs11t.h"], HEADERS, HEADERS[::-1]]
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror"]

COMPILERS = [
    ("gcc", "c", ["c99", "c11", "gnu11"]),
    ("clang", "c", ["c99", "c11", "gnu11"]),
    ("g++", "c++", ["c++11", "c++17"]),
    ("clang++", "c++", ["c++11", "c++17"]),
]


def compiles(command, source):
    run = subprocess.run(command + ["-fsyntax-only", "-"], input=source, text=True,
                         capture_output=True)
    if run.returncode != 0:
        print("failed:", " ".join(command), file=sys.stderr)
        print(source if len(source) < 400 else "(the sample)", run.stderr, sep="\n",
              file=sys.stderr)
    return run.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--include", required=True, help="the directory above pkcs11_headers")
    include = parser.parse_args().include
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sample_style.c")) as file:
        sample = file.read()
    results = []

    for compiler, language, standards in COMPILERS:
        if shutil.which(compiler) is None:
            print(compiler, "is not installed, passed over")
            continue
        for standard in standards:
            command = [compiler, "-x", language, "-std=" + standard, "-I", include] + WARNINGS
            for names in INCLUDES:
                lines = ['#include "%s%s"' % (PREFIX, name) for name in names]
                source = "\n".join(lines + ["int main(void) { return 0; }", ""])
                results.append(compiles(command + ["-Wpedantic"], source))
            if standard in ("c11", "gnu11", "c++17"):
                results.append(compiles(command, sample))

    print("%d of %d compiled" % (sum(results), len(results)))
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
