/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_CMOS_RTC_H
#define DEV_CMOS_RTC_H

#include <stdint.h>

/*
 * What a PC's machine leaves for its firmware in the CMOS memory of the device class cmos_rtc.  For
 * the machine, while no CPU runs.
 */
struct dev;

enum { CMOS_SIZE = 128 };

/* index: 14 or more, below CMOS_SIZE, and not the century. */
void cmos_rtc_set(struct dev *, unsigned index, uint8_t val);
/* The sizes of RAM below and above 4 GiB, where SeaBIOS looks for them. */
void cmos_rtc_memory(struct dev *, uint64_t below_4g, uint64_t above_4g);

#endif
