/* SPDX-License-Identifier: BSD-2-Clause */
/* net ADDRESS PORT up|down MIB: sends to a TCP port of the host, or takes from it; prints seconds.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char block[128 << 10];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0), up;
	long long left;
	ssize_t n = 1;
	double start;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &a.sin_addr) != 1)
		return 2;
	a.sin_port = htons((unsigned short)atoi(argv[2]));
	up = !strcmp(argv[3], "up");
	left = atoll(argv[4]) << 20;
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		perror("connect");
		return 1;
	}
	snprintf(block, sizeof block, "%s %lld\n", argv[3], left);
	if (write(fd, block, 64) != 64)
		return 1;
	for (start = now(); left > 0 && n > 0; left -= n)
		n = up ? write(fd, block, sizeof block) : read(fd, block, sizeof block);
	/* The host says when it has all. */
	if (up)
		n = read(fd, block, 1);
	printf("net %s %.3f\n", argv[3], now() - start);
	return left > 0;
}
