#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# What a process of this machine may not do to ours. Each try has to fail.
#
#   trespass.py memory PID...    reads, traces, or takes descriptors of these processes
#   trespass.py page SOCKET      an application that writes the page of changes, which all read
import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
import sys

HEADER = struct.Struct("<IHH16sQIIQ")  # docs/protocol.md: length, operation, flags, context, number, ...
HELLO = 1
PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE = 16, 17, 0x4206
PIDFD_OPEN, PIDFD_GETFD = 434, 438
libc = ctypes.CDLL(None, use_errno=True)
failed = False


def check(name, held, why=""):
    global failed
    print("%s - %s" % ("ok" if held else "not ok", name))
    if not held:
        print("#   %s" % why)
        failed = True


def refused(name, act):
    """ok when act raises or gives -1."""
    try:
        result = act()
    except (OSError, ValueError) as error:
        check("%s: %s" % (name, error), True)
        return
    check(name, result == -1, "it worked: %r" % (result,))


def permitted(result):
    """What a call gave; -1 when it failed for want of permission, and not for another reason."""
    code = ctypes.get_errno()
    return -1 if result == -1 and code in (errno.EPERM, errno.EACCES, errno.ENOSYS) else (result, code)


def ptrace(request, pid):
    result = libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, None)
    if result == 0:
        os.waitpid(pid, os.WUNTRACED)
        libc.ptrace(ctypes.c_long(PTRACE_DETACH), ctypes.c_long(pid), None, None)
    return result


def vm_read(pid):
    buffer = ctypes.create_string_buffer(16)
    vector = struct.pack("QQ", ctypes.addressof(buffer), 16)
    local, remote = ctypes.create_string_buffer(vector), ctypes.create_string_buffer(vector)
    # Our address is none of theirs: where reading is permitted, that is EFAULT.
    return permitted(libc.process_vm_readv(pid, local, ctypes.c_ulong(1), remote, ctypes.c_ulong(1), ctypes.c_ulong(0)))


def take_descriptor(pid):
    pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
    return pidfd if pidfd < 0 else permitted(libc.syscall(PIDFD_GETFD, pidfd, 3, 0))


def memory(pids):
    for pid in pids:
        folder = "/proc/%d" % pid
        check("%d is there" % pid, os.path.exists(folder))
        refused("%d: its memory" % pid, lambda: os.open(folder + "/mem", os.O_RDONLY))
        refused("%d: its memory, by a call" % pid, lambda: vm_read(pid))
        refused("%d: its environment" % pid, lambda: os.open(folder + "/environ", os.O_RDONLY))
        refused("%d: its map" % pid, lambda: open(folder + "/maps").read() or -1)
        refused("%d: what is behind its descriptors" % pid, lambda: os.readlink(folder + "/fd/3"))
        refused("%d: one of them, opened anew" % pid, lambda: os.open(folder + "/fd/1", os.O_WRONLY))
        refused("%d: one of its descriptors" % pid, lambda: take_descriptor(pid))
        refused("%d: ptrace" % pid, lambda: ptrace(PTRACE_ATTACH, pid))
        refused("%d: ptrace, quietly" % pid, lambda: libc.ptrace(ctypes.c_long(PTRACE_SEIZE), ctypes.c_long(pid), None, None))


def page(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(path)
    key = os.urandom(16)
    body = struct.pack("<II16sIBI?IIII?", 1, len(key), key, os.getpid(), 0, 0, True, 0, 0, 0, 0, False)
    connection.sendall(HEADER.pack(len(body), HELLO, 0, bytes(16), 1, 0, 0, 0) + body)
    _, descriptors, _, _ = socket.recv_fds(connection, 4096, 4)
    check("the page comes with the greeting", len(descriptors) == 1)
    fd = descriptors[0]
    size = os.fstat(fd).st_size
    seen = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ)
    check("it can be read", len(seen[:]) == size)
    refused("a mapping to write to", lambda: mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))
    refused("writing", lambda: os.pwrite(fd, b"x" * 64, 0))
    refused("cutting it", lambda: os.ftruncate(fd, 0))
    refused("growing it", lambda: os.ftruncate(fd, 2 * size))
    refused("a hole", lambda: libc.fallocate(fd, 3, ctypes.c_long(0), ctypes.c_long(size)))
    refused("another seal", lambda: fcntl.fcntl(fd, 1033, 8))
    for line in open("/proc/self/maps"):
        if "azcloudhsm_client changes" in line:
            begin, end = (int(x, 16) for x in line.split()[0].split("-"))
            refused("turning the mapping", lambda: libc.mprotect(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), 3))
    # Opened anew, by its name in /proc, it may be open for writing; the memory is sealed all the same.
    try:
        again = os.open("/proc/self/fd/%d" % fd, os.O_RDWR)
    except OSError as error:
        check("it is not opened anew: %s" % error, True)
    else:
        refused("writing, opened anew", lambda: os.pwrite(again, b"x" * 64, 0))
        refused("a mapping to write to, opened anew",
                lambda: mmap.mmap(again, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))


if sys.argv[1] == "memory":
    memory([int(word) for word in sys.argv[2:]])
else:
    page(sys.argv[2])
sys.exit(1 if failed else 0)
