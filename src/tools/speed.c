/* SPDX-License-Identifier: Apache-2.0
 *
 * Each thread has one request under way, so threads are what keeps the HSM busy. Nothing is
 * measured but the calls: the clock starts when all threads have done one.
 */
#include "tools/speed.h"

#include "rules/attribute.h"
#include "wire/message.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SESSION_HANDLE_FIRST 0x80000000u
#define TEMPLATE_MAX 1024u
#define SIGNATURE_MAX 4096u
#define RSA_PADDING_LEN 11u /* RFC 8017, 9.2 */

/* clang-format off */
static const struct speed_row rows[] = {
/*    name         letter help                                      kind          key generation            mechanism           bits data block */
    { "AES_128",    'D', "AES-CBC",                                 SPEED_CIPHER, CKM_AES_KEY_GEN,          CKM_AES_CBC,        128, 0,  16 },
    { "AES_256",    'E', "AES-CBC",                                 SPEED_CIPHER, CKM_AES_KEY_GEN,          CKM_AES_CBC,        256, 0,  16 },
    { "AES_GCM",    'K', "AES-256-GCM, the IV made by the HSM",     SPEED_GCM,    CKM_AES_KEY_GEN,          CKM_AES_GCM,        256, 0,  1  },
    { "3DES",       'C', "3DES-CBC",                                SPEED_CIPHER, CKM_DES3_KEY_GEN,         CKM_DES3_CBC,       192, 0,  8  },
    { "RSA",        'A', "signs; keys are kept with their primes, so this is RSA_CRT",
                                                                    SPEED_SIGN,   CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS,      0,   0,  1  },
    { "RSA_CRT",    'B', "signs",                                   SPEED_SIGN,   CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS,      0,   0,  1  },
    { "EC_P256",    'P', "signs a digest of 32 bytes",              SPEED_SIGN,   CKM_EC_KEY_PAIR_GEN,      CKM_ECDSA,          256, 32, 1  },
    { "EC_P384",    'Q', "signs a digest of 48 bytes",              SPEED_SIGN,   CKM_EC_KEY_PAIR_GEN,      CKM_ECDSA,          384, 48, 1  },
    { "RANDOM",     'I', "random bytes",                            SPEED_RANDOM, 0,                        0,                  0,   0,  1  },
};
/* clang-format on */

const struct speed_row *
speed_rows(size_t *ret_count)
{
    *ret_count = ARRAY_COUNT(rows);
    return rows;
}

const struct speed_row *
speed_row(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const char letter[2] = { rows[i].letter, '\0' };

        if (strcasecmp(name, rows[i].name) == 0 || strcasecmp(name, letter) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

uint32_t
speed_data_len(const struct speed_row *row, uint32_t bits, uint32_t asked)
{
    uint32_t len = row->data_len != 0 ? row->data_len : asked;

    if (row->kind == SPEED_SIGN && row->data_len == 0) {
        len = (uint32_t)size_min(len, bits / 8 - RSA_PADDING_LEN);
    }
    return (len + row->block - 1) / row->block * row->block;
}

/* ---- the key ---- */

static CK_RV
secret_key_make(struct speed *speed, uint32_t *ret_key)
{
    struct generate_key_request request = { .handle = speed->next_handle };
    struct generate_key_reply reply;
    struct writer template;
    struct call call;
    CK_RV rv;

    writer_init(&template, TEMPLATE_MAX);
    attribute_write_bool(&template, CKA_TOKEN, false);
    attribute_write_bool(&template, CKA_ENCRYPT, true);
    if (speed->row->generation == CKM_AES_KEY_GEN) {
        attribute_write_ulong(&template, CKA_VALUE_LEN, speed->bits / 8);
    }
    request.mechanism.type = (uint32_t)speed->row->generation;
    request.template = writer_view(&template);
    if ((rv = call_begin(speed->client, &call)) == CKR_OK) {
        generate_key_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_GENERATE_KEY, SPEED_SESSION, FRAME_READ_WRITE);
    }
    if (rv == CKR_OK &&
        (!generate_key_reply_read(call.reply, &reply) || info_array_count(reply.made) != 1)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_key = info_array_get(reply.made, 0).handle;
    }
    call_end(&call);
    writer_clear(&template);
    return rv;
}

static CK_RV
pair_make(struct speed *speed, uint32_t *ret_key)
{
    static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    static const uint8_t p384[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
    static const uint8_t exponent[] = { 1, 0, 1 };
    const bool rsa = speed->row->generation == CKM_RSA_PKCS_KEY_PAIR_GEN;
    struct generate_pair_request request = { .public_handle = speed->next_handle,
                                             .private_handle = speed->next_handle + 1 };
    struct generate_pair_reply reply;
    struct writer public, private;
    struct call call;
    CK_RV rv;

    writer_init(&public, TEMPLATE_MAX);
    writer_init(&private, TEMPLATE_MAX);
    attribute_write_bool(&public, CKA_TOKEN, false);
    attribute_write_bool(&public, CKA_VERIFY, true);
    if (rsa) {
        attribute_write_ulong(&public, CKA_MODULUS_BITS, speed->bits);
        attribute_write(&public, CKA_PUBLIC_EXPONENT, view_of(exponent, sizeof exponent));
    } else {
        attribute_write(&public, CKA_EC_PARAMS,
                        speed->bits == 256 ? view_of(p256, sizeof p256)
                                           : view_of(p384, sizeof p384));
    }
    attribute_write_bool(&private, CKA_TOKEN, false);
    attribute_write_bool(&private, CKA_SIGN, true);
    request.mechanism.type = (uint32_t)speed->row->generation;
    request.public_template = writer_view(&public);
    request.private_template = writer_view(&private);
    if ((rv = call_begin(speed->client, &call)) == CKR_OK) {
        generate_pair_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_GENERATE_PAIR, SPEED_SESSION, FRAME_READ_WRITE);
    }
    if (rv == CKR_OK &&
        (!generate_pair_reply_read(call.reply, &reply) || info_array_count(reply.made) != 2)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_key = info_array_get(reply.made, 1).handle;
    }
    call_end(&call);
    writer_clear(&public);
    writer_clear(&private);
    return rv;
}

/* ---- one operation ---- */

struct run {
    const struct speed *speed;
    uint32_t key;
    uint8_t data[SPEED_DATA_MAX + 16];
    _Atomic unsigned ready; /* threads that have done one */
    _Atomic bool start;
    _Atomic bool stop;
    _Atomic CK_RV failed; /* the first that was */
    _Atomic uint64_t operations;
};

static CK_RV
operate(struct run *run)
{
    static const uint8_t iv[16];
    const struct speed *speed = run->speed;
    const view data = view_of(run->data, speed->data_len);
    struct mechanism mechanism = { .type = (uint32_t)speed->row->mechanism };
    enum operation operation = OPERATION_ENCRYPT;
    struct call call;
    CK_RV rv = call_begin(speed->client, &call);

    if (rv != CKR_OK) {
        call_end(&call);
        return rv;
    }
    switch (speed->row->kind) {
    case SPEED_GCM:
        /* Zeros ask for an IV, where the policy offers that. */
        mechanism.shape = PARAMS_gcm;
        mechanism.params.gcm.iv = view_of(iv, 12);
        mechanism.params.gcm.tag_bits = 128;
        break;
    case SPEED_CIPHER:
        mechanism.shape = PARAMS_iv;
        mechanism.params.iv.bytes = view_of(iv, speed->row->block);
        break;
    case SPEED_SIGN:
        operation = OPERATION_SIGN;
        break;
    case SPEED_RANDOM:
        operation = OPERATION_RANDOM;
        break;
    }

    const struct encrypt_request encrypt = { mechanism, run->key, SPEED_DATA_MAX + 64, data };
    const struct sign_request sign = { mechanism, run->key, SIGNATURE_MAX, data };
    const struct random_request random = { speed->data_len };

    if (operation == OPERATION_ENCRYPT) {
        encrypt_request_write(call.body, &encrypt);
    } else if (operation == OPERATION_SIGN) {
        sign_request_write(call.body, &sign);
    } else {
        random_request_write(call.body, &random);
    }
    rv = call_send(&call, operation, SPEED_SESSION, 0);
    call_end(&call);
    return rv;
}

static void
moment_pass(void)
{
    static const struct timespec moment = { 0, 200000 };

    nanosleep(&moment, NULL);
}

static void
gate_wait(struct run *run, unsigned threads)
{
    while (atomic_load(&run->ready) < threads) {
        moment_pass();
    }
    atomic_store(&run->start, true);
}

static void *
work(void *arg)
{
    struct run *run = arg;
    CK_RV none = CKR_OK;
    CK_RV rv = operate(run);

    atomic_fetch_add(&run->ready, 1);
    while (!atomic_load(&run->start) && !atomic_load(&run->stop)) {
        moment_pass();
    }
    while (rv == CKR_OK && !atomic_load_explicit(&run->stop, memory_order_relaxed)) {
        rv = operate(run);
        if (rv == CKR_OK) {
            atomic_fetch_add_explicit(&run->operations, 1, memory_order_relaxed);
        }
    }
    if (rv != CKR_OK) {
        (void)atomic_compare_exchange_strong(&run->failed, &none, rv);
        atomic_store(&run->stop, true);
    }
    return NULL;
}

static double
seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The seconds go by, and each is told. */
static void
watch(struct run *run, double start)
{
    uint64_t before = 0;

    for (unsigned second = 1; second <= run->speed->seconds && !atomic_load(&run->stop); second++) {
        double left = start + second - seconds_now();
        const struct timespec pause = { (time_t)left, (long)((left - (double)(time_t)left) * 1e9) };

        if (left > 0) {
            nanosleep(&pause, NULL);
        }

        const uint64_t now = atomic_load(&run->operations);

        if (run->speed->tick != NULL && atomic_load(&run->failed) == CKR_OK) {
            run->speed->tick(now - before);
        }
        before = now;
    }
    atomic_store(&run->stop, true);
}

CK_RV
speed_run(struct speed *speed, struct speed_result *ret_result)
{
    pthread_t threads[SPEED_THREADS_MAX];
    struct run *run = calloc(1, sizeof *run);
    unsigned started = 0;
    double start;
    CK_RV rv = run == NULL ? CKR_HOST_MEMORY : CKR_OK;

    if (rv != CKR_OK) {
        return rv;
    }
    if (speed->next_handle == 0) {
        speed->next_handle = SESSION_HANDLE_FIRST;
    }
    run->speed = speed;
    memset(run->data, 0x5a, sizeof run->data);
    if (speed->row->kind == SPEED_SIGN) {
        rv = pair_make(speed, &run->key);
    } else if (speed->row->kind != SPEED_RANDOM) {
        rv = secret_key_make(speed, &run->key);
    }
    speed->next_handle += 2;
    if (rv != CKR_OK) {
        free(run);
        return rv;
    }
    while (started < speed->threads && pthread_create(&threads[started], NULL, work, run) == 0) {
        started++;
    }
    if (started < speed->threads) {
        atomic_store(&run->failed, CKR_HOST_MEMORY);
        atomic_store(&run->stop, true);
    }
    gate_wait(run, started);
    start = seconds_now();
    watch(run, start);
    while (started > 0) {
        pthread_join(threads[--started], NULL);
    }
    ret_result->seconds = seconds_now() - start;
    ret_result->operations = atomic_load(&run->operations);
    ret_result->latency_us = ret_result->operations == 0
                                 ? 0
                                 : 1e6 * ret_result->seconds * speed->threads /
                                       (double)ret_result->operations;
    rv = atomic_load(&run->failed);
    free(run);
    return rv;
}
