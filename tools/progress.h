/* progress.h - counts a transfer's bytes and time, and draws them on a terminal. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool visible;
    bool drawn;
    double started; /* seconds of the monotonic clock */
    double sampled; /* when `rate` was last updated */
    double rate;    /* bytes a second, smoothed */
    uint64_t done;
};

void progress_start(struct progress *progress, bool visible);

/* A gs_progress_fn; `user` is the struct progress. */
int progress_update(void *user, uint64_t done, uint64_t total);

/* Leaves the cursor on a fresh line; returns the seconds since the start. */
double progress_end(struct progress *progress);

#endif
