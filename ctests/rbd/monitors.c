/* A monitor that stops, or is killed and started again: transfers go on, and who cannot connect can do so later. */
#include "cluster.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static uint8_t *data;
enum { LEN = 24 * MiB + 11 };

/* ---- What becomes of the monitor in the middle of a transfer --------------------------- */

static pid_t monitor(void)
{
    return (pid_t)atol(output("cat %s/mon.a.pid", ceph("CEPH_DIR")));
}

static void stop(void)
{
    MUST(kill(monitor(), SIGSTOP) == 0);
}

static void go_on(void)
{
    MUST(kill(monitor(), SIGCONT) == 0);
}

static void end(void)
{
    ceph_script("stop-mon");
}

static void start_again(void)
{
    ceph_script("start-mon");
}

static void restart(void)
{
    end();
    start_again();
}

static void nothing(void)
{
}

static const struct day { const char *name; void (*before)(void), (*amid)(void), (*after)(void); } days[] = {
    { "stops and goes on", stop, go_on, nothing },
    { "stops for all of it", stop, nothing, go_on },
    { "is killed and started again", nothing, restart, nothing },
    { "is killed before", end, nothing, start_again },
};

struct transfer { struct source source; struct sink sink; const struct day *day; bool is_amid; };

static void come(struct transfer *transfer, size_t done)
{
    if (!transfer->is_amid && done >= LEN / 2) {
        transfer->is_amid = true;
        transfer->day->amid();
    }
}

static int64_t read_some(void *user, uint8_t *buf, size_t len)
{
    struct transfer *transfer = user;
    come(transfer, transfer->source.at);
    return source_read(&transfer->source, buf, len);
}

static int write_some(void *user, const uint8_t *piece, size_t len, uint64_t offset)
{
    struct transfer *transfer = user;
    come(transfer, transfer->sink.len);
    return sink_write(&transfer->sink, piece, len, offset);
}

/* Without a monitor there is no snapshot, so an add waits for it at the end. */
static void adds(gs_store *store, const struct day *day)
{
    for (int known = 0; known < 2; known++) {
        struct transfer transfer = { .source = { .data = data, .len = LEN }, .day = day };
        gs_image       *image = NULL;
        check_context("an add, size %s, whose monitor %s", known ? "known" : "unknown", day->name);
        day->before();
        OK(gs_add(store, "im", known ? LEN : GS_SIZE_UNKNOWN, read_some, &transfer, NULL, &image, ERR));
        gs_image_free(image);
        check_image(store, uri_of("im"), data, LEN);
        OK(gs_delete(store, uri_of("im"), NULL, ERR));
    }
}

static void gets(gs_store *store, const char *uri, const struct day *day)
{
    struct transfer transfer = { .day = day };
    check_context("a get whose monitor %s", day->name);
    day->before();
    OK(gs_get(store, uri, write_some, &transfer, NULL, ERR));
    day->after();
    CHECK_BYTES(data, LEN, transfer.sink.data, transfer.sink.len);
    sink_free(&transfer.sink);
}

static void transfers(void)
{
    gs_registry *reg = rbd_registry(NULL);
    gs_store    *store = default_store(reg);
    const char  *uri = add_bytes(store, "there", data, LEN);
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        if (days[i].after == nothing)
            adds(store, &days[i]);
        gets(store, uri, &days[i]);
    }
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR("", objects());
    gs_registry_free(reg);
}

/* ---- Connecting -------------------------------------------------------------------------- */

static void connecting(void)
{
    gs_registry *reg = rbd_registry("rados_connect_timeout", "1", NULL);
    gs_store    *store = default_store(reg);
    check_context("a store whose monitor is not there");
    end();
    FAILS(GS_UNAVAILABLE, add(store, "im", data, LEN, true));
    FAILS(GS_UNAVAILABLE, add(store, "im", data, LEN, true));
    check_context("when it is there again");
    start_again();
    gs_status status = GS_UNAVAILABLE;
    while (status == GS_UNAVAILABLE)
        status = RETURNS(add(store, "im", data, LEN, true));
    CHECK(status == GS_OK);
    check_image(store, uri_of("im"), data, LEN);
    OK(gs_delete(store, uri_of("im"), NULL, ERR));
    CHECK_STR("", objects());
    gs_registry_free(reg);
}

int main(void)
{
    data = new_data(LEN, RANDOM_DATA);
    connecting();
    transfers();
    free(data);
    return check_result();
}
