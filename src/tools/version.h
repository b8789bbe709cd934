/* SPDX-License-Identifier: Apache-2.0
 *
 * The version that the tools print.
 */
#ifndef TOOLS_VERSION_H
#define TOOLS_VERSION_H

/* Given by the build. */
#ifndef TOOLS_VERSION
#define TOOLS_VERSION "0.0.0"
#endif

#endif
