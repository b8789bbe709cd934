/* SPDX-License-Identifier: Apache-2.0
 *
 * What is counted is told: by operation, mechanism, outcome and code, from many threads at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/meter.h"
#include "wire/frame.h"
#include "wire/message.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 12u
#define EACH 20000u

static char *
page_of(const struct meter *meter)
{
    struct writer w;
    char *text;

    writer_init(&w, 16u << 20);
    meter_write(meter, &w);
    meter_write_store(meter, &w);
    write_u8(&w, 0);
    assert_true(writer_ok(&w));
    text = strdup((const char *)w.data);
    writer_clear(&w);
    assert_non_null(text);
    return text;
}

static void
assert_line(const struct meter *meter, const char *line)
{
    char *text = page_of(meter);
    bool found = strstr(text, line) != NULL;

    if (!found) {
        print_message("lacks: %s", line);
    }
    free(text);
    assert_true(found);
}

static void
request_is_told_by_operation_mechanism_and_outcome(void **state)
{
    struct meter *meter = meter_new(true);

    UNUSED(state);
    assert_non_null(meter);
    meter_request(meter, OPERATION_SIGN, CKM_ECDSA, CKR_OK, meter_now());
    meter_request(meter, OPERATION_SIGN, CKM_ECDSA, CKR_OK, meter_now() - 1500000000u);
    meter_request(meter, OPERATION_SIGN, CKM_RSA_PKCS, CKR_KEY_HANDLE_INVALID, meter_now());
    meter_request(meter, OPERATION_LOGIN, METER_NO_MECHANISM, CODE_QUORUM, meter_now());
    meter_request(meter, OPERATION_LOGIN, METER_NO_MECHANISM, CKR_DEVICE_ERROR, meter_now());
    meter_request(meter, 65535, 0x12345678, 0x7fffffff, meter_now());

    assert_line(meter, "azcloudhsm_operations_total{operation=\"SIGN\",mechanism=\"CKM_ECDSA\",outcome=\"ok\"} 2\n");
    assert_line(meter, "azcloudhsm_operations_total{operation=\"SIGN\",mechanism=\"CKM_RSA_PKCS\",outcome=\"refused\"} 1\n");
    assert_line(meter, "azcloudhsm_operations_total{operation=\"LOGIN\",mechanism=\"\",outcome=\"refused\"} 1\n");
    assert_line(meter, "azcloudhsm_operations_total{operation=\"LOGIN\",mechanism=\"\",outcome=\"failed\"} 1\n");
    assert_line(meter, "azcloudhsm_operations_total{operation=\"unknown\",mechanism=\"\",outcome=\"refused\"} 1\n");
    assert_line(meter, "azcloudhsm_operation_seconds_count{operation=\"SIGN\",mechanism=\"CKM_ECDSA\"} 2\n");
    assert_line(meter, "azcloudhsm_operation_seconds_bucket{operation=\"SIGN\",mechanism=\"CKM_ECDSA\",le=\"1\"} 1\n");
    assert_line(meter, "azcloudhsm_operation_seconds_bucket{operation=\"SIGN\",mechanism=\"CKM_ECDSA\",le=\"+Inf\"} 2\n");
    assert_line(meter, "azcloudhsm_answers_total{code=\"CKR_OK\"} 2\n");
    assert_line(meter, "azcloudhsm_answers_total{code=\"CODE_QUORUM\"} 1\n");
    assert_line(meter, "azcloudhsm_answers_total{code=\"other\"} 1\n");
    meter_free(meter);
}

static void
store_is_told(void **state)
{
    struct meter *meter = meter_new(false);

    UNUSED(state);
    assert_non_null(meter);
    meter_commit(meter, meter_now(), true);
    meter_commit(meter, meter_now() - 1500000000u, false);

    assert_line(meter, "azcloudhsm_store_commit_seconds_count 2\n");
    assert_line(meter, "azcloudhsm_store_commit_seconds_bucket{le=\"1\"} 1\n");
    assert_line(meter, "azcloudhsm_store_failures_total 1\n");
    meter_free(meter);
}

static void *
count_much(void *arg)
{
    for (size_t i = 0; i < EACH; i++) {
        meter_request(arg, OPERATION_SIGN, CKM_ECDSA, CKR_OK, meter_now());
    }
    return NULL;
}

static void
threads_lose_nothing(void **state)
{
    struct meter *meter = meter_new(true);
    pthread_t threads[THREADS];

    UNUSED(state);
    assert_non_null(meter);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_much, meter), 0);
    }
    free(page_of(meter)); /* who reads meanwhile harms nobody */
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }

    assert_line(meter, "azcloudhsm_operations_total{operation=\"SIGN\",mechanism=\"CKM_ECDSA\",outcome=\"ok\"} 240000\n");
    assert_line(meter, "azcloudhsm_operation_seconds_count{operation=\"SIGN\",mechanism=\"CKM_ECDSA\"} 240000\n");
    meter_free(meter);
}

static void
without_a_meter_nothing_is_counted(void **state)
{
    UNUSED(state);
    meter_request(NULL, OPERATION_SIGN, CKM_ECDSA, CKR_OK, 0);
    meter_commit(NULL, 0, true);
    meter_free(NULL);
}

static void
label_is_quoted(void **state)
{
    char out[16];

    UNUSED(state);
    metric_label("a\"b\\c\nd", out, sizeof out);
    assert_string_equal(out, "a\\\"b\\\\c\\nd");
    metric_label("0123456789abcdefgh", out, sizeof out);
    assert_true(strlen(out) < sizeof out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_told_by_operation_mechanism_and_outcome),
        cmocka_unit_test(store_is_told),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(without_a_meter_nothing_is_counted),
        cmocka_unit_test(label_is_quoted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
