/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CMOCKA_H
#define TEST_CMOCKA_H

/* cmocka.h, with what it needs before it, in an order that clang-format leaves alone. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
