#include "check.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Thread_local struct failure failure;

static atomic_int failures;
static _Thread_local char context[256];
static _Thread_local gs_error *slot;
/* What *err holds before each call: the library has to replace it either way. */
static char untouched;

void check_context(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
}

static void complain(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(const char *file, int line, const char *format, ...)
{
    char    text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    atomic_fetch_add(&failures, 1);
    fprintf(stderr, "%s:%d: %s%s%s\n", file, line, context, *context ? ": " : "", text);
}

int check_result(void)
{
    int count = atomic_load(&failures);
    if (count > 0)
        fprintf(stderr, "%d check%s failed\n", count, count == 1 ? "" : "s");
    return count > 0 ? 1 : 0;
}

void check_forget(void)
{
    atomic_store(&failures, 0);
}

void check_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("skipped, because ", stdout);
    vprintf(format, args);
    puts("");
    va_end(args);
    exit(check_result() ? 1 : SKIPPED);
}

bool check_true(const char *file, int line, const char *what, bool condition)
{
    if (!condition)
        complain(file, line, "not true: %s", what);
    return condition;
}

void check_must(const char *file, int line, const char *what, bool condition)
{
    if (check_true(file, line, what, condition))
        return;
    perror("last system error");
    exit(1);
}

bool check_int(const char *file, int line, const char *what, int64_t want, int64_t got)
{
    if (want != got)
        complain(file, line, "%s: expected %lld, got %lld", what, (long long)want, (long long)got);
    return want == got;
}

bool check_size(const char *file, int line, const char *what, uint64_t want, uint64_t got)
{
    if (want != got)
        complain(file, line, "%s: expected %llu, got %llu", what,
                 (unsigned long long)want, (unsigned long long)got);
    return want == got;
}

bool check_str(const char *file, int line, const char *what, const char *want, const char *got)
{
    bool same = want && got ? strcmp(want, got) == 0 : want == got;
    if (!same)
        complain(file, line, "%s: expected %s%s%s, got %s%s%s", what,
                 want ? "\"" : "", want ? want : "NULL", want ? "\"" : "",
                 got ? "\"" : "", got ? got : "NULL", got ? "\"" : "");
    return same;
}

bool check_has(const char *file, int line, const char *what, const char *part, const char *text, bool wanted)
{
    bool found = text && strstr(text, part);
    if (found != wanted)
        complain(file, line, "%s: expected text with%s \"%s\", got \"%.2000s\"", what,
                 wanted ? "" : "out", part, text ? text : "(NULL)");
    return found == wanted;
}

bool check_bytes(const char *file, int line, const char *what, const void *want, uint64_t want_len,
                 const void *got, uint64_t got_len)
{
    const unsigned char *left = want, *right = got;
    uint64_t             at = 0;
    while (at < want_len && at < got_len && left[at] == right[at])
        at++;
    if (at == want_len && at == got_len)
        return true;
    complain(file, line, "%s: expected %llu bytes, got %llu; the first %llu are equal", what,
             (unsigned long long)want_len, (unsigned long long)got_len, (unsigned long long)at);
    return false;
}

gs_error **check_error_slot(void)
{
    slot = (gs_error *)&untouched;
    return &slot;
}

const char *status_name(gs_status status)
{
    switch (status) {
    case GS_OK: return "GS_OK";
    case GS_FAILED: return "GS_FAILED";
    case GS_INVALID: return "GS_INVALID";
    case GS_BUG: return "GS_BUG";
    case GS_CANCELLED: return "GS_CANCELLED";
    case GS_TIMEOUT: return "GS_TIMEOUT";
    case GS_CALLBACK: return "GS_CALLBACK";
    case GS_FORKED: return "GS_FORKED";
    case GS_NOT_FOUND: return "GS_NOT_FOUND";
    case GS_DUPLICATE: return "GS_DUPLICATE";
    case GS_STORAGE_FULL: return "GS_STORAGE_FULL";
    case GS_WRITE_DENIED: return "GS_WRITE_DENIED";
    case GS_FORBIDDEN: return "GS_FORBIDDEN";
    case GS_NOT_AUTHENTICATED: return "GS_NOT_AUTHENTICATED";
    case GS_IN_USE: return "GS_IN_USE";
    case GS_UNKNOWN_SCHEME: return "GS_UNKNOWN_SCHEME";
    case GS_BAD_URI: return "GS_BAD_URI";
    case GS_UNKNOWN_STORE: return "GS_UNKNOWN_STORE";
    case GS_BAD_CONFIG: return "GS_BAD_CONFIG";
    case GS_DRIVER_UNAVAILABLE: return "GS_DRIVER_UNAVAILABLE";
    case GS_UNKNOWN_HASH: return "GS_UNKNOWN_HASH";
    case GS_NOT_SUPPORTED: return "GS_NOT_SUPPORTED";
    case GS_ADD_DISABLED: return "GS_ADD_DISABLED";
    case GS_UNAVAILABLE: return "GS_UNAVAILABLE";
    case GS_TOO_MANY_REDIRECTS: return "GS_TOO_MANY_REDIRECTS";
    case GS_NO_ENDPOINT: return "GS_NO_ENDPOINT";
    case GS_SIZE_MISMATCH: return "GS_SIZE_MISMATCH";
    case GS_VERIFY_FAILED: return "GS_VERIFY_FAILED";
    default: return "an unknown status";
    }
}

static void check_error(const char *file, int line, const char *what, gs_status status, const gs_error *err)
{
    const char *message = gs_error_message(err);
    const char *name = gs_error_name(err);
    size_t      length = message ? strlen(message) : 0;

    if (gs_error_status(err) != status)
        complain(file, line, "%s returned %s, but its error says %s", what, status_name(status),
                 status_name(gs_error_status(err)));
    if (length == 0 || length > SANE_MESSAGE)
        complain(file, line, "%s: an error message of %zu bytes", what, length);
    if (message && strpbrk(message, "\n\r\t\v\f\033"))
        complain(file, line, "%s: the error message is not one line: %s", what, message);
    if (!name || !*name)
        complain(file, line, "%s: the error has no name", what);

    failure.status = status;
    failure.errnum = gs_error_errno(err);
    failure.http_status = gs_error_http_status(err);
    failure.retryable = gs_error_retryable(err);
    snprintf(failure.name, sizeof failure.name, "%s", name ? name : "");
    snprintf(failure.message, sizeof failure.message, "%s", message ? message : "");
}

/* Moves the thread's error into `failure` and frees it. */
static void take_error(const char *file, int line, const char *what, gs_status status)
{
    gs_error *err = slot;
    slot = NULL;
    memset(&failure, 0, sizeof failure);
    if (err == (gs_error *)&untouched) {
        complain(file, line, "%s returned %s and left *err as it was", what, status_name(status));
        return;
    }
    if ((status == GS_OK) != (err == NULL)) {
        complain(file, line, "%s returned %s and set *err to %s", what, status_name(status),
                 err ? "an error" : "NULL");
        if (!err)
            return;
    }
    if (err)
        check_error(file, line, what, status, err);
    gs_error_free(err);
}

bool check_status(const char *file, int line, const char *what, gs_status want, gs_status got)
{
    take_error(file, line, what, got);
    if (want != got)
        complain(file, line, "%s: expected %s, got %s%s%s", what, status_name(want), status_name(got),
                 *failure.message ? ": " : "", failure.message);
    return want == got;
}

gs_status check_returned(const char *file, int line, const char *what, gs_status got)
{
    take_error(file, line, what, got);
    if (got == GS_BUG)
        complain(file, line, "%s: GS_BUG: %s", what, failure.message);
    return got;
}
