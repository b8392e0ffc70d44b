/* args.c - the command line, read into one struct. */
#include "args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "failure.h"

enum { MD5_HEX_DIGITS = 32, MAXIMUM_TIMEOUT = 4294967 /* seconds: 32 bits of milliseconds */ };

/* The hash that Glance itself asks for. */
static const char default_hash[] = "sha512";

/* ---- Values ------------------------------------------------------------ */

/* "4096", "64K", "10M", "2G", "1T" */
static int parse_bytes(const char *option, const char *text, uint64_t *bytes)
{
    static const char suffixes[] = "KMGT";
    const char *suffix;
    char *end;
    unsigned shift = 0;

    errno = 0;
    *bytes = strtoull(text, &end, 10);
    suffix = *end == '\0' ? NULL : strchr(suffixes, *end);
    if (suffix != NULL) {
        shift = 10 * (unsigned)(suffix - suffixes + 1);
        end++;
    }
    if (text[0] < '0' || text[0] > '9' || *end != '\0')
        return fail(EXIT_USAGE, "--%s: '%s' is no number of bytes; write 4096, 64K, 10M, 2G or 1T", option, text);
    if (errno == ERANGE || *bytes >= UINT64_MAX >> shift)
        return fail(EXIT_USAGE, "--%s: %s bytes is too large", option, text);
    *bytes <<= shift;
    return EXIT_DONE;
}

static int take_config(struct args *args, const char *value)
{
    args->configs[args->config_count++] = value;
    return EXIT_DONE;
}

/* Neither keys nor groups hold "="; a group may hold a dot, a key does not. */
static int take_setting(struct args *args, const char *value)
{
    struct setting *setting = &args->settings[args->setting_count];
    size_t name_length = strcspn(value, "=");
    char *copy = strdup(value), *dot;

    if (copy == NULL)
        return fail_errno("--set");
    setting->group = copy;
    args->setting_count++;
    copy[name_length] = '\0';
    dot = strrchr(copy, '.');
    if (value[name_length] == '\0' || dot == NULL || dot == copy || dot[1] == '\0')
        return fail(EXIT_USAGE, "--set: '%s' is not GROUP.KEY=VALUE, such as DEFAULT.enabled_backends=fast:file", value);
    *dot = '\0';
    setting->key = dot + 1;
    setting->value = copy + name_length + 1;
    return EXIT_DONE;
}

static int take_hash(struct args *args, const char *value)
{
    args->hash_given = true;
    args->hash = strcmp(value, "none") == 0 ? NULL : value;
    return EXIT_DONE;
}

/* "HEX" and "md5:HEX" are the checksum, "NAME:HEX" is the multihash. */
static int take_expect(struct args *args, const char *value)
{
    const char *colon = strchr(value, ':');
    const char *digits = colon == NULL ? value : colon + 1;

    if (colon == NULL && strlen(value) != MD5_HEX_DIGITS)
        return fail(EXIT_USAGE, "--expect: '%s' is not an MD5 of 32 digits; name another hash, as in sha256:%s", value, value);
    if (colon == NULL || strncmp(value, "md5:", strlen("md5:")) == 0) {
        args->checksum = digits;
        return EXIT_DONE;
    }
    free(args->expected_hash);
    args->expected_hash = strndup(value, (size_t)(colon - value));
    args->multihash = digits;
    return args->expected_hash != NULL ? EXIT_DONE : fail_errno("--expect");
}

static int take_size(struct args *args, const char *value)
{
    args->size_given = true;
    if (strcmp(value, "unknown") != 0)
        return parse_bytes("size", value, &args->size);
    args->size = GS_SIZE_UNKNOWN;
    return EXIT_DONE;
}

static int take_offset(struct args *args, const char *value)
{
    return parse_bytes("offset", value, &args->offset);
}

static int take_length(struct args *args, const char *value)
{
    int code = parse_bytes("length", value, &args->length);

    if (code == EXIT_DONE && args->length == 0)
        return fail(EXIT_USAGE, "--length: must be at least 1");
    return code;
}

static int take_timeout(struct args *args, const char *value)
{
    char *end;
    double seconds = strtod(value, &end);

    if (end == value || *end != '\0' || !(seconds >= 0.001 && seconds <= MAXIMUM_TIMEOUT))
        return fail(EXIT_USAGE, "--timeout: '%s' is no number of seconds from 0.001 to %d", value, MAXIMUM_TIMEOUT);
    args->timeout_ms = (uint32_t)(seconds * 1000);
    return EXIT_DONE;
}

static int take_verbose(struct args *args, const char *value)
{
    (void)value;
    args->verbosity++;
    return EXIT_DONE;
}

#define FIELD(name) offsetof(struct args, name)

const struct option_spec option_specs[] = {
    {0, "id", "ID", FOR_ADD | FOR_CP,
     "the new image's id (default: a random UUID)", NULL, FIELD(id)},
    {0, "size", "BYTES", FOR_ADD,
     "its size, or 'unknown' (default: the file's; unknown for a pipe)", take_size, 0},
    {0, "from", "STORE", FOR_CP,
     "the store that holds the URI (default: found by the URI)", NULL, FIELD(from)},
    {0, "hash", "NAME", FOR_ADD | FOR_CP | FOR_INFO,
     "multihash to compute, or 'none' (default: sha512; for info none)", take_hash, 0},
    {0, "expect", "HASH", FOR_ADD | FOR_GET | FOR_CP | FOR_INFO,
     "fail unless the data has this MD5, or NAME:HEX as in sha256:HEX", take_expect, 0},
    {0, "no-checksum", NULL, FOR_ADD | FOR_CP,
     "do not compute the MD5", NULL, FIELD(no_checksum)},
    {0, "offset", "BYTES", FOR_GET,
     "start this far into the image", take_offset, 0},
    {0, "length", "BYTES", FOR_GET,
     "stop after this many bytes", take_length, 0},
    {0, "sparse", NULL, FOR_GET,
     "leave holes where the image has only zeros", NULL, FIELD(sparse)},
    {'f', "force", NULL, FOR_GET,
     "replace an existing file; write to a disk device or a terminal", NULL, FIELD(force)},
    {0, "timeout", "SECONDS", FOR_IMAGES,
     "give up after this time", take_timeout, 0},
    {0, "store", "ID", FOR_IMAGES,
     "the store to use (default: the default store, or found by the URI)", NULL, FIELD(store)},
    {0, "config", "FILE", FOR_ALL,
     "read this configuration, such as glance-api.conf (repeatable)", take_config, 0},
    {0, "set", "GROUP.KEY=VALUE", FOR_ALL,
     "set one option of the configuration (repeatable)", take_setting, 0},
    {0, "json", NULL, FOR_ALL,
     "print the result as JSON", NULL, FIELD(json)},
    {'q', "quiet", NULL, FOR_ALL,
     "no progress bar; add and cp print only the URI, stores the ids", NULL, FIELD(quiet)},
    {'v', "verbose", NULL, FOR_ALL,
     "log to standard error; -vv and -vvv tell more", take_verbose, 0},
    {'h', "help", NULL, FOR_ALL,
     "explain the program, or the command", NULL, FIELD(help)},
    {'V', "version", NULL, FOR_ALL,
     "print the version", NULL, FIELD(version)},
    {0, NULL, NULL, 0, NULL, NULL, 0},
};

enum { OPTION_COUNT = sizeof option_specs / sizeof *option_specs - 1 };

/* ---- Words ------------------------------------------------------------- */

struct parser {
    struct args *args;
    char **words; /* still to be read */
    bool used[OPTION_COUNT];
};

static int point_to_help(const struct args *args, int code)
{
    if (args->command != NULL)
        fprintf(stderr, "'glance-store %s --help' explains.\n", args->command->name);
    else
        fputs("'glance-store --help' explains.\n", stderr);
    return code;
}

static int take_command(struct args *args, const char *word)
{
    if (strcmp(word, "help") == 0) {
        args->help = true;
        return EXIT_DONE;
    }
    args->command = command_find(word);
    if (args->command == NULL)
        return fail(EXIT_USAGE, "unknown command '%s'", word);
    return EXIT_DONE;
}

static int take_operand(struct args *args, const char *word)
{
    if (args->command == NULL)
        return take_command(args, word);
    if (args->operand_count == args->command->operand_count)
        return fail(EXIT_USAGE, "%s: unexpected operand '%s'", args->command->name, word);
    if (word[0] == '\0')
        return fail(EXIT_USAGE, "%s: an operand is empty", args->command->name);
    args->operands[args->operand_count++] = word;
    return EXIT_DONE;
}

static int take_option(struct parser *parser, size_t index, const char *value)
{
    const struct option_spec *spec = &option_specs[index];
    char *field = (char *)parser->args + spec->field;

    parser->used[index] = true;
    if (spec->take != NULL)
        return spec->take(parser->args, value);
    if (spec->value != NULL)
        *(const char **)(void *)field = value;
    else
        *(bool *)(void *)field = true;
    return EXIT_DONE;
}

/* "--name", "--name=value" or "--name value" */
static int take_long(struct parser *parser, const char *word)
{
    const char *name = word + 2, *value = strchr(name, '=');
    size_t length = value == NULL ? strlen(name) : (size_t)(value++ - name);
    size_t index = 0;

    while (index < OPTION_COUNT &&
           (strncmp(option_specs[index].name, name, length) != 0 || option_specs[index].name[length] != '\0'))
        index++;
    if (index == OPTION_COUNT)
        return fail(EXIT_USAGE, "unknown option '--%.*s'", (int)length, name);
    if (option_specs[index].value == NULL && value != NULL)
        return fail(EXIT_USAGE, "--%s takes no value", option_specs[index].name);
    if (option_specs[index].value != NULL && value == NULL && *parser->words != NULL)
        value = *parser->words++;
    if (option_specs[index].value != NULL && value == NULL)
        return fail(EXIT_USAGE, "--%s needs a value: %s", option_specs[index].name, option_specs[index].value);
    return take_option(parser, index, value);
}

static int take_letter(struct parser *parser, char letter)
{
    for (size_t index = 0; index < OPTION_COUNT; index++)
        if (option_specs[index].letter == letter)
            return take_option(parser, index, NULL);
    return fail(EXIT_USAGE, "unknown option '-%c'", letter);
}

static int take_letters(struct parser *parser, const char *word)
{
    int code = EXIT_DONE;

    for (const char *letter = word + 1; *letter != '\0' && code == EXIT_DONE; letter++)
        code = take_letter(parser, *letter);
    return code;
}

static int take_words(struct parser *parser)
{
    bool options_ended = false;
    int code = EXIT_DONE;

    while (code == EXIT_DONE && *parser->words != NULL) {
        const char *word = *parser->words++;

        if (options_ended || word[0] != '-' || word[1] == '\0')
            code = take_operand(parser->args, word);
        else if (strcmp(word, "--") == 0)
            options_ended = true;
        else if (word[1] == '-')
            code = take_long(parser, word);
        else
            code = take_letters(parser, word);
    }
    return code;
}

/* ---- The whole --------------------------------------------------------- */

static int check_options(const struct parser *parser)
{
    const struct command *command = parser->args->command;

    for (size_t index = 0; index < OPTION_COUNT; index++)
        if (parser->used[index] && (option_specs[index].commands & command->bit) == 0)
            return fail(EXIT_USAGE, "%s: --%s does not apply", command->name, option_specs[index].name);
    return EXIT_DONE;
}

static int check_hash(struct args *args)
{
    bool differs = args->expected_hash != NULL && (args->hash == NULL || strcmp(args->hash, args->expected_hash) != 0);

    if (args->hash_given && differs)
        return fail(EXIT_USAGE, "--hash and --expect name different hashes");
    if (args->expected_hash != NULL)
        args->hash = args->expected_hash;
    else if (!args->hash_given && (args->command->bit & (FOR_ADD | FOR_CP)) != 0)
        args->hash = default_hash;
    return EXIT_DONE;
}

static int check(const struct parser *parser)
{
    struct args *args = parser->args;
    const struct command *command = args->command;
    int code;

    if (args->help || args->version)
        return EXIT_DONE;
    if (command == NULL)
        return fail(EXIT_USAGE, "no command given");
    if (args->operand_count < command->operand_count)
        return fail(EXIT_USAGE, "%s: needs %s", command->name, command->operands);
    code = check_options(parser);
    if (code != EXIT_DONE)
        return code;
    return check_hash(args);
}

int args_parse(struct args *args, int argc, char **argv)
{
    struct parser parser = {.args = args, .words = argv + (argc > 0)};
    int code;

    *args = (struct args){0};
    args->configs = calloc((size_t)argc + 1, sizeof *args->configs);
    args->settings = calloc((size_t)argc + 1, sizeof *args->settings);
    if (args->configs == NULL || args->settings == NULL)
        return fail_errno("command line");
    code = take_words(&parser);
    if (code == EXIT_DONE)
        code = check(&parser);
    return code == EXIT_USAGE ? point_to_help(args, code) : code;
}

void args_free(struct args *args)
{
    for (size_t i = 0; i < args->setting_count; i++)
        free(args->settings[i].group);
    free(args->settings);
    free(args->configs);
    free(args->expected_hash);
}
