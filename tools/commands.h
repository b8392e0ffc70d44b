/* commands.h - what the program can do. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "session.h"

struct command {
    const char *name;
    unsigned bit;         /* its FOR_… bit */
    const char *operands; /* as shown in the usage line */
    int operand_count;
    const char *summary;
    const char *description;
    const char *examples;
    int (*run)(struct session *session); /* returns an exit code */
};

/* Every command; ends with a NULL name. */
extern const struct command commands[];

/* NULL when there is no such command. */
const struct command *command_find(const char *name);

#endif
