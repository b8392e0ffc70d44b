/* args.h - the command line, read into one struct. */
#ifndef ARGS_H
#define ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;

/* Which commands an option belongs to. */
enum {
    FOR_STORES = 1 << 0,
    FOR_ADD = 1 << 1,
    FOR_GET = 1 << 2,
    FOR_SIZE = 1 << 3,
    FOR_RM = 1 << 4,
    FOR_CP = 1 << 5,
    FOR_INFO = 1 << 6,
    FOR_IMAGES = FOR_ADD | FOR_GET | FOR_SIZE | FOR_RM | FOR_CP | FOR_INFO,
    FOR_ALL = FOR_STORES | FOR_IMAGES
};

enum { OPERANDS_MAXIMUM = 2 };

/* --set GROUP.KEY=VALUE; `group` owns the memory of all three. */
struct setting {
    char *group;
    const char *key, *value;
};

struct args {
    const struct command *command; /* NULL: none was named (--help, --version) */
    const char *operands[OPERANDS_MAXIMUM];
    int operand_count;

    const char **configs; /* as many as were given */
    size_t config_count;
    struct setting *settings;
    size_t setting_count;

    const char *store;
    const char *from;
    const char *id;
    bool hash_given;
    const char *hash;         /* NULL: none */
    const char *checksum;     /* MD5 that the data must have */
    char *expected_hash;      /* NULL, or what `multihash` is made with */
    const char *multihash;    /* that the data must have */
    uint64_t offset, length;
    uint64_t size;
    bool size_given;
    uint32_t timeout_ms;
    int verbosity;
    bool quiet, json, force, sparse, no_checksum;
    bool help, version;
};

struct option_spec {
    char letter; /* 0: none */
    const char *name;
    const char *value; /* what to call the value in texts; NULL: takes none */
    unsigned commands;
    const char *help;
    int (*take)(struct args *args, const char *value); /* returns an exit code; NULL: sets `field` */
    size_t field; /* offset in struct args of a bool, or with a value of a const char * */
};

/* Every option; ends with a NULL name. */
extern const struct option_spec option_specs[];

/* Returns an exit code; has printed what was wrong.  args_free in any case. */
int args_parse(struct args *args, int argc, char **argv);
void args_free(struct args *args);

#endif
