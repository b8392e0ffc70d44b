/* help.c - the texts of --help and --version. */
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "failure.h"

enum { OPTION_WIDTH = 26 };

static void print_option(const struct option_spec *option)
{
    char usage[64];

    snprintf(usage, sizeof usage, "%c%c%c --%s%s%s", option->letter ? '-' : ' ', option->letter ? option->letter : ' ',
             option->letter ? ',' : ' ', option->name, option->value ? " " : "", option->value ? option->value : "");
    if (strlen(usage) < OPTION_WIDTH)
        printf("  %-*s %s\n", OPTION_WIDTH, usage, option->help);
    else
        printf("  %s\n  %*s %s\n", usage, OPTION_WIDTH, "", option->help);
}

/* The options that belong to exactly these commands, or to some of them. */
static void print_options(const char *title, unsigned bits, bool exactly)
{
    puts(title);
    for (const struct option_spec *option = option_specs; option->name != NULL; option++)
        if (exactly ? option->commands == bits : (option->commands & bits) != 0)
            print_option(option);
}

static void print_command(const struct command *command)
{
    printf("Usage: glance-store %s [OPTIONS]%s%s\n\n%s\n", command->name, command->operands[0] ? " " : "",
           command->operands, command->description);
    print_options("Options:", command->bit, false);
    printf("\nExamples:\n%s", command->examples);
}

static void print_exit_codes(void)
{
    puts("Exit codes:");
    for (const struct exit_meaning *meaning = exit_meanings; meaning->meaning != NULL; meaning++)
        printf("  %3d  %s\n", meaning->code, meaning->meaning);
}

static void print_program(void)
{
    puts("glance-store - put virtual machine images into a store and get them back\n\n"
         "Usage: glance-store COMMAND [OPTIONS] [OPERANDS]\n\n"
         "Commands:");
    for (const struct command *command = commands; command->name != NULL; command++)
        printf("  %-6s  %-8s  %s\n", command->name, command->operands, command->summary);
    puts("\nOptions come before or after operands; 'glance-store COMMAND --help' lists those of\n"
         "a command. '-' as FILE is standard input or standard output.\n");
    print_options("Options of every command:", FOR_ALL, true);
    puts("\nTo begin with, nothing needs to be configured: without --config and without\n"
         "GLANCE_STORE_CONFIG in the environment, images go to one file store in\n"
         "${XDG_DATA_HOME:-$HOME/.local/share}/glance-store/images.\n\n"
         "  uri=$(glance-store add -q disk.qcow2)    store an image and keep its URI\n"
         "  glance-store info --hash sha256 $uri     look at it\n"
         "  glance-store get $uri copy.qcow2         fetch it\n"
         "  glance-store rm $uri                     remove it\n");
    print_exit_codes();
    puts("\nThe manual, glance-store(1), tells more.");
}

void help_print(const struct command *command)
{
    if (command != NULL)
        print_command(command);
    else
        print_program();
}

void version_print(void)
{
    printf("glance-store %d.%d.%d (library %s)\n", GS_VERSION_MAJOR, GS_VERSION_MINOR, GS_VERSION_PATCH, gs_version());
}
