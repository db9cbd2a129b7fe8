/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/net/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/buf.h"

static int wrong(const char *text, struct err *e)
{
	return err_set(e, EINVAL,
	    "net: fwd=%s: wanted is tcp:[ADDRESS:]PORT:[GUEST-ADDRESS:]PORT, or udp:, or "
	    "unix:PATH:[GUEST-ADDRESS:]PORT, with IPv6 in brackets",
	    text);
}

/* Takes the piece before the last colon that is not in brackets off the end; NULL: there is none.
 */
static char *last_piece(char *text)
{
	size_t n = strlen(text);
	char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');

	if (n && text[n - 1] == ']') {
		bracket = strrchr(text, '[');
		colon = bracket && bracket > text && bracket[-1] == ':' ? bracket - 1 : NULL;
	} else if (colon && bracket && colon < bracket) {
		colon = NULL;
	}
	if (!colon)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static bool parse_port(const char *text, in_port_t *port)
{
	uint64_t n;

	if (!text || parse_u64(text, &n) || !n || n > UINT16_MAX)
		return false;
	*port = htons((uint16_t)n);
	return true;
}

static bool parse_address(char *text, in_port_t port, struct sockaddr_storage *to)
{
	struct sockaddr_in *a4 = (void *)to;
	struct sockaddr_in6 *a6 = (void *)to;
	size_t n = strlen(text);

	memset(to, 0, sizeof *to);
	if (text[0] == '[' && n > 1 && text[n - 1] == ']') {
		text[n - 1] = '\0';
		a6->sin6_family = AF_INET6;
		a6->sin6_port = port;
		return inet_pton(AF_INET6, text + 1, &a6->sin6_addr) == 1;
	}
	a4->sin_family = AF_INET;
	a4->sin_port = port;
	return inet_pton(AF_INET, text, &a4->sin_addr) == 1;
}

static bool looks_like_address(const char *text)
{
	return strchr(text, '.') || text[0] == '[';
}

/* Takes "[ADDRESS:]PORT" off the end of text, of which the rest stays; false: it is not right.
 * Without an address the family is AF_UNSPEC. */
static bool take_end(char *text, struct sockaddr_storage *to)
{
	in_port_t port;
	char *piece = last_piece(text), *colon;

	if (!parse_port(piece, &port))
		return false;
	memset(to, 0, sizeof *to);
	((struct sockaddr_in *)(void *)to)->sin_port = port;
	to->ss_family = AF_UNSPEC;
	colon = strrchr(text, ':');
	piece = colon ? colon + 1 : text;
	if (text[0] && text[strlen(text) - 1] == ']')
		piece = strrchr(text, '[');
	if (!piece || piece == text || !looks_like_address(piece))
		return true;
	piece = last_piece(text);
	return piece && parse_address(piece, port, to);
}

static bool parse_host(char *text, struct sockaddr_storage *to)
{
	char loopback[] = "127.0.0.1", *port = last_piece(text);
	in_port_t n;

	if (!parse_port(port ? port : text, &n))
		return false;
	return parse_address(port && *text ? text : loopback, n, to);
}

static bool parse_path(const char *path, struct sockaddr_storage *to)
{
	struct sockaddr_un *un = (void *)to;

	memset(to, 0, sizeof *to);
	un->sun_family = AF_UNIX;
	if (!*path || strlen(path) >= sizeof un->sun_path)
		return false;
	strcpy(un->sun_path, path);
	return true;
}

int forward_parse(struct forward *f, const char *text, struct err *e)
{
	char copy[300], *rest = copy;
	bool path = !strncmp(text, "unix:", 5);

	if (strlen(text) >= sizeof copy)
		return wrong(text, e);
	strcpy(copy, text);
	f->udp = !strncmp(copy, "udp:", 4);
	if (!path && !f->udp && strncmp(copy, "tcp:", 4))
		return wrong(text, e);
	rest += path ? 5 : 4;
	if (!take_end(rest, &f->guest))
		return wrong(text, e);
	return (path ? parse_path(rest, &f->host) : parse_host(rest, &f->host)) ? 0
										: wrong(text, e);
}

socklen_t forward_size(const struct sockaddr_storage *a)
{
	switch (a->ss_family) {
	case AF_INET:
		return sizeof(struct sockaddr_in);
	case AF_INET6:
		return sizeof(struct sockaddr_in6);
	default:
		return sizeof(struct sockaddr_un);
	}
}
