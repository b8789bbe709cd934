#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Calls of one session while the daemon is stopped and goes on. Speaks TAP.
#
#   stopped.py MODULE PID
import ctypes as c
import os
import signal
import struct
import sys
import time

lib = c.CDLL(sys.argv[1])
daemon = int(sys.argv[2])
UL = c.c_ulong
session = UL()
keep = []
CKR_DEVICE_ERROR = 0x30


def attribute(kind, value):
    keep.append(c.create_string_buffer(value, len(value)))
    return struct.pack("@LLL", kind, c.addressof(keep[-1]), len(value))


def generate():
    mechanism = struct.pack("@LLL", 0, 0, 0)  # CKM_RSA_PKCS_KEY_PAIR_GEN
    public = attribute(0x121, struct.pack("@L", 2048)) + attribute(0x10a, b"\1")
    private = attribute(0x108, b"\1")
    keys = UL(), UL()
    return lib.C_GenerateKeyPair(session, mechanism, public, UL(2), private, UL(1),
                                 c.byref(keys[0]), c.byref(keys[1]))


def random():
    return lib.C_GenerateRandom(session, c.create_string_buffer(16), UL(16))


failed = 0


def check(name, good):
    global failed
    failed |= not good
    print(("ok" if good else "not ok") + " - " + name, flush=True)


def recovers(call):
    """Within the time that a library takes to find the daemon again."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if call() == 0:
            return True
        time.sleep(0.2)
    return False


assert lib.C_Initialize(None) == 0
assert lib.C_OpenSession(UL(1), UL(6), None, None, c.byref(session)) == 0
assert lib.C_Login(session, UL(1), b"cu1:user1234", UL(12)) == 0
for name, call in (("a quick call", random), ("the generation of a pair", generate)):
    check(name + " works", call() == 0)
    os.kill(daemon, signal.SIGSTOP)
    start = time.monotonic()
    rv = call()
    took = time.monotonic() - start
    os.kill(daemon, signal.SIGCONT)
    check("%s ends with CKR_DEVICE_ERROR when the daemon stands still" % name, rv == CKR_DEVICE_ERROR)
    check("%s: within its time" % name, 4 < took < 30)
    print("# it took %.1f s" % took)
    check("%s: and works when it goes on" % name, recovers(call))
lib.C_Finalize(None)
sys.exit(failed)
