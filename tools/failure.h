/* failure.h - what the program says, and the code it exits with, when it fails. */
#ifndef FAILURE_H
#define FAILURE_H

#include "glance_store.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_OTHER = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,
    EXIT_NOT_FOUND = 4,
    EXIT_EXISTS = 5,
    EXIT_DENIED = 6,
    EXIT_FULL = 7,
    EXIT_REFUSED = 8,
    EXIT_CONTENT = 9,
    EXIT_REMOTE = 10,
    EXIT_TIMEOUT = 124,
    EXIT_SIGNAL = 128 /* plus the signal's number */
};

struct exit_meaning {
    int code;
    const char *meaning;
};

/* Every code above with its meaning; ends with a NULL meaning. */
extern const struct exit_meaning exit_meanings[];

/* Print one line on standard error; return `code`, so that callers can return it. */
int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for errno, as "what: strerror". */
int fail_errno(const char *what);

/* The same for a failed library call; frees `error`. */
int fail_status(gs_status status, gs_error *error);

#endif
