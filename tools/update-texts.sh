#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# update-texts.sh [BUILD]: write the expectations of test/ir/*.ir, test/jit/*.ir and test/cpu/x86/*.lift anew.
# Read the diff then.
cd "$(dirname "$0")/.." || exit 1
for t in ir/text_test jit/text_test cpu/x86/lift_text_test; do UPDATE=1 "${1:-build}/test/$t"; done
