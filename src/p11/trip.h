/* SPDX-License-Identifier: Apache-2.0
 *
 * One request to the HSM from within a session: struct call of api/call.h, with the
 * session's number and mode, and with the reply's code made fit for an application.
 */
#ifndef P11_TRIP_H
#define P11_TRIP_H

#include "api/call.h"
#include "p11/library.h"

/* call_begin(); call_end() must follow every one. CKR_DEVICE_ERROR, CKR_HOST_MEMORY. */
MUST_USE CK_RV trip_begin(struct library *library, struct call *call);

/*
 * call_send(). session may be NULL. A login that the HSM knows nothing of any more ends here
 * too. Codes of the protocol become CKR_GENERAL_ERROR, and what can be no answer
 * CKR_DEVICE_ERROR.
 */
MUST_USE CK_RV trip_send(struct library *library, const struct session *session,
                            struct call *call, enum operation operation);

/* call_steps(), with codes as trip_send() gives them. */
MUST_USE CK_RV trip_steps(struct library *library, const struct session *session,
                          struct call *call, const struct steps *steps);

/* How things stood before a request left, for what its reply teaches. */
struct moment {
    uint64_t epoch;          /* of the library */
    const struct page *page; /* the daemon's change page */
    uint64_t sequence;       /* of that page */
};
struct moment trip_moment(const struct library *library);

/*
 * Remembers what a reply told about objects. After a logout since the moment before the request,
 * private objects are passed over. session: of new session objects, else 0.
 */
MUST_USE CK_RV trip_learn(struct library *library, struct moment before, struct info_array infos,
                          uint32_t session);

/*
 * The object that an application's handle names, from the cache or with one FIND.
 * CKR_OBJECT_HANDLE_INVALID when there is none that this process may use. exact: as it is now,
 * so what the cache knows counts only while the change page says that it is still so.
 */
MUST_USE CK_RV trip_object(struct session *session, CK_OBJECT_HANDLE handle, bool exact,
                           struct key_info *ret_info);

/* Was this process told of the object, and does the change page hold good? Then *ret_stamp is
 * what it shows of the object now. */
bool trip_stamp(const struct library *library, CK_OBJECT_HANDLE handle, uint64_t *ret_stamp);

#endif
