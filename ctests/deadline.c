/* timeout_ms bounds the whole call: GS_TIMEOUT from a source that never delivers
 * and a target that nobody reads, also when a callback outlives it; nothing
 * remains. A call that ends in time does not notice it. */
#include "testing.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *dir, *uri;
static gs_store   *store;

static gs_opts within(uint32_t milliseconds)
{
    gs_opts opts = GS_OPTS_INIT;
    opts.timeout_ms = milliseconds;
    return opts;
}

static void silent_source(void)
{
    static const uint32_t timeouts[] = { 1, 50 };
    for (int i = 0; i < 2; i++)
        for (int socket = 0; socket < 2; socket++) {
            gs_opts     opts = within(timeouts[i]);
            gs_image   *image = NULL;
            const char *before = listing(dir);
            int         ends[2];
            check_context("a silent %s, %u ms", socket ? "socket" : "pipe", opts.timeout_ms);
            MUST((socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) == 0);
            MUST(write(ends[1], "abc", 3) == 3);
            FAILS(GS_TIMEOUT, gs_add_fd(store, "new", GS_SIZE_UNKNOWN, ends[0], &opts, &image, ERR));
            CHECK(image == NULL);
            CHECK_STR(before, listing(dir));
            close(ends[0]);
            close(ends[1]);
        }
}

static void deaf_target(void)
{
    for (int socket = 0; socket < 2; socket++) {
        gs_opts opts = within(50);
        int     ends[2];
        check_context("a %s that nobody reads", socket ? "socket" : "pipe");
        MUST((socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) == 0);
        FAILS(GS_TIMEOUT, gs_get_fd(store, uri, ends[1], &opts, ERR));
        close(ends[0]);
        close(ends[1]);
    }
}

/* Spends the deadline itself: waits until the clock says that it has passed. */
static void outlive(uint32_t milliseconds)
{
    struct timespec until;
    MUST(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_nsec += (milliseconds + 1) * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        continue;
}

static int64_t slow_read(void *user, uint8_t *buf, size_t len)
{
    outlive(20);
    return source_read(user, buf, len);
}

static int slow_write(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    outlive(20);
    return sink_write(user, data, len, offset);
}

static void slow_callbacks(const uint8_t *data, size_t len)
{
    struct source source = { .data = data, .len = len, .piece = len / 2 };
    struct sink   sink = { 0 };
    gs_opts       opts = within(20);
    gs_image     *image = NULL;
    const char   *before = listing(dir);
    check_context("a callback that outlives the deadline");
    FAILS(GS_TIMEOUT, gs_add(store, "new", len, slow_read, &source, &opts, &image, ERR));
    CHECK(source.calls <= 1);
    FAILS(GS_TIMEOUT, gs_get(store, uri, slow_write, &sink, &opts, ERR));
    CHECK(sink.calls <= 1);
    CHECK(image == NULL);
    CHECK_STR(before, listing(dir));
    sink_free(&sink);
}

static void in_time(const uint8_t *data, size_t len)
{
    static const uint32_t timeouts[] = { 600000, UINT32_MAX };
    for (int i = 0; i < 2; i++) {
        struct source source = { .data = data, .len = len };
        struct sink   sink = { 0 };
        gs_opts       opts = within(timeouts[i]);
        gs_image     *image = NULL;
        uint64_t      size;
        check_context("in time, %u ms", opts.timeout_ms);
        OK(gs_add(store, "new", len, source_read, &source, &opts, &image, ERR));
        OK(gs_get(store, text("file://%s/new", dir), sink_write, &sink, &opts, ERR));
        CHECK_BYTES(data, len, sink.data, sink.len);
        OK(gs_get_size(store, uri, &opts, &size, ERR));
        OK(gs_delete(store, text("file://%s/new", dir), &opts, ERR));
        gs_image_free(image);
        sink_free(&sink);
    }
}

int main(void)
{
    size_t   len = 8 * MiB;
    uint8_t *data = new_data(len, RANDOM_DATA);
    dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    uri = add_bytes(store, "image", data, len);

    silent_source();
    deaf_target();
    slow_callbacks(data, len);
    in_time(data, len);

    check_image(store, uri, data, len);
    free(data);
    gs_registry_free(reg);
    return check_result();
}
