/* Parts of an image, by ranges and at random, are the bytes of those places. */
#include "backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *uri;
static uint8_t    *data;
static size_t      len;

static size_t clipped(uint64_t offset, uint64_t length)
{
    uint64_t left = offset >= len ? 0 : len - offset;
    return (size_t)(length && length < left ? length : left);
}

static void check_range(uint64_t offset, uint64_t length)
{
    struct sink sink = { .first = offset };
    gs_opts     opts = GS_OPTS_INIT;
    opts.offset = offset;
    opts.length = length;
    check_context("offset %llu length %llu of %zu", (unsigned long long)offset, (unsigned long long)length, len);
    if (OK(gs_get(store, uri, sink_write, &sink, &opts, ERR)))
        CHECK_BYTES(data + (offset < len ? offset : 0), clipped(offset, length), sink.data, sink.len);
    sink_free(&sink);
}

static void check_pread(gs_reader *reader, uint64_t offset, size_t wanted)
{
    uint8_t *buf = malloc(wanted + 1);
    size_t   count = 4711;
    MUST(buf != NULL);
    check_context("pread of %zu at %llu of %zu", wanted, (unsigned long long)offset, len);
    if (OK(gs_reader_pread(reader, buf, wanted, offset, &count, ERR)))
        CHECK_BYTES(data + (offset < len ? offset : 0), wanted ? clipped(offset, wanted) : 0, buf, count);
    free(buf);
}

static void ranges(void)
{
    const uint64_t offsets[] = { 0, 1, unit - 1, unit, unit + 1, 2 * unit, len - 1, len, len + 1, UINT64_MAX };
    const uint64_t lengths[] = { 0, 1, unit, 2 * unit + 2, UINT64_MAX };
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++)
            check_range(offsets[i], lengths[j]);
}

struct worker { pthread_t thread; gs_reader *reader; size_t number; };

static void *read_in_thread(void *user)
{
    struct worker *worker = user;
    for (size_t i = 0; i < (small_run() ? 2 : 20); i++)
        check_pread(worker->reader, (worker->number * 104729 + i * 7919 * 31) % len, 1 + (worker->number * i * 31) % 9000);
    return NULL;
}

static void random_reads(void)
{
    const uint64_t places[] = { 0, 1, unit - 1, unit, 2 * unit - 1, len - 1, len, len + 1, UINT64_MAX };
    const size_t   counts[] = { 0, 1, 2, 4097, unit + 2 };
    struct worker  workers[4];
    gs_reader     *reader = NULL;
    if (!OK(gs_reader_open(store, uri, NULL, &reader, ERR)))
        return;
    CHECK_SIZE(len, gs_reader_size(reader));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++)
            check_pread(reader, places[i], counts[j]);
    for (size_t i = 0; i < 4; i++) {
        workers[i] = (struct worker){ .reader = reader, .number = i };
        workers[i].thread = start(read_in_thread, &workers[i]);
    }
    for (size_t i = 0; i < 4; i++)
        join(workers[i].thread);
    gs_reader_free(reader);
}

/* What a target refuses ends the call with its errno. */
static int refuse(void *user, const uint8_t *piece, size_t piece_len, uint64_t offset)
{
    (void)user, (void)piece, (void)piece_len, (void)offset;
    return -ENOSPC;
}

static void refused_by_the_target(void)
{
    check_context("a target that refuses");
    FAILS(GS_CALLBACK, gs_get(store, uri, refuse, NULL, NULL, ERR));
    CHECK_INT(ENOSPC, failure.errnum);
}

static void expected_digests(void)
{
    struct sink sink = { 0 };
    gs_opts     opts = GS_OPTS_INIT;
    check_context("a get that expects another MD5");
    opts.expect_checksum = "d41d8cd98f00b204e9800998ecf8427e";
    FAILS(GS_VERIFY_FAILED, gs_get(store, uri, sink_write, &sink, &opts, ERR));
    sink_free(&sink);
}

void check_reads(void)
{
    const char *before = holdings();
    len = 3 * unit + unit / 3 + 1;
    data = new_data(len, RANDOM_DATA);
    uri = add_bytes(store, new_id(), data, len);
    gs_store_info info = GS_STORE_INFO_INIT;
    gs_store_get_info(store, &info);
    if ((info.capabilities & GS_CAN_READ_RANDOM) == GS_CAN_READ_RANDOM) {
        ranges();
        random_reads();
    }
    refused_by_the_target();
    expected_digests();
    check_context("the image that was read");
    check_image(store, uri, data, len);
    remove_image(uri, before);
    free(data);
}
