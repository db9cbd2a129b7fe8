# SPDX-License-Identifier: BSD-2-Clause
# Integers, calls, lists, dictionaries, strings and objects, N rounds.
import sys


class Node:
    __slots__ = ("key", "next", "weight")

    def __init__(self, key, weight, nxt):
        self.key, self.weight, self.next = key, weight, nxt


def mix(value, step):
    return (value * 1103515245 + step) & 0x7FFFFFFF


def work(rounds):
    value, table, head = 12345, {}, None
    for step in range(rounds):
        value = mix(value, step)
        key = "k%d" % (value % 997)
        table[key] = table.get(key, 0) + (value >> 3)
        if value & 7 == 0:
            head = Node(key, value, head)
        if step % 64 == 0:
            walk, total = head, 0
            while walk is not None and total < 1 << 34:
                total += walk.weight
                walk = walk.next
            table[key] = total
    return sum(table[k] for k in sorted(table)) & 0xFFFFFFFF


print("check", work(int(sys.argv[1])))
