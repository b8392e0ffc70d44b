/* What a callback may answer: too much, every -errno, a stop at the first, a
 * middle or the last call. All callbacks run on the calling thread, none hears
 * of the call again after it failed, and nothing remains of the image. */
#include "testing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *dir;
static gs_store   *store;

/* ---- Reading ------------------------------------------------------------- */

/* Good for `good` calls of one page, then answers `answer` for ever. */
struct bad_source {
    pthread_t caller;
    unsigned  good, calls, after;
    int64_t   answer;
    bool      too_much;
};

static int64_t bad_read(void *user, uint8_t *buf, size_t len)
{
    struct bad_source *source = user;
    CHECK(pthread_equal(source->caller, pthread_self()));
    CHECK(len > 0);
    if (source->calls++ < source->good) {
        size_t count = len < 4096 ? len : 4096;
        memset(buf, (int)source->calls, count);
        return (int64_t)count;
    }
    source->after++;
    return source->too_much ? (int64_t)len + source->answer : source->answer;
}

static void read_answers(void)
{
    static const struct { const char *name; int64_t answer; bool too_much; int errnum; } answers[] = {
        { "one byte too much", 1, true, -1 },
        { "a page too much", 4096, true, -1 },
        { "INT64_MAX", INT64_MAX, false, -1 },
        { "-EIO", -EIO, false, EIO },
        { "-ENOSPC", -ENOSPC, false, ENOSPC },
        { "-EACCES", -EACCES, false, EACCES },
        { "-EINTR", -EINTR, false, EINTR },
        { "-EAGAIN", -EAGAIN, false, EAGAIN },
        { "-1", -1, false, 1 },
        { "INT64_MIN", INT64_MIN, false, -1 },
        { "INT32_MIN", INT32_MIN, false, -1 },
        { "-5000000000", -5000000000, false, -1 },
    };
    static const unsigned good[] = { 0, 1, 1000 };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        for (size_t j = 0; j < (small_run() ? 2 : 3); j++) {
            struct bad_source source = {
                .caller = pthread_self(), .good = good[j], .answer = answers[i].answer, .too_much = answers[i].too_much,
            };
            gs_image   *image = NULL;
            const char *before = listing(dir);
            check_context("read answers %s after %u good calls", answers[i].name, good[j]);
            if (FAILS(GS_CALLBACK, gs_add(store, "new", GS_SIZE_UNKNOWN, bad_read, &source, NULL, &image, ERR))) {
                CHECK_HAS("read", failure.message);
                if (answers[i].errnum >= 0)
                    CHECK_INT(answers[i].errnum, failure.errnum);
                CHECK(failure.errnum >= 0);
            }
            CHECK_INT(1, source.after);
            CHECK(image == NULL);
            CHECK_STR(before, listing(dir));
        }
}

/* After the end (0) nobody asks again, and `len` is never 0. */
static int64_t read_once(void *user, uint8_t *buf, size_t len)
{
    unsigned *calls = user;
    CHECK(len > 0);
    CHECK(*calls < 2);
    *buf = 'x';
    return (*calls)++ == 0;
}

static void end_of_source(void)
{
    check_context("the end of the source");
    for (int known = 0; known < 2; known++) {
        unsigned      calls = 0;
        gs_image     *image = NULL;
        gs_image_info info = GS_IMAGE_INFO_INIT;
        OK(gs_add(store, "new", known ? 1 : GS_SIZE_UNKNOWN, read_once, &calls, NULL, &image, ERR));
        gs_image_get_info(image, &info);
        check_image(store, info.uri, "x", 1);
        OK(gs_delete(store, info.uri, NULL, ERR));
        gs_image_free(image);
    }
}

/* ---- Writing ------------------------------------------------------------- */

struct bad_sink {
    pthread_t caller;
    uint64_t  len, fail_at; /* fails in the call that brings byte fail_at */
    int       answer;
    unsigned  after;
};

static int bad_write(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    struct bad_sink *sink = user;
    CHECK(pthread_equal(sink->caller, pthread_self()));
    CHECK(data != NULL);
    CHECK_SIZE(sink->len, offset);
    sink->len += len;
    if (sink->len <= sink->fail_at)
        return 0;
    sink->after++;
    return sink->answer;
}

static void write_answers(const char *uri, size_t len)
{
    static const struct { const char *name; int answer, errnum; } answers[] = {
        { "-EIO", -EIO, EIO }, { "-ENOSPC", -ENOSPC, ENOSPC }, { "-EINTR", -EINTR, EINTR },
        { "-EPIPE", -EPIPE, EPIPE }, { "1", 1, -1 }, { "INT32_MIN", INT32_MIN, -1 }, { "INT32_MAX", INT32_MAX, -1 },
    };
    const uint64_t places[] = { 0, len / 2, len - 1 };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        for (size_t j = 0; j < 3; j++) {
            struct bad_sink sink = { .caller = pthread_self(), .fail_at = places[j], .answer = answers[i].answer };
            check_context("write answers %s at byte %llu", answers[i].name, (unsigned long long)places[j]);
            if (FAILS(GS_CALLBACK, gs_get(store, uri, bad_write, &sink, NULL, ERR))) {
                CHECK_HAS("write", failure.message);
                if (answers[i].errnum >= 0)
                    CHECK_INT(answers[i].errnum, failure.errnum);
                CHECK(failure.errnum >= 0);
            }
            CHECK_INT(1, sink.after);
        }
}

/* ---- Verifying ----------------------------------------------------------- */

struct verifier {
    pthread_t      caller;
    const uint8_t *data;
    uint64_t       len, seen, reject_at;
    unsigned       after;
};

static int verify(void *user, const uint8_t *data, size_t len)
{
    struct verifier *verifier = user;
    CHECK(pthread_equal(verifier->caller, pthread_self()));
    CHECK(!exists(text("%s/new", dir)));
    CHECK_INT(0, verifier->after);
    if (verifier->seen + len > verifier->len || memcmp(verifier->data + verifier->seen, data, len) != 0)
        CHECK(!"verify sees the bytes in order");
    verifier->seen += len;
    verifier->after += verifier->seen > verifier->reject_at;
    return verifier->after ? 1 : 0;
}

static void verify_accepts(const uint8_t *data, size_t len, size_t piece, uint32_t flags)
{
    struct source   source = { .data = data, .len = len, .piece = piece };
    struct verifier verifier = { .caller = pthread_self(), .data = data, .len = len, .reject_at = UINT64_MAX };
    gs_opts         opts = GS_OPTS_INIT;
    gs_image       *image = NULL;
    gs_image_info   info = GS_IMAGE_INFO_INIT;
    check_context("verify of %zu bytes in pieces of %zu, flags %u", len, piece, flags);
    opts.verify = verify;
    opts.verify_user = &verifier;
    opts.flags = flags;
    if (!OK(gs_add(store, "new", len, source_read, &source, &opts, &image, ERR)))
        return;
    CHECK_SIZE(len, verifier.seen);
    gs_image_get_info(image, &info);

    gs_image *copied = NULL;
    verifier.seen = 0;
    opts.flags = 0;
    OK(gs_delete(store, info.uri, NULL, ERR));
    const char *other = add_bytes(store, "other", data, len);
    OK(gs_copy(store, "new", store, other, &opts, &copied, ERR));
    CHECK_SIZE(len, verifier.seen);
    OK(gs_delete(store, info.uri, NULL, ERR));
    OK(gs_delete(store, other, NULL, ERR));
    gs_image_free(copied);
    gs_image_free(image);
}

static void verify_rejects(const uint8_t *data, size_t len)
{
    const uint64_t places[] = { 0, len / 2, len - 1 };
    for (size_t i = 0; i < 3; i++) {
        struct source   source = { .data = data, .len = len };
        struct verifier verifier = { .caller = pthread_self(), .data = data, .len = len, .reject_at = places[i] };
        gs_opts         opts = GS_OPTS_INIT;
        gs_image       *image = NULL;
        const char     *before = listing(dir);
        check_context("verify rejects byte %llu", (unsigned long long)places[i]);
        opts.verify = verify;
        opts.verify_user = &verifier;
        FAILS(GS_VERIFY_FAILED, gs_add(store, "new", len, source_read, &source, &opts, &image, ERR));
        CHECK_HAS("verify", failure.message);
        CHECK(image == NULL);
        CHECK_STR(before, listing(dir));
    }
}

/* ---- Progress ------------------------------------------------------------ */

struct progress {
    pthread_t caller;
    unsigned  calls, stop_at, after;
    uint64_t  done, total;
};

static int progress(void *user, uint64_t done, uint64_t total)
{
    struct progress *progress = user;
    CHECK(pthread_equal(progress->caller, pthread_self()));
    CHECK(done >= progress->done);
    CHECK_INT(0, progress->after);
    progress->done = done;
    progress->total = total;
    progress->calls++;
    if (progress->stop_at && progress->calls >= progress->stop_at)
        progress->after++;
    return (int)progress->after;
}

static gs_opts watched(struct progress *state, unsigned stop_at)
{
    gs_opts opts = GS_OPTS_INIT;
    *state = (struct progress){ .caller = pthread_self(), .stop_at = stop_at };
    opts.progress = progress;
    opts.progress_user = state;
    return opts;
}

static double now(void)
{
    struct timespec time;
    MUST(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void progress_tells(const uint8_t *data, size_t len)
{
    struct progress state;
    gs_opts         opts = watched(&state, 0);
    gs_image       *image = NULL;
    double          began = now();
    struct source   source = { .data = data, .len = len, .piece = len / 5000 + 1 };
    check_context("progress of gs_add");
    MUST(OK(gs_add(store, "new", len, source_read, &source, &opts, &image, ERR)));
    CHECK(state.calls >= 1);
    CHECK((double)state.calls <= 3 + 20 * (now() - began));
    CHECK_SIZE(len, state.done);
    CHECK_SIZE(len, state.total);
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_image_get_info(image, &info);

    check_context("progress of gs_get");
    struct sink sink = { 0 };
    opts = watched(&state, 0);
    OK(gs_get(store, info.uri, sink_write, &sink, &opts, ERR));
    CHECK_SIZE(len, state.done);
    CHECK_SIZE(len, state.total);
    sink_free(&sink);

    check_context("progress of gs_get of a part");
    sink = (struct sink){ .first = 10 };
    opts = watched(&state, 0);
    opts.offset = 10;
    opts.length = 100;
    OK(gs_get(store, info.uri, sink_write, &sink, &opts, ERR));
    CHECK_SIZE(100, state.done);
    CHECK_SIZE(100, state.total);
    sink_free(&sink);

    check_context("progress of gs_copy");
    gs_image *copied = NULL;
    opts = watched(&state, 0);
    OK(gs_copy(store, "copy", store, info.uri, &opts, &copied, ERR));
    CHECK_SIZE(len, state.done);
    CHECK_SIZE(len, state.total);
    gs_image_free(copied);
    OK(gs_delete(store, text("file://%s/copy", dir), NULL, ERR));
    OK(gs_delete(store, info.uri, NULL, ERR));
    gs_image_free(image);
}

static void progress_stops(const char *uri, const uint8_t *data, size_t len)
{
    struct progress state;
    struct source   source = { .data = data, .len = len };
    struct sink     sink = { 0 };
    gs_image       *image = NULL;
    const char     *before = listing(dir);
    check_context("progress stops");
    gs_opts opts = watched(&state, 1);
    FAILS(GS_CANCELLED, gs_add(store, "new", len, source_read, &source, &opts, &image, ERR));
    CHECK_INT(1, state.calls);
    opts = watched(&state, 1);
    FAILS(GS_CANCELLED, gs_get(store, uri, sink_write, &sink, &opts, ERR));
    CHECK_INT(1, state.calls);
    opts = watched(&state, 1);
    FAILS(GS_CANCELLED, gs_copy(store, "new", store, uri, &opts, &image, ERR));
    CHECK_INT(1, state.calls);
    CHECK(image == NULL);
    CHECK_STR(before, listing(dir));
    sink_free(&sink);
}

int main(void)
{
    size_t   len = small_run() ? 300 * KiB : 5 * MiB + 3;
    uint8_t *data = new_data(len, RANDOM_DATA);
    dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    const char *uri = add_bytes(store, "image", data, len);

    read_answers();
    end_of_source();
    write_answers(uri, len);
    verify_accepts(data, 0, 0, 0);
    verify_accepts(data, 1, 0, 0);
    verify_accepts(data, len, 0, 0);
    verify_accepts(data, len / 10, 101, 0);
    verify_accepts(data, len, 0, GS_NO_CHECKSUM);
    verify_rejects(data, len);
    progress_tells(data, len);
    progress_stops(uri, data, len);

    free(data);
    gs_registry_free(reg);
    return check_result();
}
