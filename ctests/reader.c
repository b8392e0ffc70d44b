/* gs_reader: reads like pread(2), in any order, from any thread, over the end;
 * the image may be deleted meanwhile, and its cancel ends all later reads. */
#include "testing.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *dir;
static gs_store   *store;
static uint8_t    *data;
static size_t      len;

static gs_reader *opened(const char *uri, const gs_opts *opts)
{
    gs_reader *reader = NULL;
    MUST(OK(gs_reader_open(store, uri, opts, &reader, ERR)));
    return reader;
}

static void check_pread(gs_reader *reader, uint64_t offset, size_t wanted)
{
    uint8_t *buf = malloc(wanted + 1);
    size_t   expected = offset >= len ? 0 : len - offset < wanted ? len - (size_t)offset : wanted;
    size_t   count = 4711;
    MUST(buf != NULL);
    memset(buf, 0xaa, wanted + 1);
    if (OK(gs_reader_pread(reader, buf, wanted, offset, &count, ERR)))
        CHECK_BYTES(data + (expected ? offset : 0), expected, buf, count);
    for (size_t i = expected; i <= wanted; i++)
        if (buf[i] != 0xaa) {
            CHECK(!"bytes behind *out_len are left alone");
            break;
        }
    free(buf);
}

static void offsets(gs_reader *reader)
{
    const uint64_t places[] = { 0, 1, 511, 512, 4095, 4096, len / 2, len - 1, len, len + 1, 2 * len, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX };
    const size_t   counts[] = { 0, 1, 2, 4096, 4097, 70000 };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
            check_context("pread of %zu at %llu of %zu", counts[j], (unsigned long long)places[i], len);
            check_pread(reader, places[i], counts[j]);
        }
    check_context("pread of the whole image");
    check_pread(reader, 0, len);
    check_pread(reader, 0, len + 100);
}

static void orders(gs_reader *reader)
{
    const size_t piece = len / 37 + 1;
    check_context("forwards");
    for (size_t offset = 0; offset < len; offset += piece)
        check_pread(reader, offset, piece);
    check_context("backwards");
    for (size_t offset = len - len % piece; offset > 0; offset -= piece)
        check_pread(reader, offset, piece);
    check_context("up and down");
    for (size_t i = 0; i < 100; i++)
        check_pread(reader, i * 7919 % len, i * 131 % 5000);
}

/* 1-byte reads at every offset put the image together. */
static void single_bytes(void)
{
    static const char content[] = "chunk00000remainder";
    const char       *uri = add_bytes(store, "small", content, 19);
    gs_reader        *reader = opened(uri, NULL);
    char              got[20] = "";
    check_context("single bytes");
    CHECK_SIZE(19, gs_reader_size(reader));
    for (size_t i = 0; i < 19; i++) {
        size_t count = 0;
        OK(gs_reader_pread(reader, (uint8_t *)got + i, 1, i, &count, ERR));
        CHECK_SIZE(1, count);
    }
    CHECK_STR(content, got);
    gs_reader_free(reader);
    OK(gs_delete(store, uri, NULL, ERR));
}

static void empty_image(void)
{
    const char *uri = add_bytes(store, "empty", "", 0);
    gs_reader  *reader = opened(uri, NULL);
    uint8_t     byte = 0xaa;
    size_t      count = 4711;
    check_context("an empty image");
    CHECK_SIZE(0, gs_reader_size(reader));
    OK(gs_reader_pread(reader, &byte, 1, 0, &count, ERR));
    CHECK_SIZE(0, count);
    CHECK_INT(0xaa, byte);
    gs_reader_free(reader);
    OK(gs_delete(store, uri, NULL, ERR));
}

struct worker { pthread_t thread; gs_reader *reader; size_t number; };

static void *read_in_thread(void *user)
{
    struct worker *worker = user;
    check_context("thread %zu", worker->number);
    for (size_t i = 0; i < (small_run() ? 5 : 200); i++)
        check_pread(worker->reader, (worker->number * 104729 + i * 7919) % len, 1 + (worker->number * i * 31) % 9000);
    return NULL;
}

static void threads(gs_reader *reader)
{
    struct worker workers[32];
    for (size_t i = 0; i < 32; i++) {
        workers[i] = (struct worker){ .reader = reader, .number = i };
        workers[i].thread = start(read_in_thread, &workers[i]);
    }
    for (size_t i = 0; i < 32; i++)
        join(workers[i].thread);
}

static void survives_delete(void)
{
    const char *uri = add_bytes(store, "short-lived", data, len);
    gs_reader  *reader = opened(uri, NULL);
    check_context("a deleted image");
    OK(gs_delete(store, uri, NULL, ERR));
    check_absent(store, uri);
    check_pread(reader, 0, len);
    CHECK_SIZE(len, gs_reader_size(reader));

    /* A new image of that id is another one. */
    add_bytes(store, "short-lived", "other", 5);
    check_pread(reader, 0, len);
    gs_reader_free(reader);
    OK(gs_delete(store, uri, NULL, ERR));
}

static void cancelled(const char *uri)
{
    gs_opts  opts = GS_OPTS_INIT;
    uint8_t  byte = 0xaa;
    size_t   count = 4711;
    check_context("a cancelled reader");
    opts.cancel = gs_cancel_new();
    gs_reader *reader = opened(uri, &opts);
    gs_reader *other = opened(uri, NULL);
    check_pread(reader, 0, 10);
    gs_cancel_trigger(opts.cancel);
    for (int i = 0; i < 2; i++)
        FAILS(GS_CANCELLED, gs_reader_pread(reader, &byte, 1, 0, &count, ERR));
    CHECK_INT(0xaa, byte);
    CHECK_SIZE(4711, count);
    CHECK_SIZE(len, gs_reader_size(reader));
    check_pread(other, 0, 10);
    gs_reader_free(reader);
    gs_reader_free(other);
    gs_cancel_free(opts.cancel);
}

/* timeout_ms is for the opening alone. */
static void timeout_of_open(const char *uri)
{
    gs_opts         opts = GS_OPTS_INIT;
    struct timespec pause = { 0, 30000000 };
    check_context("a reader opened with a timeout");
    opts.timeout_ms = 20;
    gs_reader *reader = NULL;
    gs_status  status = RETURNS(gs_reader_open(store, uri, &opts, &reader, ERR));
    CHECK(status == GS_OK || status == GS_TIMEOUT);
    nanosleep(&pause, NULL);
    if (reader)
        check_pread(reader, 0, 10);
    gs_reader_free(reader);
}

static void many_readers(const char *uri)
{
    gs_reader *readers[100];
    check_context("many readers");
    for (size_t i = 0; i < 100; i++)
        readers[i] = opened(uri, NULL);
    for (size_t i = 0; i < 100; i++)
        check_pread(readers[i], i * 100, 1000);
    for (size_t i = 0; i < 100; i++)
        gs_reader_free(readers[i]);
}

int main(void)
{
    len = small_run() ? 150 * KiB + 3 : 5 * MiB + 3;
    data = new_data(len, SPARSE_DATA);
    dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    const char *uri = add_bytes(store, "image", data, len);

    gs_reader *reader = opened(uri, NULL);
    CHECK_SIZE(len, gs_reader_size(reader));
    offsets(reader);
    orders(reader);
    threads(reader);
    gs_reader_free(reader);
    single_bytes();
    empty_image();
    survives_delete();
    cancelled(uri);
    timeout_of_open(uri);
    many_readers(uri);

    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR("", listing(dir));
    gs_registry_free(reg);
    free(data);
    return check_result();
}
