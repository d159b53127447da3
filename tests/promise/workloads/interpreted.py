"""What interpreters do all day: dictionaries, strings, calls, big numbers, sorting. Size: rounds."""

import sys


def words(count, seed):
    for _ in range(count):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        yield "w" + str(seed % 997)


def queens(n, row=0, columns=0, left=0, right=0):
    if row == n:
        return 1
    free, found = ~(columns | left | right) & ((1 << n) - 1), 0
    while free:
        bit = free & -free
        free ^= bit
        found += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
    return found


def main(rounds):
    total = 0
    for number in range(rounds):
        counts = {}
        for word in words(4000, number):
            counts[word] = counts.get(word, 0) + 1
        common = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:20]
        total = (total * 31 + sum(len(word) * count for word, count in common)) % (1 << 61)
        total += queens(6) + pow(number + 3, 4000 + number, (1 << 521) - 1) % 1009
        total ^= len(",".join(str(x * x) for x in range(800)).replace("1", "xy"))
    print(total)


main(int(sys.argv[1]))
