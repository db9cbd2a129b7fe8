/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "base/compiler.h"

/* What the command lodge exits with besides what a run gives (lodge(1), EXIT STATUS). */
enum { STATUS_OK = 0, STATUS_USAGE = 1, STATUS_HOST = 2, STATUS_TIMEOUT = 4, STATUS_NONE = 5 };

/* The commands: argv[0] is the command's name. They return the exit status. */
int cmd_run(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_engines(int argc, char **argv);
int cmd_engine(int argc, char **argv);
int cmd_machines(int argc, char **argv);
int cmd_selftest(int argc, char **argv);
int cmd_balloon(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_reset(int argc, char **argv);
int cmd_console(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_debug(int argc, char **argv);
int cmd_snapshot(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_why_wrote(int argc, char **argv);
int cmd_fork(int argc, char **argv);
int cmd_screenshot(int argc, char **argv);
int cmd_type(int argc, char **argv);
int cmd_send_key(int argc, char **argv);
int cmd_img(int argc, char **argv);
int cmd_trace(int argc, char **argv);

/* "lodge: " and one line on standard error; returns status. */
int complain(int status, const char *fmt, ...) PRINTF(2, 3);

#endif
