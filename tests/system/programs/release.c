/* SPDX-License-Identifier: Apache-2.0
 *
 * Linked in the place of wire/version.c: the number of a neighbouring release.
 */
#include "wire/frame.h"

const uint32_t frame_version = FRAME_VERSION RELEASE_STEP;
