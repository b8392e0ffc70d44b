/* testing.h - what the C tests share: directories, stores, image data. */
#ifndef TESTING_H
#define TESTING_H

#include "check.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

enum { KiB = 1024, MiB = 1024 * 1024 };

/* True under valgrind, where the same promises are shown with less data. */
bool small_run(void);

/* ---- Text that lives until the program ends ------------------------------ */

const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* `length` times the character: over-long arguments. */
const char *repeated(char character, size_t length);
/* JSON that is compared must not depend on its blanks. */
const char *without_blanks(const char *string);

/* ---- Directories and files ----------------------------------------------- */

/* A fresh directory, removed with all it holds when the program ends. */
const char *new_dir(void);
/* Every entry below `dir`, hidden ones too, with type, mode and size: two
 * equal listings mean that nothing came, went or changed. */
const char *listing(const char *dir);
void   write_file(const char *path, const void *data, size_t len);
void  *read_file(const char *path, size_t *len); /* malloc'ed */
size_t file_size(const char *path);
bool   exists(const char *path);
/* The first word that e.g. sha512sum prints for the file. */
const char *digest_of(const char *program, const char *path);
/* A tmpfs on `dir`, unmounted at the end; skips the test where mounting is forbidden. */
void mount_tmpfs(const char *dir, const char *options);
/* Runs the function in a child without root's rights; its exit status. */
int  as_nobody(void (*function)(void *), void *argument);
/* waitpid; the exit status, or 128 + the signal that ended the child. */
int  wait_for(pid_t child);
/* From here on O_TMPFILE is refused in this process, as by file systems that
 * have no unnamed files; skips the test where that cannot be arranged. */
void forbid_unnamed_files(void);

/* ---- What a process has ---------------------------------------------------- */

/* How many entries e.g. /proc/self/fd has; only ever compared. */
unsigned    entries_of(const char *dir);
/* What follows the key in e.g. /proc/self/status; empty where there is none. */
const char *line_of(const char *path, const char *key);
/* That the thread of this status file blocks every signal that can be blocked. */
void        check_blocks_signals(const char *status);

/* ---- Registries ---------------------------------------------------------- */

struct setting { const char *group, *key, *value; };

#define SETTINGS(...) ((const struct setting[]){ __VA_ARGS__, { NULL, NULL, NULL } })

gs_config   *config_of(const struct setting *settings);
gs_registry *registry_of(const struct setting *settings);
/* One file store with the data directory `dir`: id "file", the default. */
gs_registry *file_registry(const char *dir);
/* Two file stores, "fast" (the default) and "cheap". */
gs_registry *two_file_stores(const char *fast_dir, const char *cheap_dir);
gs_store    *default_store(const gs_registry *reg);
/* How opening it ends; `failure` says why it does not. */
gs_status    try_open(const struct setting *settings);

/* ---- Image data ---------------------------------------------------------- */

enum data_kind { RANDOM_DATA, SPARSE_DATA, ZERO_DATA };
uint8_t *new_data(size_t len, enum data_kind kind); /* malloc'ed; never NULL */

/* A gs_read_fn over memory; `piece` bounds what one call delivers (0: no bound). */
struct source {
    const uint8_t *data;
    size_t         len;
    size_t         piece;
    size_t         at;
    unsigned       calls;
};
int64_t source_read(void *user, uint8_t *buf, size_t len);

/* A gs_write_fn into memory that insists on contiguous offsets. */
struct sink {
    uint8_t *data;
    size_t   len;
    size_t   first;   /* the offset that the first call is expected to have */
    size_t   holes;   /* bytes that came as data == NULL */
    unsigned calls;
};
int  sink_write(void *user, const uint8_t *data, size_t len, uint64_t offset);
void sink_free(struct sink *sink);

/* Adds bytes that must go in; the storage URI. */
const char *add_bytes(gs_store *store, const char *id, const void *data, size_t len);
/* The image at `uri` is exactly these bytes. */
void check_image(gs_store *store, const char *uri, const void *data, size_t len);
void check_absent(gs_store *store, const char *uri);

/* ---- Threads and pipes --------------------------------------------------- */

pthread_t start(void *(*function)(void *), void *argument);
void      join(pthread_t thread);

/* Feeds a descriptor from a thread and closes it at the end. */
struct feeder {
    pthread_t      thread;
    int            fd;
    const uint8_t *data;
    size_t         len;
};
void feeder_start(struct feeder *feeder, int fd, const void *data, size_t len);
void feeder_join(struct feeder *feeder);

/* Collects all that comes out of a descriptor, in a thread. */
struct drain {
    pthread_t thread;
    int       fd;
    uint8_t  *data;
    size_t    len;
};
void drain_start(struct drain *drain, int fd);
void drain_join(struct drain *drain); /* drain->data is malloc'ed */

#endif /* TESTING_H */
