/* gs_reader over HTTP: in any order, from many threads, and one clear error where no part can be had. */
#include "web.h"

#include <stdlib.h>
#include <string.h>

enum { THREADS = 8 };

static uint8_t *data;
static size_t   len;

static void check_pread(gs_reader *reader, uint64_t offset, size_t wanted)
{
    size_t   expected = offset >= len ? 0 : len - offset < wanted ? len - (size_t)offset : wanted;
    size_t   count = 4711;
    uint8_t *buf = malloc(wanted + 1);
    MUST(buf != NULL);
    if (OK(gs_reader_pread(reader, buf, wanted, offset, &count, ERR)))
        CHECK_BYTES(data + (expected ? offset : 0), expected, buf, count);
    free(buf);
}

static void offsets(gs_reader *reader)
{
    const uint64_t places[] = { len, 0, len - 1, 1, len / 2, 511, 65535, 65536, 2 * (uint64_t)len, INT64_MAX, UINT64_MAX };
    const size_t   counts[] = { 0, 1, 2, 4097, 65536, 70000 };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
            check_context("pread of %zu at %llu of %zu", counts[j], (unsigned long long)places[i], len);
            check_pread(reader, places[i], counts[j]);
        }
    check_context("pread of more than there is");
    check_pread(reader, 0, len + 100);
}

struct reading {
    gs_reader *reader;
    size_t     number;
};

/* Half of the threads go forwards through a share of their own, the others jump. */
static void *read_much(void *user)
{
    const struct reading *reading = user;
    size_t                share = len / THREADS, piece = share / 29 + 1;
    check_context("thread %zu", reading->number);
    for (size_t i = 0; i < 29; i++) {
        size_t jump = (i * 7919 + reading->number * 104729) % 29;
        size_t step = reading->number % 2 ? jump : i;
        check_pread(reading->reader, reading->number * share + step * piece, piece);
    }
    return NULL;
}

static void concurrently(gs_reader *reader)
{
    pthread_t      threads[THREADS];
    struct reading readings[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        readings[i] = (struct reading){ reader, i };
        threads[i] = start(read_much, &readings[i]);
    }
    for (size_t i = 0; i < THREADS; i++)
        join(threads[i]);
}

static void reader_of(gs_store *store, const char *uri)
{
    gs_reader *reader = NULL;
    check_context("opening %s", uri);
    if (!OK(gs_reader_open(store, uri, NULL, &reader, ERR)))
        return;
    CHECK_SIZE(len, gs_reader_size(reader));
    offsets(reader);
    concurrently(reader);
    gs_reader_free(reader);
}

static void no_parts(gs_store *store)
{
    gs_reader *reader = NULL;
    check_context("a server without ranges");
    FAILS(GS_NOT_SUPPORTED, gs_reader_open(store, plain("/no-range/image"), NULL, &reader, ERR));
    CHECK(reader == NULL);
    CHECK_HAS("range", failure.message);
    check_context("a server that names no length");
    FAILS(GS_NOT_SUPPORTED, gs_reader_open(store, plain("/unknown/image"), NULL, &reader, ERR));
    CHECK(reader == NULL);
}

/* Another image under the same name is never mixed with the one that was opened. */
static void changed_image(gs_store *store)
{
    gs_reader *reader = NULL;
    uint8_t   *old = new_data(2 * MiB, RANDOM_DATA), *new = new_data(2 * MiB + 1, RANDOM_DATA), buf[512];
    size_t     count = 0;
    serve("changing", old, 2 * MiB);
    check_context("an image that changes");
    if (OK(gs_reader_open(store, plain("/changing"), NULL, &reader, ERR))) {
        serve("changing", new, 2 * MiB + 1);
        FAILS(GS_FAILED, gs_reader_pread(reader, buf, sizeof buf, MiB + 5, &count, ERR));
        CHECK_HAS("changed", failure.message);
        gs_reader_free(reader);
    }
    free(old);
    free(new);
}

/* What one client reads in a row comes by few requests. */
static void reads_ahead(gs_store *store)
{
    gs_reader *reader = NULL;
    check_context("reading ahead");
    serve("ahead", data, len);
    if (!OK(gs_reader_open(store, plain("/ahead"), NULL, &reader, ERR)))
        return;
    for (size_t offset = 0; offset < len; offset += 4096)
        check_pread(reader, offset, 4096);
    CHECK(requests_with("GET /ahead", "") < len / 4096 / 4);
    gs_reader_free(reader);
}

int main(void)
{
    gs_registry *reg = web_registry("https_ca_certificates_file", nginx("NGINX_CA"), NULL);
    gs_store    *store = default_store(reg);
    len = small_run() ? 300 * KiB + 1 : 8 * MiB + 1;
    data = new_data(len, RANDOM_DATA);
    serve("image", data, len);

    reader_of(store, plain("/image"));
    reader_of(store, tls("/image"));
    reader_of(store, plain("/redirect/relative/302/image"));
    reader_of(store, plain("/no-head/image"));
    reader_of(store, with_credentials(nginx("NGINX_CREDENTIALS"), "/auth/image"));
    no_parts(store);
    changed_image(store);
    reads_ahead(store);

    free(data);
    gs_registry_free(reg);
    return check_result();
}
