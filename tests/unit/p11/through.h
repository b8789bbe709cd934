/* SPDX-License-Identifier: Apache-2.0
 *
 * The drivers' interface, crypto/algo.h, as PKCS #11 calls: a test of crypto/ that is compiled
 * with this included before all else (gcc -include) runs through the library and an HSM in this
 * process. Keys are session objects; whatever has output is asked for its length, offered a
 * byte too little, given exactly enough and no byte more, and done in place.
 */
#ifndef TESTS_UNIT_P11_THROUGH_H
#define TESTS_UNIT_P11_THROUGH_H

#define algo_key_new through_key_new
#define algo_key_free through_key_free
#define algo_once through_once
#define algo_start through_start
#define algo_update through_update
#define algo_final through_final
#define algo_op_free through_op_free

#include "counts.h"

#define GROUP_SETUP through_setup
#define GROUP_TEARDOWN through_teardown
/* The type of keys of KIND_CHACHA20 that are made from now on. */
#define VECTOR(type) counts_add(type)
#define LEAVE_OUT(own) (own)
#define CHACHA_TYPE(type) (through_chacha = (type))
extern unsigned long through_chacha;
int through_setup(void **state);
int through_teardown(void **state);

#endif
