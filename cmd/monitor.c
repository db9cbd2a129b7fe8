/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lodge monitor: commands of the control socket as a person writes them,
 *
 *	COMMAND [KEY=VALUE] ...
 *
 * where a value is a number, true or false, JSON in brackets, or else a text, in quotes if there
 * are blanks in it.  "info X" is "query-X"; a line that begins with "{" goes out as it is.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/ctl.h"
#include "cmd/line.h"

struct monitor {
	struct ctl ctl;
	json_t *commands; /* an array of names */
	bool json;        /* answers are printed as they are */
	bool printed;     /* an event was, since somebody asked */
};

/* Answers ---------------------------------------------------------------------------------- */

static void print_scalar(const json_t *v)
{
	char *text;

	if (json_is_string(v)) {
		printf("%s\n", json_string_value(v));
		return;
	}
	text = json_dumps(v, JSON_ENCODE_ANY);
	printf("%s\n", text ? text : "");
	free(text);
}

static bool is_leaf(const json_t *v)
{
	return !json_object_size(v) && !json_array_size(v);
}

static void print_value(const json_t *v, int indent);

static void print_member(const char *key, const json_t *v, int indent)
{
	printf("%*s%s:%s", indent, "", key, is_leaf(v) ? " " : "\n");
	if (is_leaf(v))
		print_scalar(v);
	else
		print_value(v, indent + 2);
}

/* Objects as "key: value", arrays as "- value".  QMP nests only a few levels. */
static void print_value(const json_t *v, int indent)
{
	const char *key;
	json_t *member;
	size_t i;

	if (is_leaf(v)) {
		printf("%*s", indent, "");
		print_scalar(v);
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)v, key, member) print_member(key, member, indent);
	json_array_foreach(v, i, member)
	{
		printf("%*s-%s", indent, "", is_leaf(member) ? " " : "\n");
		print_value(member, is_leaf(member) ? 0 : indent + 2);
	}
}

static void print_json(const json_t *v)
{
	char *text = json_dumps(v, JSON_INDENT(2) | JSON_ENCODE_ANY);

	puts(text ? text : "");
	free(text);
}

static int print_answer(const struct monitor *m, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error"),
		     *result = json_object_get(answer, "return");

	if (error)
		return complain(
		    STATUS_USAGE, "%.300s", json_string_value(json_object_get(error, "desc")));
	if (m->json)
		print_json(result);
	else if (json_object_size(result) || json_array_size(result))
		print_value(result, 0);
	return STATUS_OK;
}

static void on_event(void *arg, const json_t *event)
{
	struct monitor *m = arg;
	const json_t *data = json_object_get(event, "data");
	char *text = data ? json_dumps(data, 0) : NULL;

	printf("%s%s%s%s\n", isatty(STDOUT_FILENO) ? "\r\033[K" : "",
	    json_string_value(json_object_get(event, "event")), text ? " " : "", text ? text : "");
	free(text);
	m->printed = true;
}

/* Commands --------------------------------------------------------------------------------- */

/* Takes the next word off *at, without its quotes, but for those of JSON, which are in brackets.
 * NULL: there is none, or no memory. */
static char *take_word(const char **at)
{
	const char *from = *at + strspn(*at, " \t");
	char *word = malloc(strlen(from) + 1), *to = word;
	bool quoted = false;
	int depth = 0;

	if (!*from || !word) {
		free(word);
		return NULL;
	}
	for (; *from && (quoted || depth || !isspace((unsigned char)*from)); from++) {
		if (!quoted)
			depth += strchr("{[", *from) ? 1 : strchr("}]", *from) ? -1 : 0;
		if (*from == '"')
			quoted = !quoted;
		if (*from == '"' && !depth)
			continue;
		if (*from == '\\' && !depth && from[1])
			from++;
		*to++ = *from;
	}
	*to = '\0';
	*at = from;
	return word;
}

static json_t *read_value(const char *text)
{
	json_t *v = NULL;

	if (strchr("{[", text[0]) || !strcmp(text, "true") || !strcmp(text, "false") ||
	    isdigit((unsigned char)text[0]) || text[0] == '-')
		v = json_loads(text, JSON_DECODE_ANY, NULL);
	return v ? v : json_string(text);
}

static int add_argument(json_t *args, const char *word)
{
	const char *equals = strchr(word, '=');
	char key[64];

	if (!equals || equals == word || equals - word >= (int)sizeof key)
		return complain(STATUS_USAGE, "\"%.60s\": KEY=VALUE is wanted", word);
	snprintf(key, sizeof key, "%.*s", (int)(equals - word), word);
	json_object_set_new(args, key, read_value(equals + 1));
	return 0;
}

static int send_command(struct monitor *m, const char *name, json_t *args)
{
	json_t *answer = NULL;
	char query[80];
	int status;

	if (!strcmp(name, "help"))
		name = "query-commands";
	if (!strncmp(name, "info ", 5)) {
		snprintf(query, sizeof query, "query-%s", name + 5);
		name = query;
	}
	status = ctl_ask(&m->ctl, name, args, &answer);
	if (!status)
		status = print_answer(m, answer);
	json_decref(answer);
	return status;
}

/* A line that is JSON: "execute" and "arguments" of it. */
static int run_json(struct monitor *m, const char *line)
{
	json_t *v = json_loads(line, 0, NULL), *args = json_object_get(v, "arguments");
	const char *name = json_string_value(json_object_get(v, "execute"));
	int status;

	if (name)
		status = send_command(m, name, args ? json_incref(args) : NULL);
	else
		status = complain(
		    STATUS_USAGE, "{\"execute\": COMMAND, \"arguments\": {...}} is wanted");
	json_decref(v);
	return status;
}

static int run_line(struct monitor *m, const char *line)
{
	char *name = take_word(&line), *word;
	json_t *args = json_object();
	char info[80];
	int status = 0;

	if (name && !strcmp(name, "info") && (word = take_word(&line))) {
		snprintf(info, sizeof info, "info %s", word);
		free(word);
		free(name);
		name = strdup(info);
	}
	while (!status && (word = take_word(&line))) {
		status = add_argument(args, word);
		free(word);
	}
	if (name && !status)
		status = send_command(m, name, json_incref(args));
	json_decref(args);
	free(name);
	return status;
}

/* The words of a shell are one line; it has taken the quotes away already. */
static int run_words(struct monitor *m, int n, char **words)
{
	json_t *args = json_object();
	const int first = !strcmp(words[0], "info") && n > 1 ? 2 : 1;
	char name[80];
	int status = 0;

	snprintf(
	    name, sizeof name, "%s%s%s", words[0], first > 1 ? " " : "", first > 1 ? words[1] : "");
	for (int i = first; i < n && !status; i++)
		status = add_argument(args, words[i]);
	if (!status)
		status = send_command(m, name, json_incref(args));
	json_decref(args);
	return status;
}

/* The session ------------------------------------------------------------------------------ */

static int on_ready(void *arg)
{
	struct monitor *m = arg;

	m->printed = false;
	return ctl_wait(&m->ctl, 0) ? -1 : m->printed;
}

static const char *command_word(void *arg, size_t n)
{
	const struct monitor *m = arg;

	return json_string_value(json_object_get(json_array_get(m->commands, n), "name"));
}

static void learn_commands(struct monitor *m)
{
	json_t *answer = NULL;

	if (!ctl_ask(&m->ctl, "query-commands", NULL, &answer))
		m->commands = json_incref(json_object_get(answer, "return"));
	json_decref(answer);
}

/* Complaints do not end it: the status is that of the last line. */
static int talk(struct monitor *m)
{
	char prompt[80];
	const struct line_host host = {
		.prompt = prompt, .fd = m->ctl.fd, .ready = on_ready, .word = command_word, .arg = m
	};
	struct line *l = line_new(&host);
	const char *text;
	int status = STATUS_OK;

	if (!l)
		return complain(STATUS_HOST, "no memory");
	snprintf(prompt, sizeof prompt, "(%.60s) ", m->ctl.target);
	while ((text = line_read(l)) && strcmp(text, "exit")) {
		text += strspn(text, " \t");
		if (*text)
			status = text[0] == '{' ? run_json(m, text) : run_line(m, text);
		fflush(stdout);
	}
	line_free(l);
	return status;
}

int cmd_monitor(int argc, char **argv)
{
	struct monitor m = { .json = false };
	const struct args_option options[] = { { .name = "json", .flag = &m.json } };
	int status = args_read(&argc, argv, options, ARRAY_LEN(options));

	if (!status && argc < 2)
		status = complain(STATUS_USAGE,
		    "usage: lodge monitor [--json] NAME|SOCKET [COMMAND [KEY=VALUE] ...]");
	if (status)
		return status;
	status = ctl_open(&m.ctl, argv[1]);
	if (!status) {
		m.ctl.event = on_event;
		m.ctl.arg = &m;
		if (argc > 2) {
			status = run_words(&m, argc - 2, argv + 2);
		} else {
			learn_commands(&m);
			status = talk(&m);
		}
	}
	json_decref(m.commands);
	ctl_close(&m.ctl);
	return status;
}
