/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A CoreMark-like load for a bare riscv64 machine: the same kinds of work (linked lists, a small
 * matrix, a state machine over text, CRC) in the same rough proportions, but not that program:
 * scores do not compare with CoreMark's.  Exit status 0 when every round gave the same checksum.
 */
#include <stdint.h>

#ifndef ROUNDS
#define ROUNDS 2000
#endif

enum { NODES = 200, N = 10, TEXT = 400 };

struct node {
	struct node *next;
	int16_t key, data;
};

static struct node nodes[NODES];
static int16_t a[N][N], b[N][N];
static int32_t c[N][N];
static char text[TEXT];

static uint16_t crc16(uint16_t crc, uint32_t v)
{
	for (int i = 0; i < 16; i++) {
		unsigned bit = (v ^ crc) & 1;

		crc >>= 1;
		v >>= 1;
		if (bit)
			crc ^= 0xa001;
	}
	return crc;
}

static struct node *sort(struct node *list)
{
	struct node *sorted = 0;

	while (list) {
		struct node *n = list, **at = &sorted;

		list = list->next;
		while (*at && (*at)->key < n->key)
			at = &(*at)->next;
		n->next = *at;
		*at = n;
	}
	return sorted;
}

static struct node *reverse(struct node *list)
{
	struct node *out = 0;

	while (list) {
		struct node *next = list->next;

		list->next = out;
		out = list;
		list = next;
	}
	return out;
}

static uint16_t do_list(uint16_t crc, unsigned seed)
{
	struct node *list = 0, *n;

	for (int i = 0; i < NODES / 4; i++) {
		nodes[i].key = (int16_t)((i * 7919u + seed) & 0x3ff);
		nodes[i].data = (int16_t)i;
		nodes[i].next = list;
		list = &nodes[i];
	}
	list = reverse(sort(list));
	for (int k = 0; k < 40; k++) {
		int want = (k * 31) & 0x3ff;

		for (n = list; n && n->key > want; n = n->next)
			;
		crc = crc16(crc, n ? (uint16_t)n->data : 0xffff);
	}
	return crc;
}

static uint16_t do_matrix(uint16_t crc, unsigned seed)
{
	int32_t sum = 0;

	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			a[i][j] = (int16_t)(i * j + seed);
			b[i][j] = (int16_t)(i + 3 * j);
		}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			int32_t s = 0;

			for (int k = 0; k < N; k++)
				s += (int32_t)a[i][k] * b[k][j];
			c[i][j] = s;
		}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			sum += (c[i][j] >> 2 & 0xf) * (c[i][j] >> 5 & 0x7f);
	return crc16(crc, (uint32_t)sum);
}

static uint16_t do_states(uint16_t crc, unsigned seed)
{
	enum { START, INT, FRACTION, EXPONENT, WORD, NSTATES } state = START;
	static const char source[] =
	    "5012,+122,-.45e3,T0.3e-1F,1234,0.00012,word,-874.5,  ,+0.01e9";
	unsigned count[NSTATES] = { 0 };

	for (int i = 0; i < TEXT; i++)
		text[i] = source[(i + seed) % (sizeof source - 1)];
	for (int i = 0; i < TEXT; i++) {
		char ch = text[i];

		switch (state) {
		case START:
			if ((ch >= '0' && ch <= '9') || ch == '+' || ch == '-')
				state = INT;
			else if (ch == '.')
				state = FRACTION;
			else if (ch != ',' && ch != ' ')
				state = WORD;
			break;
		case INT:
			if (ch == '.')
				state = FRACTION;
			else if (ch < '0' || ch > '9')
				state = ch == ',' ? START : WORD;
			break;
		case FRACTION:
			if (ch == 'e')
				state = EXPONENT;
			else if (ch < '0' || ch > '9')
				state = ch == ',' ? START : WORD;
			break;
		default:
			if (ch == ',')
				state = START;
		}
		count[state]++;
	}
	for (int i = 0; i < NSTATES; i++)
		crc = crc16(crc, count[i]);
	return crc;
}

int main(void)
{
	uint16_t first = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint16_t crc = 0xffff;

		crc = do_list(crc, 17);
		crc = do_matrix(crc, 3);
		crc = do_states(crc, 5);
		if (round == 0)
			first = crc;
		else if (crc != first)
			return 1;
	}
	return 0;
}
