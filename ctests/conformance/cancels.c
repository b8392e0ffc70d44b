/* A cancel ends a call in whatever phase it is, and nothing of an add remains. */
#include "backend.h"

#include <stdlib.h>

static gs_cancel  *token;
static const char *before;
static uint8_t    *data;
static size_t      len, cancels_at;

static gs_opts cancellable(void)
{
    gs_opts opts = GS_OPTS_INIT;
    token = gs_cancel_new();
    MUST(token != NULL);
    opts.cancel = token;
    return opts;
}

static int64_t read_and_cancel(void *user, uint8_t *buf, size_t wanted)
{
    struct source *source = user;
    int64_t        count = source_read(source, buf, wanted);
    if (source->at >= cancels_at)
        gs_cancel_trigger(token);
    return count;
}

static int write_and_cancel(void *user, const uint8_t *piece, size_t piece_len, uint64_t offset)
{
    if (offset + piece_len >= cancels_at)
        gs_cancel_trigger(token);
    return sink_write(user, piece, piece_len, offset);
}

static int stop_at_once(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return 1;
}

static void cancelled_adds(void)
{
    const size_t places[] = { 0, 1, unit - 1, unit, unit + 1, 2 * unit, len };
    for (size_t i = 0; i < sizeof places / sizeof *places; i += small_run() ? 2 : 1)
        for (int known = 0; known < 2; known++) {
            struct source source = { .data = data, .len = len, .piece = 1 + unit / 3 };
            gs_image     *image = NULL;
            gs_opts       opts = cancellable();
            cancels_at = places[i];
            check_context("an add cancelled after %zu bytes, %s", cancels_at, known ? "announced" : "not announced");
            FAILS(GS_CANCELLED, gs_add(store, new_id(), known ? len : GS_SIZE_UNKNOWN, read_and_cancel, &source, &opts, &image, ERR));
            CHECK(image == NULL);
            CHECK_STR(before, holdings());
            gs_cancel_free(token);
        }
}

static void stopped_by_progress(void)
{
    struct source source = { .data = data, .len = len };
    gs_image     *image = NULL;
    gs_opts       opts = GS_OPTS_INIT;
    check_context("an add that its progress callback stops");
    opts.progress = stop_at_once;
    FAILS(GS_CANCELLED, gs_add(store, new_id(), len, source_read, &source, &opts, &image, ERR));
    CHECK(image == NULL);
    CHECK_STR(before, holdings());
}

static void cancelled_reads(void)
{
    const char *uri = add_bytes(store, new_id(), data, len);
    gs_opts     opts = cancellable();
    struct sink sink = { 0 };
    gs_image   *image = NULL;
    uint64_t    size = 4711;
    check_context("a get cancelled by its target");
    cancels_at = 1;
    FAILS(GS_CANCELLED, gs_get(store, uri, write_and_cancel, &sink, &opts, ERR));
    sink_free(&sink);

    check_context("cancelled before the call");
    FAILS(GS_CANCELLED, gs_get_size(store, uri, &opts, &size, ERR));
    FAILS(GS_CANCELLED, gs_examine(store, uri, &opts, &image, ERR));
    FAILS(GS_CANCELLED, gs_copy(store, new_id(), store, uri, &opts, &image, ERR));
    FAILS(GS_CANCELLED, gs_delete(store, uri, &opts, ERR));
    gs_cancel_free(token);
    CHECK_SIZE(4711, size);

    check_context("after the cancelled calls");
    check_image(store, uri, data, len);
    remove_image(uri, before);
}

void check_cancels(void)
{
    before = holdings();
    len = 3 * unit + 1;
    data = new_data(len, RANDOM_DATA);
    cancelled_adds();
    stopped_by_progress();
    cancelled_reads();
    free(data);
}
