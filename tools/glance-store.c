/* glance-store.c - the command line of the glance_store library. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "failure.h"
#include "help.h"

/* A file opened while one of them is closed would take its place, and messages
 * would end up in an image. */
static int open_standard_streams(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            return fail_errno("/dev/null");
    } while (fd <= STDERR_FILENO);
    close(fd);
    return EXIT_DONE;
}

static int run_command(const struct args *args)
{
    struct session session;
    int code = session_open(&session, args);

    if (code == EXIT_DONE)
        code = args->command->run(&session);
    session_close(&session);
    return code;
}

static int run(const struct args *args)
{
    if (args->help)
        help_print(args->command);
    else if (args->version)
        version_print();
    else
        return run_command(args);
    return EXIT_DONE;
}

/* A result that could not be written is a failure too. */
static int flush_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    return code == EXIT_DONE ? fail_errno("standard output") : code;
}

int main(int argc, char **argv)
{
    struct args args;
    int code = open_standard_streams();

    if (code != EXIT_DONE)
        return code;
    code = args_parse(&args, argc, argv);
    if (code == EXIT_DONE)
        code = flush_output(run(&args));
    args_free(&args);
    return code;
}
