/* A triggered token ends calls that wait for somebody else: a source that never
 * delivers, a target that nobody reads. Triggered before the call, by another
 * thread, by a signal handler, by a callback; for good; and nothing remains. */
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char  *dir, *uri;
static gs_store    *store;
static size_t       image_len;
static gs_cancel   *token;

static gs_opts cancellable(void)
{
    gs_opts opts = GS_OPTS_INIT;
    token = gs_cancel_new();
    MUST(token != NULL);
    opts.cancel = token;
    return opts;
}

/* ---- Before the call ----------------------------------------------------- */

static void before_the_call(void)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    struct sink   sink = { 0 };
    gs_opts       opts = cancellable();
    gs_image     *image = NULL;
    gs_reader    *reader = NULL;
    uint64_t      size = 4711;
    int           ends[2];
    const char   *before = listing(dir);
    MUST(pipe(ends) == 0);
    check_context("triggered before the call");
    gs_cancel_trigger(token);
    /* For good: every later call, and triggering again changes nothing. */
    for (int i = 0; i < 2; i++) {
        FAILS(GS_CANCELLED, gs_add(store, "new", 3, source_read, &source, &opts, &image, ERR));
        FAILS(GS_CANCELLED, gs_add_fd(store, "new", 3, ends[0], &opts, &image, ERR));
        FAILS(GS_CANCELLED, gs_copy(store, "new", store, uri, &opts, &image, ERR));
        FAILS(GS_CANCELLED, gs_get(store, uri, sink_write, &sink, &opts, ERR));
        FAILS(GS_CANCELLED, gs_get_fd(store, uri, ends[1], &opts, ERR));
        FAILS(GS_CANCELLED, gs_examine(store, uri, &opts, &image, ERR));
        FAILS(GS_CANCELLED, gs_get_size(store, uri, &opts, &size, ERR));
        FAILS(GS_CANCELLED, gs_delete(store, uri, &opts, ERR));
        FAILS(GS_CANCELLED, gs_reader_open(store, uri, &opts, &reader, ERR));
        gs_cancel_trigger(token);
    }
    CHECK_INT(0, source.calls);
    CHECK_INT(0, sink.calls);
    CHECK_SIZE(4711, size);
    CHECK(image == NULL && reader == NULL);
    CHECK_STR(before, listing(dir));
    gs_cancel_free(token);
    close(ends[0]);
    close(ends[1]);
}

/* ---- In the middle of a call --------------------------------------------- */

/* Writes more than a pipe or a socket holds, so that its return proves the
 * library to be at work, then never again; then triggers. */
struct silence {
    pthread_t thread, target;
    int       fd;
    bool      by_signal;
};

static void trigger(struct silence *silence)
{
    if (silence->by_signal)
        MUST(pthread_kill(silence->target, SIGUSR1) == 0);
    else
        gs_cancel_trigger(token);
}

static void *deliver_some(void *user)
{
    struct silence *silence = user;
    static uint8_t  piece[MiB];
    for (size_t done = 0; done < sizeof piece;) {
        ssize_t count = write(silence->fd, piece + done, sizeof piece - done);
        MUST(count > 0);
        done += (size_t)count;
    }
    trigger(silence);
    return NULL;
}

/* One byte out of the pipe proves that the library has begun to fill it. */
static void *take_one_byte(void *user)
{
    struct silence *silence = user;
    uint8_t         byte;
    MUST(read(silence->fd, &byte, 1) == 1);
    trigger(silence);
    return NULL;
}

static void open_ends(bool socket, int ends[2])
{
    if (socket)
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    else
        MUST(pipe(ends) == 0);
}

static void silent_source(bool socket, bool by_signal, uint64_t size)
{
    struct silence silence = { .target = pthread_self(), .by_signal = by_signal };
    gs_opts        opts = cancellable();
    gs_image      *image = NULL;
    const char    *before = listing(dir);
    int            ends[2];
    check_context("a silent %s, triggered by %s", socket ? "socket" : "pipe", by_signal ? "a signal handler" : "a thread");
    open_ends(socket, ends);
    silence.fd = ends[1];
    silence.thread = start(deliver_some, &silence);
    FAILS(GS_CANCELLED, gs_add_fd(store, "new", size, ends[0], &opts, &image, ERR));
    join(silence.thread);
    CHECK(image == NULL);
    CHECK_STR(before, listing(dir));
    gs_cancel_free(token);
    close(ends[0]);
    close(ends[1]);
}

static void deaf_target(bool socket, bool by_signal)
{
    struct silence silence = { .target = pthread_self(), .by_signal = by_signal };
    gs_opts        opts = cancellable();
    int            ends[2];
    check_context("a %s that nobody reads, triggered by %s", socket ? "socket" : "pipe", by_signal ? "a signal handler" : "a thread");
    open_ends(socket, ends);
    silence.fd = ends[0];
    silence.thread = start(take_one_byte, &silence);
    int flags = fcntl(ends[1], F_GETFL);
    FAILS(GS_CANCELLED, gs_get_fd(store, uri, ends[1], &opts, ERR));
    CHECK_INT(flags, fcntl(ends[1], F_GETFL));
    join(silence.thread);
    gs_cancel_free(token);
    close(ends[0]);
    close(ends[1]);
}

static void on_signal(int number)
{
    int saved = errno;
    (void)number;
    gs_cancel_trigger(token);
    errno = saved;
}

static void handle_signal(int flags)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };
    MUST(sigaction(SIGUSR1, &action, NULL) == 0);
}

/* ---- By a callback ------------------------------------------------------- */

static int64_t read_and_trigger(void *user, uint8_t *buf, size_t len)
{
    struct source *source = user;
    if (source->calls == 1)
        gs_cancel_trigger(token);
    return source_read(source, buf, len);
}

static int write_and_trigger(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    struct sink *sink = user;
    gs_cancel_trigger(token);
    return sink_write(sink, data, len, offset);
}

static int verify_and_trigger(void *user, const uint8_t *data, size_t len)
{
    (void)user, (void)data, (void)len;
    gs_cancel_trigger(token);
    return 0;
}

static void by_callback(const uint8_t *data)
{
    struct source source = { .data = data, .len = image_len, .piece = image_len / 3 };
    struct sink   sink = { 0 };
    gs_image     *image = NULL;
    const char   *before = listing(dir);
    check_context("triggered by a callback");
    gs_opts opts = cancellable();
    FAILS(GS_CANCELLED, gs_add(store, "new", image_len, read_and_trigger, &source, &opts, &image, ERR));
    gs_cancel_free(token);

    opts = cancellable();
    FAILS(GS_CANCELLED, gs_get(store, uri, write_and_trigger, &sink, &opts, ERR));
    CHECK(sink.len < image_len);
    gs_cancel_free(token);

    opts = cancellable();
    opts.verify = verify_and_trigger;
    source = (struct source){ .data = data, .len = image_len };
    FAILS(GS_CANCELLED, gs_add(store, "new", image_len, source_read, &source, &opts, &image, ERR));
    gs_cancel_free(token);

    opts = cancellable();
    opts.verify = verify_and_trigger;
    FAILS(GS_CANCELLED, gs_copy(store, "new", store, uri, &opts, &image, ERR));
    gs_cancel_free(token);

    opts = cancellable();
    opts.verify = verify_and_trigger;
    FAILS(GS_CANCELLED, gs_examine(store, uri, &opts, &image, ERR));
    gs_cancel_free(token);

    CHECK(image == NULL);
    CHECK_STR(before, listing(dir));
    sink_free(&sink);
}

/* ---- One token for many calls -------------------------------------------- */

static void *add_from_silence(void *user)
{
    gs_opts   opts = GS_OPTS_INIT;
    gs_image *image = NULL;
    int      *fd = user;
    opts.cancel = token;
    FAILS(GS_CANCELLED, gs_add_fd(store, text("id-%d", *fd), GS_SIZE_UNKNOWN, *fd, &opts, &image, ERR));
    CHECK(image == NULL);
    return NULL;
}

static void many_calls(void)
{
    enum { CALLS = 8 };
    pthread_t   threads[CALLS];
    int         ends[CALLS][2];
    const char *before = listing(dir);
    check_context("one token for many calls");
    (void)cancellable();
    for (int i = 0; i < CALLS; i++) {
        MUST(pipe(ends[i]) == 0);
        threads[i] = start(add_from_silence, &ends[i][0]);
    }
    struct silence last = { .fd = ends[CALLS - 1][1] };
    deliver_some(&last);
    for (int i = 0; i < CALLS; i++) {
        join(threads[i]);
        close(ends[i][0]);
        close(ends[i][1]);
    }
    CHECK_STR(before, listing(dir));
    gs_cancel_free(token);
}

/* A token that nobody triggers changes nothing, and serves call after call. */
static void not_triggered(const uint8_t *data)
{
    gs_opts opts = cancellable();
    check_context("not triggered");
    for (int i = 0; i < 3; i++) {
        struct source source = { .data = data, .len = image_len };
        struct sink   sink = { 0 };
        gs_image     *image = NULL;
        OK(gs_add(store, "new", image_len, source_read, &source, &opts, &image, ERR));
        OK(gs_get(store, text("file://%s/new", dir), sink_write, &sink, &opts, ERR));
        CHECK_BYTES(data, image_len, sink.data, sink.len);
        OK(gs_delete(store, text("file://%s/new", dir), &opts, ERR));
        gs_image_free(image);
        sink_free(&sink);
    }
    gs_cancel_free(token);
}

int main(void)
{
    image_len = small_run() ? 4 * MiB : 16 * MiB;
    uint8_t *data = new_data(image_len, RANDOM_DATA);
    dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    uri = add_bytes(store, "image", data, image_len);

    before_the_call();
    for (int socket = 0; socket < 2; socket++) {
        silent_source(socket, false, GS_SIZE_UNKNOWN);
        silent_source(socket, false, 100 * MiB);
        deaf_target(socket, false);
        for (int restart = 0; restart < 2; restart++) {
            handle_signal(restart ? SA_RESTART : 0);
            silent_source(socket, true, GS_SIZE_UNKNOWN);
            deaf_target(socket, true);
        }
    }
    by_callback(data);
    many_calls();
    not_triggered(data);

    check_image(store, uri, data, image_len);
    free(data);
    gs_registry_free(reg);
    return check_result();
}
