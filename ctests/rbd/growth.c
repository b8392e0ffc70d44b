/* Nothing grows with what a process has done: memory, threads, descriptors. */
#include "cluster.h"

#include <malloc.h>
#include <stdlib.h>

static uint8_t *data;
enum { LEN = 2 * MiB };

/* In KiB. */
static int64_t resident(void)
{
    return atol(line_of("/proc/self/status", "VmRSS:"));
}

static void cycle(void)
{
    gs_registry *reg = rbd_registry(NULL);
    uint64_t     size;
    FAILS(GS_NOT_FOUND, gs_get_size(default_store(reg), uri_of("nothing"), NULL, &size, ERR));
    gs_registry_free(reg);
}

static void cycles(void)
{
    check_context("opening and closing, again and again");
    for (unsigned i = 0; i < 20; i++)
        cycle();
    unsigned fds = entries_of("/proc/self/fd"), threads = entries_of("/proc/self/task");
    int64_t  memory = resident();
    for (unsigned i = 0; i < 100; i++)
        cycle();
    CHECK_INT(fds, entries_of("/proc/self/fd"));
    CHECK_INT(threads, entries_of("/proc/self/task"));
    /* Connections that stayed would be hundreds of MiB. */
    CHECK(resident() - memory < 40 * KiB);
}

static void many_adds(void)
{
    gs_registry *reg = rbd_registry(NULL);
    int64_t      memory = 0;
    check_context("adding, again and again");
    for (int i = 0; i < 60; i++) {
        if (i == 10)
            memory = resident();
        MUST(OK(add(default_store(reg), "im", data, LEN, i % 2)));
        OK(gs_delete(default_store(reg), uri_of("im"), NULL, ERR));
    }
    CHECK(resident() - memory < 10 * KiB);
    gs_registry_free(reg);
}

int main(void)
{
    /* Else it depends on chance how many of its arenas the C library has begun. */
    MUST(mallopt(M_ARENA_MAX, 1) == 1);
    data = new_data(LEN, RANDOM_DATA);
    cycles();
    many_adds();
    free(data);
    return check_result();
}
