/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls as a C program. Handles become variables, numbered as they appear; bytes become compound
 * literals; PINs are arguments of the program.
 */
#include "exec/trace.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define HANDLES 4096

static FILE *out;
static CK_ULONG sessions[HANDLES], objects[HANDLES];
static size_t session_count, object_count;

void
trace_to(FILE *file)
{
    out = file;
    session_count = object_count = 0;
}

void
trace_note(const char *format, ...)
{
    va_list list;

    if (out == NULL) {
        return;
    }
    va_start(list, format);
    fputs("    /* ", out);
    vfprintf(out, format, list);
    fputs(" */\n", out);
    va_end(list);
}

/* ---- values ---- */

static void
put_handle(const char *name, const CK_ULONG *known, size_t count, CK_ULONG handle)
{
    for (size_t i = count; i-- > 0;) {
        if (known[i] == handle) {
            fprintf(out, "%s[%zu]", name, i);
            return;
        }
    }
    fprintf(out, "0x%lxUL", handle);
}

static void
put_session(CK_SESSION_HANDLE handle)
{
    put_handle("s", sessions, session_count, handle);
}

static void
put_object(CK_OBJECT_HANDLE handle)
{
    put_handle("o", objects, object_count, handle);
}

static void
put_bytes(const void *bytes, size_t len)
{
    const uint8_t *byte = bytes;

    if (bytes == NULL) {
        fputs("NULL", out);
        return;
    }
    fputs("(CK_BYTE[]){ ", out);
    for (size_t i = 0; i < len; i++) {
        fprintf(out, "%s%u,", i % 24 == 23 ? "\n        " : "", byte[i]);
    }
    fputs(len == 0 ? "0 }" : " }", out);
}

/* Bytes that end where memory ends, and their length. */
static void
put_edge(const void *bytes, size_t len)
{
    fputs(bytes != NULL ? "edge(" : "", out);
    put_bytes(bytes, len);
    if (bytes != NULL) {
        fprintf(out, ", %zu)", len);
    }
    fprintf(out, ", %zu", len);
}

static void
put_param(const struct bag *b)
{
    const CK_MECHANISM *m = b->mech;

    if (m->pParameter != NULL && b->param == PARAM_GCM &&
        m->ulParameterLen == sizeof(CK_GCM_PARAMS)) {
        const CK_GCM_PARAMS *p = m->pParameter;

        fputs("&(CK_GCM_PARAMS){ ", out);
        put_bytes(p->pIv, p->ulIvLen);
        fprintf(out, ", %lu, %lu, ", p->ulIvLen, p->ulIvBits);
        put_bytes(p->pAAD, p->ulAADLen);
        fprintf(out, ", %lu, %lu }", p->ulAADLen, p->ulTagBits);
    } else if (m->pParameter != NULL && b->param == PARAM_CCM &&
               m->ulParameterLen == sizeof(CK_CCM_PARAMS)) {
        const CK_CCM_PARAMS *p = m->pParameter;

        fprintf(out, "&(CK_CCM_PARAMS){ %lu, ", p->ulDataLen);
        put_bytes(p->pNonce, p->ulNonceLen);
        fprintf(out, ", %lu, ", p->ulNonceLen);
        put_bytes(p->pAAD, p->ulAADLen);
        fprintf(out, ", %lu, %lu }", p->ulAADLen, p->ulMACLen);
    } else if (m->pParameter != NULL && b->param == PARAM_CHACHA &&
               m->ulParameterLen == sizeof(CK_SALSA20_CHACHA20_POLY1305_PARAMS)) {
        const CK_SALSA20_CHACHA20_POLY1305_PARAMS *p = m->pParameter;

        fputs("&(CK_SALSA20_CHACHA20_POLY1305_PARAMS){ ", out);
        put_bytes(p->pNonce, p->ulNonceLen);
        fprintf(out, ", %lu, ", p->ulNonceLen);
        put_bytes(p->pAAD, p->ulAADLen);
        fprintf(out, ", %lu }", p->ulAADLen);
    } else if (m->pParameter != NULL && b->param == PARAM_OAEP &&
               m->ulParameterLen == sizeof(CK_RSA_PKCS_OAEP_PARAMS)) {
        const CK_RSA_PKCS_OAEP_PARAMS *p = m->pParameter;

        fprintf(out, "&(CK_RSA_PKCS_OAEP_PARAMS){ 0x%lx, %lu, %lu, NULL, 0 }", p->hashAlg, p->mgf,
                p->source);
    } else {
        put_bytes(m->pParameter, m->ulParameterLen);
    }
}

static void
put_attrs(const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    if (attrs == NULL) {
        fprintf(out, "NULL, %lu", count);
        return;
    }
    fputs("(CK_ATTRIBUTE[]){", out);
    for (CK_ULONG i = 0; i < count; i++) {
        fprintf(out, "\n        { 0x%lx, ", attrs[i].type);
        put_bytes(attrs[i].pValue, attrs[i].ulValueLen);
        fprintf(out, ", %lu },", attrs[i].ulValueLen);
    }
    fprintf(out, "%s, %lu", count == 0 ? " { 0, NULL, 0 } }" : " }", count);
}

/* A mechanism whose parameter is told by its number. */
static void
put_mech(const CK_MECHANISM *mech)
{
    struct bag b = { .mech = (CK_MECHANISM *)(uintptr_t)mech };

    fprintf(out, "&(CK_MECHANISM){ 0x%lx, ", mech->mechanism);
    if (mech->mechanism == CKM_ECDH1_DERIVE &&
        mech->ulParameterLen == sizeof(CK_ECDH1_DERIVE_PARAMS)) {
        const CK_ECDH1_DERIVE_PARAMS *p = mech->pParameter;

        fprintf(out, "&(CK_ECDH1_DERIVE_PARAMS){ %lu, 0, NULL, %lu, ", p->kdf, p->ulPublicDataLen);
        put_bytes(p->pPublicData, p->ulPublicDataLen);
        fputs(" }", out);
    } else {
        b.param = mech->mechanism == CKM_RSA_PKCS_OAEP ? PARAM_OAEP
                  : mech->mechanism == CKM_AES_GCM     ? PARAM_GCM
                                                       : PARAM_NONE;
        put_param(&b);
    }
    fprintf(out, ", %lu }", mech->ulParameterLen);
}

static void
put_role(enum role role, enum fn fn, const struct bag *b)
{
    switch (role) {
    case ROLE_INITARGS:
        if (b->init_args == NULL) {
            fputs("NULL", out);
        } else {
            const CK_C_INITIALIZE_ARGS *args = b->init_args;

            fprintf(out,
                    "&(CK_C_INITIALIZE_ARGS){ .CreateMutex = %s, .flags = %lu, .pReserved = %s }",
                    args->CreateMutex != NULL ? "some_mutex" : "NULL", args->flags,
                    args->pReserved != NULL ? "&rv" : "NULL");
        }
        break;
    case ROLE_RESERVED:
        fputs(b->reserved != NULL ? "&rv" : "NULL", out);
        break;
    case ROLE_INFO:
        if (fn == FN_C_OpenSession && b->info != NULL) {
            fprintf(out, "&s[%zu]", session_count);
        } else {
            fputs(b->info != NULL ? "(void *)info" : "NULL", out);
        }
        break;
    case ROLE_SLOT:
        fprintf(out, "%luUL", b->slot);
        break;
    case ROLE_FLAGS:
        fprintf(out, "%lu, NULL, NULL", b->flags);
        break;
    case ROLE_CANCEL:
        fprintf(out, "0x%lx", b->flags);
        break;
    case ROLE_SESSION:
        put_session(b->session);
        break;
    case ROLE_USER:
        fprintf(out, "%lu", b->user);
        break;
    case ROLE_PIN:
        if (b->pin == NULL) {
            fprintf(out, "NULL, %lu", b->pin_len);
        } else {
            const char *name = strcmp((const char *)b->pin, "wrong:wrong-pin") == 0 ? "wrong_pin"
                               : b->user == CKU_SO                                  ? "so_pin"
                                                                                    : "pin";
            fprintf(out, "(CK_UTF8CHAR *)%s, strlen(%s)", name, name);
        }
        break;
    case ROLE_MECH:
        if (b->mech == NULL) {
            fputs("NULL", out);
            break;
        }
        fprintf(out, "&(CK_MECHANISM){ 0x%lx, ", b->mech->mechanism);
        put_param(b);
        fprintf(out, ", %lu }", b->mech->ulParameterLen);
        break;
    case ROLE_KEY:
        put_object(b->key);
        break;
    case ROLE_IN:
        put_edge(b->in, b->in_len);
        break;
    case ROLE_OUT:
        fprintf(out, "%s, %s", b->out != NULL ? "edge(buffer, len)" : "NULL",
                b->out_len != NULL ? "&len" : "NULL");
        break;
    case ROLE_SIG:
        put_edge(b->sig, b->sig_len);
        break;
    case ROLE_RANDOM:
        fprintf(out, "%s, %lu", b->random != NULL ? "buffer" : "NULL", b->random_len);
        break;
    case ROLE_FIND:
        put_attrs(b->attrs, b->attrs_count);
        break;
    case ROLE_MAX:
        fprintf(out, "%s, %lu, %s", b->handles != NULL ? "handles" : "NULL", b->max,
                b->found != NULL ? "&len" : "NULL");
        break;
    case ROLE_MPARAM:
        if (b->mparam == NULL || b->param == PARAM_NONE) {
            put_bytes(b->mparam, b->mparam_len);
        } else {
            fputs(b->param == PARAM_GCM   ? "&gcm"
                  : b->param == PARAM_CCM ? "&ccm"
                                          : "&chacha",
                  out);
        }
        fprintf(out, ", %lu", b->mparam_len);
        break;
    case ROLE_AAD:
        put_bytes(b->aad, b->aad_len);
        fprintf(out, ", %lu", b->aad_len);
        break;
    case ROLE_END:
        fprintf(out, "0x%lx", b->flags);
        break;
    default:
        break;
    }
}

/* What a parameter of a message points to stays where it is from call to call. */
static void
put_places(const CK_BYTE *nonce, size_t nonce_len, const CK_BYTE *tag)
{
    if (nonce != NULL) {
        fputs("    memcpy(nonce, ", out);
        put_bytes(nonce, nonce_len);
        fprintf(out, ", %zu);\n", nonce_len);
    }
    if (tag != NULL) {
        fputs("    memcpy(tag, ", out);
        put_bytes(tag, 16);
        fputs(", 16);\n", out);
    }
}

static void
put_message_param(const struct bag *b)
{
    const char *nonce = "nonce", *tag = "tag";

    if (b->param == PARAM_GCM) {
        const CK_GCM_MESSAGE_PARAMS *p = b->mparam;

        put_places(p->pIv, p->ulIvLen, p->pTag);
        fprintf(out, "    gcm = (CK_GCM_MESSAGE_PARAMS){ %s, %lu, %lu, %lu, %s, %lu };\n",
                p->pIv != NULL ? nonce : "NULL", p->ulIvLen, p->ulIvFixedBits, p->ivGenerator,
                p->pTag != NULL ? tag : "NULL", p->ulTagBits);
    } else if (b->param == PARAM_CCM) {
        const CK_CCM_MESSAGE_PARAMS *p = b->mparam;

        put_places(p->pNonce, p->ulNonceLen, p->pMAC);
        fprintf(out, "    ccm = (CK_CCM_MESSAGE_PARAMS){ %lu, %s, %lu, %lu, %lu, %s, %lu };\n",
                p->ulDataLen, p->pNonce != NULL ? nonce : "NULL", p->ulNonceLen,
                p->ulNonceFixedBits, p->nonceGenerator, p->pMAC != NULL ? tag : "NULL",
                p->ulMACLen);
    } else {
        const CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS *p = b->mparam;

        put_places(p->pNonce, p->ulNonceLen, p->pTag);
        fprintf(out, "    chacha = (CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS){ %s, %lu, %s };\n",
                p->pNonce != NULL ? nonce : "NULL", p->ulNonceLen,
                p->pTag != NULL ? tag : "NULL");
    }
}

/* ---- statements ---- */

void
trace_before(enum fn fn, const struct bag *b)
{
    if (out == NULL) {
        return;
    }
    if (has_role(fn, ROLE_OUT)) {
        fprintf(out, "    len = %lu;\n", b->out_room);
    }
    if (has_role(fn, ROLE_MPARAM) && b->param != PARAM_NONE && b->mparam != NULL) {
        put_message_param(b);
    }
    fprintf(out, "    rv = p11->%s(", functions[fn].name);
    for (size_t i = 0; i < ROLES_MAX && functions[fn].roles[i] != ROLE_NONE; i++) {
        fputs(i > 0 ? ", " : "", out);
        put_role(functions[fn].roles[i], fn, b);
    }
    fputs(");\n", out);
    fflush(out);
}

void
trace_after(enum fn fn, const struct bag *b, CK_RV rv)
{
    if (out == NULL) {
        return;
    }
    if (fn == FN_C_OpenSession && b->info != NULL) {
        sessions[session_count % HANDLES] = rv == CKR_OK ? *(CK_SESSION_HANDLE *)b->info : 0;
        session_count += rv == CKR_OK && session_count + 1 < HANDLES;
    }
    trace_seen(functions[fn].name, rv);
}

static void
put_format(const char *format, va_list list)
{
    size_t fresh = object_count;

    for (const char *c = format; *c != '\0'; c++) {
        if (*c != '%') {
            fputc(*c, out);
            continue;
        }
        switch (*++c) {
        case 's':
            put_session(va_arg(list, CK_ULONG));
            break;
        case 'o':
            put_object(va_arg(list, CK_ULONG));
            break;
        case 'n':
            fprintf(out, "o[%zu]", fresh++);
            break;
        case 'a': {
            const CK_ATTRIBUTE *attrs = va_arg(list, const CK_ATTRIBUTE *);

            put_attrs(attrs, va_arg(list, CK_ULONG));
            break;
        }
        case 'u':
            fprintf(out, "0x%lx", va_arg(list, CK_ULONG));
            break;
        case 't':
            fputs(va_arg(list, const char *), out);
            break;
        case 'm':
            put_mech(va_arg(list, const CK_MECHANISM *));
            break;
        case 'i': {
            const CK_BYTE *bytes = va_arg(list, const CK_BYTE *);

            put_edge(bytes, va_arg(list, CK_ULONG));
            break;
        }
        case 'l':
            fputs(va_arg(list, void *) != NULL ? "&len" : "NULL", out);
            break;
        default:
            fputs(va_arg(list, void *) != NULL ? "buffer" : "NULL", out);
            break;
        }
    }
}

void
trace_piece(const char *format, ...)
{
    va_list list;

    if (out == NULL) {
        return;
    }
    va_start(list, format);
    put_format(format, list);
    fflush(out);
    va_end(list);
}

void
trace(const char *format, ...)
{
    va_list list;

    if (out == NULL) {
        return;
    }
    va_start(list, format);
    fputs("    ", out);
    put_format(format, list);
    fputc('\n', out);
    fflush(out);
    va_end(list);
}

void
trace_seen(const char *name, CK_RV rv)
{
    if (out != NULL) {
        fprintf(out, "    seen(\"%s\", rv, 0x%lxUL);    /* %s */\n", name, rv, code_name(rv));
        fflush(out);
    }
}

void
trace_born(CK_OBJECT_HANDLE object, CK_RV rv)
{
    if (out != NULL && rv == CKR_OK && object_count + 2 < HANDLES) {
        objects[object_count++] = object;
    }
}

/* What brings faults about; the daemon is a further argument of the program. */
static const char faults[] =
    "#include <signal.h>\n#include <stdlib.h>\n#include <sys/socket.h>\n#include <unistd.h>\n\n"
    "static int daemon_pid;\nstatic long left;\n\n"
    "extern void *__libc_malloc(size_t);\nextern void *__libc_calloc(size_t, size_t);\n"
    "extern void *__libc_realloc(void *, size_t);\n\n"
    "static int\nfails(void)\n{\n    return left > 0 && --left == 0;\n}\n\n"
    "void *\nmalloc(size_t size)\n{\n    return fails() ? NULL : __libc_malloc(size);\n}\n\n"
    "void *\ncalloc(size_t count, size_t size)\n{\n"
    "    return fails() ? NULL : __libc_calloc(count, size);\n}\n\n"
    "void *\nrealloc(void *memory, size_t size)\n{\n"
    "    return fails() ? NULL : __libc_realloc(memory, size);\n}\n\n"
    "static void\nmemory_fail(long count)\n{\n    left = count;\n}\n\n"
    "/* The suite alone cuts a connection in the middle of a call. */\n"
    "static void\ntransfer_fail(long count, int middle)\n{\n    (void)count, (void)middle;\n}\n\n"
    "static void\ncut(void)\n{\n    for (int fd = 3; fd < 1024; fd++) {\n"
    "        shutdown(fd, SHUT_RDWR);\n    }\n}\n\n"
    "static void\nstop(void)\n{\n    kill(daemon_pid, SIGSTOP);\n    if (fork() == 0) {\n"
    "        usleep(60000);\n        kill(daemon_pid, SIGCONT);\n        _exit(0);\n    }\n}\n\n";

void
trace_begin(FILE *file, const char *id)
{
    bool with_faults = strncmp(id, "FAULT/", 6) == 0;

    fprintf(
        file,
        "/* %s\n"
        " *\n"
        " * cc trace.c -I include -ldl && ./a.out MODULE PIN [SO-PIN]\n"
        " * The exit status is 0 when the module answers as it did when this was written.\n"
        " */\n"
        "#include \"pkcs11_headers/include/cryptoki.h\"\n\n"
        "#include <dlfcn.h>\n#include <stdio.h>\n#include <string.h>\n"
        "#include <sys/mman.h>\n\n"
        "static CK_FUNCTION_LIST_3_0 list;\n"
        "static const CK_FUNCTION_LIST_3_0 *p11 = &list;\n"
        "static CK_SESSION_HANDLE s[4096];\n"
        "static CK_OBJECT_HANDLE o[4096], handles[64];\n"
        "static CK_BYTE buffer[65536], info[4096];\n"
        "static CK_BYTE nonce[16], tag[16];\n"
        "static CK_GCM_MESSAGE_PARAMS gcm;\n"
        "static CK_CCM_MESSAGE_PARAMS ccm;\n"
        "static CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS chacha;\n"
        "static CK_ULONG place[16];\n"
        "static int differs;\n\n"
        "/* The bytes, at the end of memory that one may touch. */\n"
        "static CK_BYTE *\nedge(const CK_BYTE *bytes, CK_ULONG len)\n{\n"
        "    CK_BYTE *memory = mmap(NULL, 131072, PROT_READ | PROT_WRITE,\n"
        "                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n\n"
        "    mprotect(memory + 65536, 65536, PROT_NONE);\n"
        "    memcpy(memory + 65536 - len, bytes, len);\n"
        "    return memory + 65536 - len;\n}\n\n"
        "/* So many bytes of it, as the suite filled them. */\n"
        "static CK_BYTE *\nmark(CK_ULONG len, CK_ULONG odd)\n{\n"
        "    CK_ULONG size = (len + 64 + 4096) / 4096 * 4096;\n"
        "    CK_BYTE *memory = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE,\n"
        "                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n\n"
        "    mprotect(memory + size, 4096, PROT_NONE);\n"
        "    for (CK_ULONG i = 0; i < len; i++) {\n"
        "        memory[size - len - odd + i] = (CK_BYTE)(0x20 + (i * 7 + i / 16) %% 0x5f);\n    }\n"
        "    return memory + size - len - odd;\n}\n\n"
        "static CK_ATTRIBUTE *\nmany(void)\n{\n"
        "    static CK_ATTRIBUTE attrs[1000000];\n    static CK_BYTE text[1] = { 'x' };\n\n"
        "    for (CK_ULONG i = 0; i < 1000000; i++) {\n"
        "        attrs[i] = (CK_ATTRIBUTE){ CKA_LABEL, text, 1 };\n    }\n    return attrs;\n}\n\n"
        "static CK_ATTRIBUTE *\nloop(void)\n{\n    static CK_ATTRIBUTE attrs[2];\n\n"
        "    attrs[0] = (CK_ATTRIBUTE){ CKA_WRAP_TEMPLATE, attrs, sizeof attrs };\n"
        "    attrs[1] = (CK_ATTRIBUTE){ CKA_UNWRAP_TEMPLATE, attrs, sizeof attrs };\n"
        "    return attrs;\n}\n\n"
        "/* Arguments are words: the first two, and zeros. */\n"
        "static CK_RV\nwords(void (*f)(void), CK_ULONG a, CK_ULONG b)\n{\n"
        "    typedef CK_ULONG w;\n\n"
        "    return ((CK_RV (*)(w, w, w, w, w, w, w, w, w, w, w, w))f)(a, b, 0, 0, 0, 0, 0, 0, 0,\n"
        "                                                              0, 0, 0);\n}\n\n"
        "static CK_RV\none_mutex(void *mutex)\n{\n    (void)mutex;\n    return CKR_OK;\n}\n\n"
        "static CK_RV\nsome_mutex(void **ret_mutex)\n{\n    *ret_mutex = NULL;\n"
        "    return CKR_OK;\n}\n\n"
        "static void\nseen(const char *name, CK_RV rv, CK_RV then)\n{\n"
        "    printf(\"%%s 0x%%lx%%s\\n\", name, rv, rv == then ? \"\" : \", not as before\");\n"
        "    differs |= rv != then;\n}\n\n"
        "%s"
        "static int\nopen_module(const char *path)\n{\n"
        "    void *so = dlopen(path, RTLD_NOW);\n"
        "    CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;\n"
        "    CK_RV (*get3)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS) = NULL;\n"
        "    CK_FUNCTION_LIST *plain = NULL;\n"
        "    CK_INTERFACE *interface = NULL;\n"
        "    CK_VERSION want = { 3, 0 };\n\n"
        "    if (so != NULL) {\n"
        "        *(void **)&get = dlsym(so, \"C_GetFunctionList\");\n"
        "        *(void **)&get3 = dlsym(so, \"C_GetInterface\");\n"
        "    }\n"
        "    if (get == NULL || get(&plain) != CKR_OK) {\n        return 0;\n    }\n"
        "    memcpy(&list, plain, sizeof *plain);\n"
        "    if (get3 != NULL && get3((CK_UTF8CHAR *)\"PKCS 11\", &want, &interface, 0) == CKR_OK) {\n"
        "        memcpy(&list, interface->pFunctionList, sizeof list);\n    }\n"
        "    return 1;\n}\n\n"
        "int\nmain(int argc, char **argv)\n{\n"
        "    const char *pin = argc > 2 ? argv[2] : \"\", *so_pin = argc > 3 ? argv[3] : \"\";\n"
        "    const char *wrong_pin = \"wrong:wrong-pin\";\n"
        "    CK_ULONG len = 0;\n"
        "    CK_FUNCTION_LIST *plain = NULL;\n"
        "    CK_INTERFACE *interface = NULL;\n"
        "    CK_RV rv = CKR_OK;\n\n"
        "    (void)pin, (void)so_pin, (void)wrong_pin, (void)len, (void)some_mutex, (void)edge;\n"
        "    (void)plain, (void)interface;\n"
        "    (void)mark, (void)many, (void)loop, (void)words, (void)one_mutex, (void)place;\n"
        "    (void)nonce, (void)tag, (void)gcm, (void)ccm, (void)chacha;\n"
        "    (void)s, (void)o, (void)handles, (void)buffer, (void)info;\n"
        "%s"
        "    if (argc < 3 || !open_module(argv[1])) {\n        return 2;\n    }\n",
        id, with_faults ? faults : "",
        with_faults ? "    (void)memory_fail, (void)cut, (void)stop, (void)transfer_fail;\n"
                      "    daemon_pid = argc > 4 ? atoi(argv[4]) : 0;\n"
                    : "");
    fflush(file);
}

void
trace_end(FILE *file)
{
    fputs("    return differs;\n}\n", file);
    fflush(file);
}
