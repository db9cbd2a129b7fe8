/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * moves CTL ENGINE OTHER ROUNDS SECONDS: has a machine move to OTHER and back to ENGINE so many
 * times, or for so long, by its control socket; prints how many moves that were.  Status 1: one
 * failed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 8192 };

static FILE *in;
static int sock;

/* The answer to a command, which is no event. */
static const char *ask(const char *text)
{
	static char line[LINE];

	if (write(sock, text, strlen(text)) != (ssize_t)strlen(text))
		return "";
	while (fgets(line, sizeof line, in))
		if (strstr(line, "\"return\"") || strstr(line, "\"error\""))
			return line;
	return "";
}

static bool move(const char *engine)
{
	const struct timespec a_while = { 0, 1000000 };
	const char *answer;
	char text[128];

	snprintf(text, sizeof text,
	    "{\"execute\": \"vm-engine\", \"arguments\": {\"engine\": \"%s\"}}\n", engine);
	answer = ask(text);
	while (strstr(answer, "\"return\"")) {
		answer = ask("{\"execute\": \"query-vm-engine\"}\n");
		if (strstr(answer, "completed"))
			return true;
		if (!strstr(answer, "active"))
			break;
		nanosleep(&a_while, NULL);
	}
	fprintf(stderr, "to %s: %s", engine, answer);
	return false;
}

int main(int argc, char **argv)
{
	const struct timespec a_while = { 0, 20000000 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const time_t start = time(NULL);
	char greeting[LINE];
	int n = 0;
	bool good = true;

	if (argc != 6)
		return 2;
	snprintf(a.sun_path, sizeof a.sun_path, "%s", argv[1]);
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	in = connect(sock, (struct sockaddr *)&a, sizeof a) ? NULL : fdopen(sock, "r");
	if (!in || !fgets(greeting, sizeof greeting, in) ||
	    !strstr(ask("{\"execute\": \"qmp_capabilities\"}\n"), "\"return\"")) {
		perror(argv[1]);
		return 1;
	}
	while (good && n < 2 * atoi(argv[4]) && (n % 2 || time(NULL) - start < atoi(argv[5]))) {
		good = move(argv[n % 2 ? 2 : 3]);
		n += good;
		nanosleep(&a_while, NULL);
	}
	printf("%d\n", n);
	return !good;
}
