/* How stores connect: one connection for all calls, and of several clusters the right one. */
#include "cluster.h"

#include <stdlib.h>
#include <unistd.h>

/* Calls that give up leave one thread that connects, not one each, and no descriptors. */
static void impatient_calls(void)
{
    int          fd;
    gs_registry *reg = rbd_registry("rbd_store_ceph_conf", silent_conf(&fd), NULL);
    gs_opts      opts = GS_OPTS_INIT;
    uint64_t     size;
    opts.timeout_ms = 5;
    check_context("calls of a cluster that is silent");
    FAILS(GS_TIMEOUT, gs_get_size(default_store(reg), uri_of("im"), &opts, &size, ERR));
    unsigned threads = entries_of("/proc/self/task"), fds = entries_of("/proc/self/fd");
    for (int i = 0; i < 60; i++)
        GIVES(GS_TIMEOUT, gs_get_size(default_store(reg), uri_of("im"), &opts, &size, ERR));
    CHECK(entries_of("/proc/self/task") < threads + 30);
    CHECK(entries_of("/proc/self/fd") < fds + 30);
    /* Whoever connects is waited for no longer than a moment. */
    gs_registry_free(reg);
    close(fd);
}

static void *measure(void *store)
{
    uint64_t size;
    FAILS(GS_UNAVAILABLE, gs_get_size(store, uri_of("im"), NULL, &size, ERR));
    return NULL;
}

/* All that wait while one of them connects are told of its end: nobody stays behind. */
static void waiting_calls(void)
{
    enum { CALLS = 6 };
    int          fd;
    pthread_t    threads[CALLS];
    gs_registry *reg = rbd_registry("rbd_store_ceph_conf", silent_conf(&fd), "rados_connect_timeout", "1", NULL);
    check_context("calls that wait for one connection");
    for (int i = 0; i < CALLS; i++)
        threads[i] = start(measure, default_store(reg));
    for (int i = 0; i < CALLS; i++)
        join(threads[i]);
    gs_registry_free(reg);
    close(fd);
}

/* A location belongs to the store of its cluster, whichever comes first, and whether it was used yet or not. */
static void two_clusters(void)
{
    const char  *elsewhere = conf_with("elsewhere", "s/^fsid = .*/fsid = 11111111-2222-3333-4444-555555555555/");
    const char  *silent = conf_with("unnamed", "/^fsid/d");
    const char  *foreign = "rbd://11111111-2222-3333-4444-555555555555/images/im/snap";
    for (int i = 0; i < 4; i++) {
        bool         own_is_first = i % 2, tells = i < 2;
        gs_registry *reg = registry_of(SETTINGS({ NULL, "enabled_backends", own_is_first ? "own:rbd, other:rbd" : "other:rbd, own:rbd" },
                                                { "glance_store", "default_backend", "own" },
                                                { "other", "rbd_store_ceph_conf", tells ? elsewhere : silent },
                                                { "other", "rbd_store_user", "nobody" },
                                                { "own", "rbd_store_ceph_conf", ceph("CEPH_GLANCE_CONF") },
                                                { "own", "rbd_store_user", ceph("CEPH_USER") }));
        gs_store *store = NULL;
        check_context("two stores, of which the other %s and comes %s", tells ? "is in another cluster" : "does not tell its cluster",
                      own_is_first ? "second" : "first");
        OK(gs_registry_resolve(reg, uri_of("im"), &store, ERR));
        CHECK(store == gs_registry_get(reg, "own"));
        OK(gs_registry_resolve(reg, foreign, &store, ERR));
        CHECK(store == gs_registry_get(reg, "other"));
        gs_registry_free(reg);
    }
}

/* ---- A client that the cluster locks out -------------------------------------------- */

enum { LEN = 8 * MiB };

/* The address of who writes the image. */
static const char *writer_of(const char *id)
{
    return output("glance status images/%s --format json | sed 's/.*\"address\":\"\\([^\"]*\\)\".*/\\1/' | tr -d '\\n'", id);
}

static void lock_out(const char *address)
{
    MUST(succeeds("timeout 60 ceph --conf %s osd blocklist add %s 600", ceph("CEPH_ADMIN_CONF"), address));
}

static int64_t read_and_lose(void *user, uint8_t *buf, size_t len)
{
    struct source *source = user;
    if (source->at == LEN / 2)
        lock_out(writer_of("lost"));
    return source_read(source, buf, len);
}

/* Nothing of what it was doing stays, and it connects anew. */
static void locked_out(void)
{
    uint8_t      *data = new_data(LEN, RANDOM_DATA);
    gs_registry  *reg = rbd_registry(NULL);
    gs_store     *store = default_store(reg);
    struct source source = { .data = data, .len = LEN, .piece = MiB };
    gs_image     *image = NULL;
    const char   *uri = add_bytes(store, "kept", data, LEN), *before = objects();
    check_context("a client that is locked out in an add");
    GIVES(GS_UNAVAILABLE, gs_add(store, "lost", LEN, read_and_lose, &source, NULL, &image, ERR));
    CHECK(image == NULL);
    gs_image_free(image);
    CHECK_STR(before, objects());
    check_image(store, uri, data, LEN);
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR("", objects());
    gs_registry_free(reg);
    free(data);
}

int main(void)
{
    /* What librbd never ends it never frees, as sanitizers would tell. */
    if (!small_run())
        locked_out();
    two_clusters();
    waiting_calls();
    impatient_calls();
    return check_result();
}
