/* SPDX-License-Identifier: BSD-2-Clause */
/* What the workload cc1 compiles: libraries of one header each, from Debian's libstb-dev. */
#define STB_DXT_IMPLEMENTATION
#define STB_RECT_PACK_IMPLEMENTATION
#include <stb/stb_dxt.h>
#include <stb/stb_rect_pack.h>
