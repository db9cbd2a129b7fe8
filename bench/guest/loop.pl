# SPDX-License-Identifier: BSD-2-Clause
# Hashes, regular expressions and string building, N rounds.
use strict;
my ($rounds, $value, %table, $text) = ($ARGV[0], 12345, (), "");
my $sum = 0;
for my $step (1 .. $rounds) {
    $value = ($value * 16807 + $step) % 2147483647;
    my $key = "k" . ($value % 997);
    $table{$key} += $value >> 3;
    $text .= chr(97 + $value % 26);
    if ($step % 128 == 0) {
        my $found = () = $text =~ /[aeiou][^aeiou]+[aeiou]/g;
        $table{$key} += $found;
        $text = "";
    }
}
$sum = ($sum + $table{$_}) % 4294967296 for sort keys %table;
print "check $sum\n";
