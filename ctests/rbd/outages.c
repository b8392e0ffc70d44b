/* Bad days: wrong configurations, clusters that do not answer or are full, daemons that stop and go on. */
#include "cluster.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t *data;
enum { LEN = 24 * MiB + 11 };

/* Every call of a store gives that status, and a message with the words. */
static void check_all_fail(gs_registry *reg, gs_status adding, gs_status others, const char *words)
{
    gs_store   *store = default_store(reg);
    struct sink sink = { 0 };
    gs_reader  *reader = NULL;
    uint64_t    size;
    GIVES(adding, add(store, "im", data, 1000, true));
    CHECK_HAS(words, failure.message);
    GIVES(others, gs_get_size(store, uri_of("im"), NULL, &size, ERR));
    CHECK_HAS(words, failure.message);
    GIVES(others, gs_get(store, uri_of("im"), sink_write, &sink, NULL, ERR));
    CHECK_HAS(words, failure.message);
    GIVES(others, gs_reader_open(store, uri_of("im"), NULL, &reader, ERR));
    CHECK_HAS(words, failure.message);
    GIVES(others, gs_delete(store, uri_of("im"), NULL, ERR));
    CHECK_HAS(words, failure.message);
    CHECK_INT(0, sink.calls);
    gs_registry_free(reg);
}

/* ---- Configurations -------------------------------------------------------------- */

static void configurations(void)
{
    const char *missing = text("%s/missing.conf", ceph("CEPH_DIR"));
    check_context("no ceph.conf");
    check_all_fail(rbd_registry("rbd_store_ceph_conf", missing, NULL), GS_BAD_CONFIG, GS_BAD_CONFIG, missing);
    CHECK_INT(ENOENT, failure.errnum);

    check_context("a pool that is not there");
    check_all_fail(rbd_registry("rbd_store_pool", "nowhere", NULL), GS_BAD_CONFIG, GS_NOT_FOUND, "");

    check_context("no monitors");
    check_all_fail(rbd_registry("rbd_store_ceph_conf", conf_with("nobody", "/^mon host/d"), NULL), GS_BAD_CONFIG, GS_BAD_CONFIG, "mon_host");

    check_context("a key that is another's");
    MUST(succeeds("sed 's/client.cinder/client.glance/' %s/client.cinder.keyring >%s/wrong.keyring", ceph("CEPH_DIR"), ceph("CEPH_DIR")));
    check_all_fail(rbd_registry("rbd_store_ceph_conf", conf_with("wrong", "s/client.glance.keyring/wrong.keyring/"), NULL),
                   GS_NOT_AUTHENTICATED, GS_NOT_AUTHENTICATED, "client.glance");

    check_context("a user without a keyring");
    check_all_fail(rbd_registry("rbd_store_user", "nobody", NULL), GS_NOT_AUTHENTICATED, GS_NOT_AUTHENTICATED, "client.nobody");

    check_context("a user who may only read");
    gs_registry *reg = rbd_registry("rbd_store_user", "cinder", "rbd_store_ceph_conf", ceph("CEPH_CINDER_CONF"), NULL);
    FAILS(GS_WRITE_DENIED, add(default_store(reg), "im", data, 1000, true));
    gs_registry_free(reg);

    check_context("chunks that no object can hold");
    CHECK_STR("GS_BAD_CONFIG", status_name(try_open(SETTINGS({ "glance_store", "stores", "rbd" }, { "glance_store", "default_store", "rbd" },
                                                             { "glance_store", "rbd_store_chunk_size", "64" }))));
    CHECK_HAS("rbd_store_chunk_size", failure.message);
}

/* ---- Monitors that do not answer ---------------------------------------------------- */

static void silent_monitors(void)
{
    int         fd;
    const char *conf = silent_conf(&fd);
    uint64_t    size;

    check_context("a monitor that is silent, with a timeout of the store");
    check_all_fail(rbd_registry("rbd_store_ceph_conf", conf, "rados_connect_timeout", "1", NULL),
                   GS_UNAVAILABLE, GS_UNAVAILABLE, "rados_connect_timeout");
    CHECK(failure.retryable);

    check_context("a monitor that is silent, with a deadline of the call");
    gs_registry *reg = rbd_registry("rbd_store_ceph_conf", conf, "rados_connect_timeout", "5", NULL);
    gs_opts      opts = GS_OPTS_INIT;
    opts.timeout_ms = 300;
    FAILS(GS_TIMEOUT, gs_get_size(default_store(reg), uri_of("im"), &opts, &size, ERR));
    gs_registry_free(reg);

    close(fd);
    check_context("no monitor at all");
    check_all_fail(rbd_registry("rbd_store_ceph_conf", conf, "rados_connect_timeout", "1", NULL),
                   GS_UNAVAILABLE, GS_UNAVAILABLE, "");
}

/* ---- An OSD that stops ------------------------------------------------------------------ */

static pid_t osd(void)
{
    return (pid_t)atol(output("cat %s/osd.0.pid", ceph("CEPH_DIR")));
}

struct halting {
    struct source source;
    size_t        at;       /* the OSD is halted when so much was read or written */
    bool          halted;
    gs_cancel    *cancel;   /* triggered then, if given */
};

static void halt(struct halting *halting, size_t done)
{
    if (halting->halted || done < halting->at)
        return;
    halting->halted = true;
    MUST(kill(osd(), SIGSTOP) == 0);
    gs_cancel_trigger(halting->cancel);
}

static void *let_it_go_on(void *user)
{
    (void)user;
    /* Long enough for requests to wait for it; nothing depends on that. */
    usleep(300000);
    MUST(kill(osd(), SIGCONT) == 0);
    return NULL;
}

static int64_t read_and_halt(void *user, uint8_t *buf, size_t len)
{
    struct halting *halting = user;
    int64_t         count = source_read(&halting->source, buf, len);
    bool            was_halted = halting->halted;
    halt(halting, halting->source.at);
    if (!was_halted && halting->halted)
        pthread_detach(start(let_it_go_on, NULL));
    return count;
}

static void stalled_adds(gs_store *store)
{
    const size_t places[] = { 0, MiB, LEN };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (int stops = 0; stops < 3; stops++) {
            struct halting halting = { .source = { .data = data, .len = LEN }, .at = places[i] };
            gs_image      *image = NULL;
            gs_opts        opts = GS_OPTS_INIT;
            if (stops == 1)
                opts.cancel = halting.cancel = gs_cancel_new();
            opts.timeout_ms = stops == 2 ? 200 : 0;
            check_context("an OSD that stops for a while after %zu bytes of an add%s", places[i],
                          stops == 0 ? "" : stops == 1 ? " that is cancelled" : " with a deadline");
            gs_status status = RETURNS(gs_add(store, "im", GS_SIZE_UNKNOWN, read_and_halt, &halting, &opts, &image, ERR));
            CHECK(status == (stops == 0 ? GS_OK : stops == 1 ? GS_CANCELLED : GS_TIMEOUT));
            if (status == GS_OK) {
                check_image(store, uri_of("im"), data, LEN);
                OK(gs_delete(store, uri_of("im"), NULL, ERR));
            }
            CHECK_STR("", objects());
            gs_image_free(image);
            gs_cancel_free(halting.cancel);
        }
}

struct target { struct sink sink; struct halting halting; };

static int write_and_halt(void *user, const uint8_t *piece, size_t len, uint64_t offset)
{
    struct target *target = user;
    bool           was_halted = target->halting.halted;
    halt(&target->halting, target->sink.len + len);
    if (!was_halted && target->halting.halted)
        pthread_detach(start(let_it_go_on, NULL));
    return sink_write(&target->sink, piece, len, offset);
}

static void *cancel_it(void *user)
{
    gs_cancel_trigger(user);
    return NULL;
}

static void stalled_gets(gs_store *store)
{
    const char *uri = add_bytes(store, "im", data, LEN);
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        struct target target = { .halting = { .at = MiB } };
        gs_opts       opts = GS_OPTS_INIT;
        if (cancelled)
            opts.cancel = target.halting.cancel = gs_cancel_new();
        check_context("an OSD that stops for a while in a get%s", cancelled ? " that is cancelled" : "");
        GIVES(cancelled ? GS_CANCELLED : GS_OK, gs_get(store, uri, write_and_halt, &target, &opts, ERR));
        if (!cancelled)
            CHECK_BYTES(data, LEN, target.sink.data, target.sink.len);
        sink_free(&target.sink);
        gs_cancel_free(opts.cancel);
    }
    check_image(store, uri, data, LEN);

    check_context("a reader, while the OSD stops");
    gs_cancel *cancel = gs_cancel_new();
    gs_opts    opts = GS_OPTS_INIT;
    gs_reader *reader = NULL;
    uint8_t    byte;
    size_t     count;
    opts.cancel = cancel;
    OK(gs_reader_open(store, uri, &opts, &reader, ERR));
    MUST(kill(osd(), SIGSTOP) == 0);
    pthread_t cancels = start(cancel_it, cancel);
    FAILS(GS_CANCELLED, gs_reader_pread(reader, &byte, 1, 0, &count, ERR));
    join(cancels);
    MUST(kill(osd(), SIGCONT) == 0);
    gs_reader_free(reader);
    gs_cancel_free(cancel);
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR("", objects());
}

/* ---- Calls that end while it is stopped ---------------------------------------------------- */

static void *cancel_soon(void *user)
{
    /* Long enough for the call to wait; nothing depends on that. */
    usleep(200000);
    gs_cancel_trigger(user);
    return NULL;
}

static int write_and_stay(void *user, const uint8_t *piece, size_t len, uint64_t offset)
{
    struct target *target = user;
    halt(&target->halting, target->sink.len + len);
    return sink_write(&target->sink, piece, len, offset);
}

enum call { SIZE, READER, GET, GET_ON, DELETE, CALLS };

static gs_status run_call(enum call call, gs_store *store, const char *uri, const gs_opts *opts)
{
    struct target target = { .halting = { .at = 1 } };
    gs_reader    *reader = NULL;
    gs_status     status;
    uint64_t      size;
    switch (call) {
    case SIZE: return gs_get_size(store, uri, opts, &size, ERR);
    case READER: return gs_reader_open(store, uri, opts, &reader, ERR);
    case DELETE: return gs_delete(store, uri, opts, ERR);
    default:
        status = gs_get(store, uri, write_and_stay, &target, opts, ERR);
        CHECK(target.sink.len < LEN);
        sink_free(&target.sink);
        return status;
    }
}

/* It goes on only after they have come back. */
static void stopped_osd(gs_store *store)
{
    static const char *const names[] = { "a size", "an open", "a get", "a get that has begun", "a delete" };
    for (int i = 0; i < 2 * CALLS; i++) {
        enum call   call = (enum call)(i / 2);
        bool        is_cancelled = i % 2;
        pthread_t   cancels;
        gs_opts     opts = GS_OPTS_INIT;
        const char *uri = add_bytes(store, "im", data, LEN);
        check_context("%s %s while the OSD is stopped", names[call], is_cancelled ? "that is cancelled" : "with a deadline");
        if (call != GET_ON)
            MUST(kill(osd(), SIGSTOP) == 0);
        if (is_cancelled) {
            opts.cancel = gs_cancel_new();
            cancels = start(cancel_soon, opts.cancel);
        } else {
            opts.timeout_ms = 300;
        }
        GIVES(is_cancelled ? GS_CANCELLED : GS_TIMEOUT, run_call(call, store, uri, &opts));
        MUST(kill(osd(), SIGCONT) == 0);
        if (is_cancelled)
            join(cancels);
        gs_cancel_free(opts.cancel);
        gs_status status;
        if (call < DELETE)
            check_image(store, uri, data, LEN);
        while ((status = RETURNS(gs_delete(store, uri, NULL, ERR))) == GS_IN_USE)
            ;
        CHECK(status == GS_OK || (call == DELETE && status == GS_NOT_FOUND));
        for (int wait = 0; call == DELETE && wait < 300 && *objects(); wait++)
            usleep(100000); /* The delete that was given up may still be at them. */
        CHECK_STR("", objects());
    }
}

/* The OSD is ended and started again while an image is added: what was written is still there. */
static int64_t read_and_restart(void *user, uint8_t *buf, size_t len)
{
    struct halting *halting = user;
    if (!halting->halted && halting->source.at >= halting->at) {
        halting->halted = true;
        ceph_script("stop-osd");
        ceph_script("start-osd");
    }
    return source_read(&halting->source, buf, len);
}

static void restarted_osd(gs_store *store)
{
    struct halting halting = { .source = { .data = data, .len = LEN }, .at = LEN / 2 };
    gs_image      *image = NULL;
    check_context("an OSD that is started again in an add");
    OK(gs_add(store, "im", LEN, read_and_restart, &halting, NULL, &image, ERR));
    check_image(store, uri_of("im"), data, LEN);
    OK(gs_delete(store, uri_of("im"), NULL, ERR));
    CHECK_STR("", objects());
    gs_image_free(image);
}

/* ---- A full cluster --------------------------------------------------------------------- */

static void full_cluster(gs_store *store)
{
    const char *admin = text("timeout 60 ceph --conf %s", ceph("CEPH_ADMIN_CONF"));
    const char *uri = add_bytes(store, "there", data, LEN);
    MUST(succeeds("%s osd set-nearfull-ratio 0.0001; %s osd set-backfillfull-ratio 0.0002; %s osd set-full-ratio 0.0003", admin, admin, admin));
    /* A cluster that is nearly full says so first, and still takes everything. */
    MUST(succeeds("until %s osd dump | grep -Eq \"'images' .* flags ([a-z_]+,)*full[, ]\"; do :; done", admin));
    for (int known = 0; known < 2; known++) {
        check_context("a full cluster, size %s", known ? "known" : "unknown");
        FAILS(GS_STORAGE_FULL, add(store, "im", data, LEN, known));
    }
    check_context("an image of a full cluster");
    check_image(store, uri, data, LEN);
    OK(gs_delete(store, uri, NULL, ERR));
    MUST(succeeds("%s osd set-full-ratio 0.95; %s osd set-backfillfull-ratio 0.9; %s osd set-nearfull-ratio 0.85", admin, admin, admin));
    check_context("after the full cluster");
    CHECK_STR("", objects());
}

int main(void)
{
    data = new_data(LEN, RANDOM_DATA);
    configurations();
    silent_monitors();
    gs_registry *reg = rbd_registry(NULL);
    stalled_adds(default_store(reg));
    stalled_gets(default_store(reg));
    stopped_osd(default_store(reg));
    restarted_osd(default_store(reg));
    full_cluster(default_store(reg));
    gs_registry_free(reg);
    free(data);
    return check_result();
}
