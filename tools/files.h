/* files.h - where an image comes from, and the file it goes to whole or not at all. */
#ifndef FILES_H
#define FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct uuid {
    char text[37];
};

/* A random (version 4) UUID.  Returns an exit code. */
int random_uuid(struct uuid *uuid);

struct source {
    int fd;
    uint64_t size; /* from the present position, or GS_SIZE_UNKNOWN */
};

/* "-" is standard input.  Returns an exit code, as all below. */
int source_open(struct source *source, const char *path);
void source_close(struct source *source);

struct sink {
    const char *path;
    bool replace;   /* an existing file may go */
    bool direct;    /* a device, a pipe: written in place */
    int fd;
    char part[PATH_MAX]; /* name of the unfinished file, "" while it has none */
};

/* "-" is standard output.  A regular file appears under its name only with
 * sink_commit, in one step; sink_abandon leaves nothing of it. */
int sink_open(struct sink *sink, const char *path, bool replace);
int sink_commit(struct sink *sink);
void sink_abandon(struct sink *sink);

#endif
