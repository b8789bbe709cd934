/* SPDX-License-Identifier: Apache-2.0
 *
 * The C client API: a context with the daemon of this host, for programs that want keys
 * without PKCS #11. Return values are CKR_ codes (pkcs11t.h); 0 is success. All functions
 * may be called from several threads, and every one returns within a limit.
 */
#ifndef AZCLOUDHSM_API_H
#define AZCLOUDHSM_API_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct azcloudhsm;

/* Roles of azcloudhsm_login(). */
#define AZCLOUDHSM_ROLE_CU 1u
#define AZCLOUDHSM_ROLE_CO 2u

/* Connects to the daemon that azcloudhsm_application.cfg names. *ret_hsm is the caller's. */
unsigned long azcloudhsm_open(struct azcloudhsm **ret_hsm);
/* Ends the context: its login and its session keys. NULL is fine. */
void azcloudhsm_close(struct azcloudhsm *hsm);

unsigned long azcloudhsm_login(struct azcloudhsm *hsm, uint32_t role, const char *user,
                               const void *password, size_t password_len);
unsigned long azcloudhsm_logout(struct azcloudhsm *hsm);

/* Random bytes of the HSM, at most 65,536 in one call. */
unsigned long azcloudhsm_random(struct azcloudhsm *hsm, void *out, size_t len);

/* "CKR_OK" and the like; never NULL. Valid until the thread's next call. */
const char *azcloudhsm_error(unsigned long code);

#ifdef __cplusplus
}
#endif

#endif
