/* check.h - assertions for the C tests.
 *
 * A failed CHECK prints file, line, what was expected and what came, and the
 * program goes on; a failed MUST ends it.  main() returns check_result().
 *
 * Every fallible call of the library is written
 *     OK(gs_get_size(store, uri, NULL, &size, ERR));
 *     FAILS(GS_NOT_FOUND, gs_get_size(store, uri, NULL, &size, ERR));
 * which also checks what the header promises of every error: *err is NULL after
 * success and a fresh object after failure, with a message of one line.  What
 * FAILS saw stays in `failure` (one per thread).
 */
#ifndef CHECK_H
#define CHECK_H

#include <glance_store.h>

#include <stdbool.h>
#include <stdint.h>

struct failure {
    gs_status status;
    int       errnum;
    int       http_status;
    bool      retryable;
    char      name[64];
    char      message[8192];
};
extern _Thread_local struct failure failure;

enum { SKIPPED = 77, SANE_MESSAGE = 4096 };

#define CHECK(condition) \
    check_true(__FILE__, __LINE__, #condition, (condition))
#define MUST(condition) \
    check_must(__FILE__, __LINE__, #condition, (condition))
#define CHECK_INT(want, got) \
    check_int(__FILE__, __LINE__, #got, (int64_t)(want), (int64_t)(got))
#define CHECK_SIZE(want, got) \
    check_size(__FILE__, __LINE__, #got, (want), (got))
#define CHECK_STR(want, got) \
    check_str(__FILE__, __LINE__, #got, (want), (got))
#define CHECK_HAS(part, text) \
    check_has(__FILE__, __LINE__, #text, (part), (text), true)
#define CHECK_LACKS(part, text) \
    check_has(__FILE__, __LINE__, #text, (part), (text), false)
#define CHECK_BYTES(want, want_len, got, got_len) \
    check_bytes(__FILE__, __LINE__, #got, (want), (want_len), (got), (got_len))

#define ERR check_error_slot()
#define OK(call) \
    check_status(__FILE__, __LINE__, #call, GS_OK, (call))
#define FAILS(want, call) \
    check_status(__FILE__, __LINE__, #call, (want), (call))
/* For rows of tables, which may say GS_OK as well. */
#define GIVES(want, call) FAILS(want, call)
/* When one of several statuses is documented: keeps the one that came. */
#define RETURNS(call) \
    check_returned(__FILE__, __LINE__, #call, (call))

/* Ends the program with "skipped, because ..."; ctest shows it as a skip. */
#define SKIP(...) check_skip(__VA_ARGS__)

/* Said in front of every failure until the next call: the row of a table. */
void check_context(const char *format, ...) __attribute__((format(printf, 1, 2)));

int  check_result(void);
/* A forked child starts its own count. */
void check_forget(void);
void check_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

bool check_true(const char *file, int line, const char *what, bool condition);
void check_must(const char *file, int line, const char *what, bool condition);
bool check_int(const char *file, int line, const char *what, int64_t want, int64_t got);
bool check_size(const char *file, int line, const char *what, uint64_t want, uint64_t got);
bool check_str(const char *file, int line, const char *what, const char *want, const char *got);
bool check_has(const char *file, int line, const char *what, const char *part, const char *text, bool wanted);
bool check_bytes(const char *file, int line, const char *what, const void *want, uint64_t want_len,
                 const void *got, uint64_t got_len);

gs_error **check_error_slot(void);
bool       check_status(const char *file, int line, const char *what, gs_status want, gs_status got);
gs_status  check_returned(const char *file, int line, const char *what, gs_status got);
const char *status_name(gs_status status);

#endif /* CHECK_H */
