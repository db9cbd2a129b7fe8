/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_NET_PCAP_H
#define HOST_NET_PCAP_H

#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

/* A file of what passes a network card, for tcpdump and Wireshark.  Not for several threads. */
struct pcap;

struct pcap *pcap_open(const char *path, struct err *);
void pcap_write(struct pcap *, uint64_t wall_ns, const struct iovec *, unsigned n);
void pcap_flush(struct pcap *);
void pcap_close(struct pcap *); /* NULL is fine */

#endif
