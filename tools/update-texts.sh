#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# update-texts.sh [BUILD]: write the expectations of test/ir/*.ir and test/jit/*.ir anew.  Read the diff then.
cd "$(dirname "$0")/.." && for t in ir jit; do UPDATE=1 "${1:-build}/test/$t/text_test"; done
