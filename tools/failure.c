/* failure.c - what the program says, and the code it exits with, when it fails. */
#include "failure.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "interrupt.h"

const struct exit_meaning exit_meanings[] = {
    {EXIT_DONE, "done"},
    {EXIT_OTHER, "a failure that no other code describes"},
    {EXIT_USAGE, "wrong command line, hash name, image id or URI"},
    {EXIT_CONFIG, "wrong configuration, unknown store, or store not usable"},
    {EXIT_NOT_FOUND, "no such image or file"},
    {EXIT_EXISTS, "an image with that id, or the output file, exists already"},
    {EXIT_DENIED, "permission denied or not authenticated"},
    {EXIT_FULL, "the storage is full"},
    {EXIT_REFUSED, "the store cannot do that, or the image is in use"},
    {EXIT_CONTENT, "the data has another size, checksum or hash than expected"},
    {EXIT_REMOTE, "a remote service did not answer as it should; a retry may help"},
    {EXIT_TIMEOUT, "--timeout or a configured time limit ran out"},
    {EXIT_SIGNAL, "plus N: stopped by signal N (130: Ctrl-C), everything cleaned up"},
    {0, NULL},
};

static const struct {
    gs_status status;
    int code;
} status_codes[] = {
    {GS_INVALID, EXIT_USAGE},
    {GS_UNKNOWN_HASH, EXIT_USAGE},
    {GS_BAD_URI, EXIT_USAGE},
    {GS_BAD_CONFIG, EXIT_CONFIG},
    {GS_UNKNOWN_STORE, EXIT_CONFIG},
    {GS_UNKNOWN_SCHEME, EXIT_CONFIG},
    {GS_DRIVER_UNAVAILABLE, EXIT_CONFIG},
    {GS_ADD_DISABLED, EXIT_CONFIG},
    {GS_NO_ENDPOINT, EXIT_CONFIG},
    {GS_NOT_FOUND, EXIT_NOT_FOUND},
    {GS_DUPLICATE, EXIT_EXISTS},
    {GS_WRITE_DENIED, EXIT_DENIED},
    {GS_FORBIDDEN, EXIT_DENIED},
    {GS_NOT_AUTHENTICATED, EXIT_DENIED},
    {GS_STORAGE_FULL, EXIT_FULL},
    {GS_IN_USE, EXIT_REFUSED},
    {GS_NOT_SUPPORTED, EXIT_REFUSED},
    {GS_SIZE_MISMATCH, EXIT_CONTENT},
    {GS_VERIFY_FAILED, EXIT_CONTENT},
    {GS_UNAVAILABLE, EXIT_REMOTE},
    {GS_TOO_MANY_REDIRECTS, EXIT_REMOTE},
    {GS_TIMEOUT, EXIT_TIMEOUT},
};

static const struct {
    int number;
    int code;
} errno_codes[] = {
    {ENOENT, EXIT_NOT_FOUND}, {EEXIST, EXIT_EXISTS}, {EACCES, EXIT_DENIED},
    {EPERM, EXIT_DENIED},     {EROFS, EXIT_DENIED},  {ENOSPC, EXIT_FULL},
    {EDQUOT, EXIT_FULL},      {EFBIG, EXIT_FULL},
    {EPIPE, EXIT_SIGNAL + SIGPIPE}, /* also where the library's threads see no signal */
};

static int code_of_errno(int number)
{
    for (size_t i = 0; i < sizeof errno_codes / sizeof *errno_codes; i++)
        if (errno_codes[i].number == number)
            return errno_codes[i].code;
    return EXIT_OTHER;
}

static int code_of_status(gs_status status, const gs_error *error)
{
    if (status == GS_CANCELLED && interrupt_signal() != 0)
        return EXIT_SIGNAL + interrupt_signal();
    if (status == GS_FAILED)
        return code_of_errno(gs_error_errno(error));
    for (size_t i = 0; i < sizeof status_codes / sizeof *status_codes; i++)
        if (status_codes[i].status == status)
            return status_codes[i].code;
    return EXIT_OTHER;
}

int fail(int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("glance-store: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return code;
}

int fail_errno(const char *what)
{
    int number = errno;

    return fail(code_of_errno(number), "%s: %s", what, strerror(number));
}

int fail_status(gs_status status, gs_error *error)
{
    int code = fail(code_of_status(status, error), "%s", gs_error_message(error));

    gs_error_free(error);
    return code;
}
