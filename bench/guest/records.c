/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integer work as in Dhrystone, but not that program: assignments of records through pointers,
 * short strings copied and compared, calls with few arguments, enumerations and small arrays.
 * records N: N thousand rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { FIRST, SECOND, THIRD, FOURTH };

struct record {
	struct record *next;
	enum kind kind;
	int number;
	char name[31];
};

struct work {
	struct record one, two;
	int row[50], table[50][50];
	int number;
	char letter;
	char text[31];
};

static __attribute__((noinline)) enum kind kind_next(enum kind k, int n)
{
	switch (k) {
	case FIRST:
		return n > 100 ? FIRST : FOURTH;
	case SECOND:
		return n & 1 ? FIRST : THIRD;
	case THIRD:
		return SECOND;
	default:
		return THIRD;
	}
}

static __attribute__((noinline)) int letters_differ(const char *a, const char *b, struct work *w)
{
	int i = 2;
	char c = 'A';

	while (i <= 2 && a[i] != b[i + 1]) {
		c = a[i];
		i++;
	}
	if (c >= 'W' && c < 'Z')
		i = 7;
	w->letter = c;
	return strcmp(a, b) > 0 ? i + 7 : 0;
}

static __attribute__((noinline)) void table_fill(struct work *w, int at, int value)
{
	int i = at + 5;

	w->row[i] = value;
	w->row[i + 1] = w->row[i];
	w->row[i + 30] = i;
	for (int k = i; k <= i + 1; k++)
		w->table[i][k] = i;
	w->table[i][i - 1]++;
	w->table[i + 20][i] = w->row[i];
	w->number += value;
}

static __attribute__((noinline)) void record_follow(struct record *r, int n)
{
	struct record *next = r->next;

	*next = *r;
	r->number = 5 + (n & 3);
	next->number = r->number;
	next->next = r->next;
	next->kind = kind_next(r->kind, n);
	if (next->kind == FIRST)
		next->number = 6;
	else
		*r = *next->next;
	r->kind = SECOND;
	r->next = next;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) * 1000 : 1000;
	static struct work w;
	unsigned sum = 0;

	w.one.next = &w.two;
	w.two.next = &w.two;
	w.one.kind = THIRD;
	strcpy(w.one.name, "RECORDS, SOME STRING");
	for (long i = 0; i < rounds; i++) {
		char name[31];

		strcpy(name, "RECORDS, 2ND STRING");
		strcpy(w.text, i & 1 ? "RECORDS, 1ST STRING" : "RECORDS, 3RD STRING");
		sum += (unsigned)letters_differ(w.text, name, &w);
		table_fill(&w, (int)(i & 7), (int)(i % 13));
		record_follow(&w.one, (int)(i & 255));
		for (char c = 'A'; c <= w.letter % 4 + 'A'; c++)
			sum = sum * 3 + (unsigned)kind_next((enum kind)(c & 3), w.row[7]);
		sum += (unsigned)(w.number / 7 - w.two.number * (int)(i & 31));
	}
	printf("check %u\n", sum);
	return 0;
}
