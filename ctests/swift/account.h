/* account.h - accounts of Swift as they really are, behind the library's back,
 * and stores whose images lie in them. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "swift.h"

/* The unit of the options for sizes, and so the size of a segment here. */
enum { UNIT = 1024000 };

/* ---- The account behind the library's back ------------------------------------ */

struct account {
    const char *storage; /* the storage URL */
    const char *token;
    const char *header;  /* the token as a line of a request */
};

/* `user` is "project:user". */
struct account keystone_account(const char *user, const char *key, const char *storage);
struct account demo_account(void);
struct account v1_account(void);

/* A container that no other test has; emptied and removed when the program ends. */
const char *new_container(const struct account *account);
/* The name of one that does not exist yet, removed as well. */
const char *free_container(const struct account *account);
bool        container_exists(const struct account *account, const char *container);

/* All that is in a container, with sizes, hashes and times: two equal answers
 * mean that nothing came, went or changed. */
const char *contents(const struct account *account, const char *container);
/* The names only, a line each. */
const char *names_in(const struct account *account, const char *container);

const char  *object_url(const struct account *account, const char *container, const char *name);
void         put_object(const struct account *account, const char *container, const char *name, const char *headers,
                        const void *data, size_t len);
void         delete_object(const struct account *account, const char *container, const char *name);
struct reply head_object(const struct account *account, const char *container, const char *name);

/* ---- Stores ---------------------------------------------------------------------- */

/* One swift store, the default: user demo of Keystone, segments of one UNIT, `container`; then `settings`. */
gs_registry *registry_in(const char *container, const struct setting *settings);
/* The same with the user of TempAuth. */
gs_registry *v1_registry(const char *container, const struct setting *settings);
/* How opening it ends; `failure` says why it does not. */
gs_status    try_swift(const char *container, const struct setting *settings);

/* A store that talks to both servers through the proxy. */
gs_registry *spoilt_registry(const struct faults *faults, const char *container, const struct setting *settings);

/* An id that no image of any test has. */
const char *new_id(void);

/* Adds, with what is known of the size; NULL when that fails. */
const char *try_add(gs_store *store, const char *id, const void *data, size_t len, uint64_t size, gs_status wanted);

/* ---- Processes -------------------------------------------------------------------- */

/* Runs shares of a test, 0 to count - 1, each in a process of its own: cases that mostly wait do so side by
 * side.  What main() has to return. */
int in_processes(size_t count, int (*run)(size_t share));

#endif /* ACCOUNT_H */
