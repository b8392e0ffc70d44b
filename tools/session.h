/* session.h - one run of the program: its stores, its limits and its output. */
#ifndef SESSION_H
#define SESSION_H

#include "args.h"
#include "glance_store.h"
#include "output.h"
#include "progress.h"

struct session {
    const struct args *args;
    bool draws; /* a progress bar is wanted and can be seen */
    gs_registry *registry;
    struct progress progress;
    struct output output;
};

/* Returns an exit code; session_close in any case. */
int session_open(struct session *session, const struct args *args);
void session_close(struct session *session);

/* Where a new image goes: --store, or the default store. */
int session_target(const struct session *session, gs_store **store);

/* Where an image is: the store called `id`, or when that is NULL the one that `uri` belongs to. */
int session_owner(const struct session *session, const char *id, const char *uri, gs_store **store);

/* Options of a call that moves no image: what may stop it.  Ask for them right before
 * the call: until then a signal ends the program, from then on it cancels the call. */
gs_opts session_options(const struct session *session);

/* Options of a call that moves an image; starts counting its progress. */
gs_opts session_transfer(struct session *session);

#endif
