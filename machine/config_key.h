/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_CONFIG_KEY_H
#define MACHINE_CONFIG_KEY_H

#include "base/err.h"

/* What the files of config.h share: how the values of keys are looked at, and kept. */

struct buf;
struct config;

/* Instead of what is there. */
int config_set_text(char **text, const char *value, struct err *);
/* Ends a message with what there is to choose from; the names come one by one. */
void config_add_choice(struct buf *, const char *name);
/* -EINVAL; frees choice. */
int config_refuse(const char *key, const char *value, struct buf *choice, struct err *);

/* Whether the value may be that of the key. */
int config_check_name(const char *key, const char *value, struct err *);
int config_check_arch(const char *key, const char *value, struct err *);
int config_check_machine(const char *key, const char *value, struct err *);
int config_check_engine(const char *key, const char *value, struct err *);
int config_check_console(const char *key, const char *value, struct err *);
int config_check_display(const char *key, const char *value, struct err *);
int config_check_console_device(const char *key, const char *value, struct err *);
int config_check_virtio(const char *key, const char *value, struct err *);
int config_check_virtio_ring(const char *key, const char *value, struct err *);
int config_check_balloon(const char *key, const char *value, struct err *);
int config_check_virtio_bus(const char *key, const char *value, struct err *);
int config_check_sandbox(const char *key, const char *value, struct err *);
int config_check_controllers(const char *key, const char *value, struct err *);
int config_check_ports(const char *key, const char *value, struct err *);
int config_check_entry(const char *key, const char *value, struct err *);
int config_check_trace(const char *key, const char *value, struct err *);
int config_check_gdb(const char *key, const char *value, struct err *);
int config_check_any(const char *key, const char *value, struct err *);
int config_check_vsock(const char *key, const char *value, struct err *);

/* One more. */
int config_add_disk(struct config *, const char *value, struct err *);
int config_add_device(struct config *, const char *value, struct err *);
int config_add_port(struct config *, const char *value, struct err *);
int config_add_net(struct config *, const char *value, struct err *);
int config_add_share(struct config *, const char *value, struct err *);
int config_add_after(struct config *, const char *value, struct err *);

#endif
