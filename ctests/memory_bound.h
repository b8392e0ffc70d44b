/* That a call holds at most `transfer_memory` and 16 MiB more, however large the image. */
#ifndef MEMORY_BOUND_H
#define MEMORY_BOUND_H

#include "testing.h"

#include <stdlib.h>
#include <string.h>

enum { TRANSFER_MEMORY = 8, ALLOWANCE = 16 };

/* VmHWM or VmRSS in KiB. */
static inline long memory_of(const char *key)
{
    long value = strtol(line_of("/proc/self/status", key), NULL, 10);
    MUST(value > 0);
    return value;
}

/* A source of as many bytes as `user` says, which costs no memory. */
static inline int64_t pattern(void *user, uint8_t *buf, size_t len)
{
    uint64_t *left = user;
    size_t    count = *left < len ? (size_t)*left : len;
    memset(buf, (int)(*left >> 20) | 1, count);
    *left -= count;
    return (int64_t)count;
}

/* Not more than the bound above what there was before. */
static inline void check_within(long before)
{
    long most = memory_of("VmHWM:") - before;
    if (most > (TRANSFER_MEMORY + ALLOWANCE) * KiB)
        CHECK_INT((TRANSFER_MEMORY + ALLOWANCE) * KiB, most);
}

#endif
