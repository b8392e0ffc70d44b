/* help.h - the texts of --help and --version. */
#ifndef HELP_H
#define HELP_H

#include "commands.h"

/* Of one command, or of the whole program when `command` is NULL. */
void help_print(const struct command *command);
void version_print(void);

#endif
