#include "steps.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static struct moment awaited;
static atomic_bool   hides_watchers;
static atomic_uint   opened;

void stop_at(struct moment moment)
{
    awaited = moment;
}

void hide_watchers_once(void)
{
    atomic_store(&hides_watchers, true);
}

unsigned opens(void)
{
    return atomic_load(&opened);
}

static void pass(const char *function, bool after)
{
    if (after && strcmp(function, "rbd_open_read_only") == 0)
        atomic_fetch_add(&opened, 1);
    if (awaited.function && awaited.after == after && strcmp(awaited.function, function) == 0) {
        awaited.function = NULL;
        /* To this thread, which goes no step further. */
        raise(SIGSTOP);
    }
}

/* ---- Functions that stand before those of librbd ------------------------------------- */

#define STEP(name, parameters, arguments) \
    static int (*librbd_##name) parameters; \
    static int own_##name parameters \
    { \
        pass(#name, false); \
        int result = librbd_##name arguments; \
        pass(#name, true); \
        return result; \
    } \
    static int (*const given_##name) parameters = own_##name;

STEP(rbd_create4, (void *pool, const char *name, uint64_t size, void *options), (pool, name, size, options))
STEP(rbd_open, (void *pool, const char *name, void **image, const char *snapshot), (pool, name, image, snapshot))
STEP(rbd_open_read_only, (void *pool, const char *name, void **image, const char *snapshot), (pool, name, image, snapshot))
STEP(rbd_resize, (void *image, uint64_t size), (image, size))
STEP(rbd_metadata_set, (void *image, const char *key, const char *value), (image, key, value))
STEP(rbd_metadata_remove, (void *image, const char *key), (image, key))
STEP(rbd_snap_create, (void *image, const char *name), (image, name))
STEP(rbd_snap_protect, (void *image, const char *name), (image, name))
STEP(rbd_snap_unprotect, (void *image, const char *name), (image, name))
STEP(rbd_snap_remove, (void *image, const char *name), (image, name))
STEP(rbd_trash_move, (void *pool, const char *name, uint64_t delay), (pool, name, delay))
STEP(rbd_trash_remove, (void *pool, const char *id, bool force), (pool, id, force))

static int (*librbd_rbd_watchers_list)(void *image, void *watchers, size_t *count);
static int own_rbd_watchers_list(void *image, void *watchers, size_t *count)
{
    if (!atomic_exchange(&hides_watchers, false))
        return librbd_rbd_watchers_list(image, watchers, count);
    *count = 0;
    return 0;
}
static int (*const given_rbd_watchers_list)(void *, void *, size_t *) = own_rbd_watchers_list;

#define ROW(name) { #name, &librbd_##name, &given_##name }

static const struct { const char *name; void *theirs; const void *given; } functions[] = {
    ROW(rbd_create4), ROW(rbd_open), ROW(rbd_open_read_only), ROW(rbd_resize), ROW(rbd_metadata_set), ROW(rbd_metadata_remove),
    ROW(rbd_snap_create), ROW(rbd_snap_protect), ROW(rbd_snap_unprotect), ROW(rbd_snap_remove),
    ROW(rbd_trash_move), ROW(rbd_trash_remove), ROW(rbd_watchers_list),
};

/* The library finds librbd's functions by this one, which comes before that of the C library. */
void *dlsym(void *restrict handle, const char *restrict name)
{
    static void *(*libc_dlsym)(void *restrict, const char *restrict);
    if (!libc_dlsym) {
        void *found = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
        memcpy(&libc_dlsym, &found, sizeof found);
    }
    void *address = libc_dlsym(handle, name);
    for (size_t i = 0; address && i < sizeof functions / sizeof *functions; i++)
        if (strcmp(name, functions[i].name) == 0) {
            memcpy(functions[i].theirs, &address, sizeof address);
            memcpy(&address, functions[i].given, sizeof address);
            break;
        }
    return address;
}
