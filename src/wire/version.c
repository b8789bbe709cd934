/* SPDX-License-Identifier: Apache-2.0
 *
 * The release that a program is of: alone in a file, so that a program of the tests can be linked
 * with a neighbouring one in its place.
 */
#include "wire/frame.h"

const uint32_t frame_version = FRAME_VERSION;
