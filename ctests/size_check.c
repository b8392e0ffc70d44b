/* A promised size is exact: one byte short or long is GS_SIZE_MISMATCH with both
 * numbers in the message, an endless source is stopped, and nothing stays. */
#include "testing.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const char *dir, *scratch;
static gs_store   *store;

static void mismatch(const char *before, uint64_t promised, const char *other_number)
{
    CHECK_STR("Invalid", failure.name);
    CHECK_HAS(text("%llu", (unsigned long long)promised), failure.message);
    CHECK_HAS(other_number, failure.message);
    CHECK_STR(before, listing(dir));
}

static void by_callback(const uint8_t *data, size_t supplied, uint64_t promised, size_t piece)
{
    struct source source = { .data = data, .len = supplied, .piece = piece };
    gs_image     *image = NULL;
    const char   *before = listing(dir);
    check_context("promised %llu, supplied %zu by callback in pieces of %zu", (unsigned long long)promised, supplied, piece);
    if (FAILS(GS_SIZE_MISMATCH, gs_add(store, "image", promised, source_read, &source, NULL, &image, ERR)))
        mismatch(before, promised, text("%zu", supplied));
    CHECK(image == NULL);
}

static void by_file(const uint8_t *data, size_t supplied, uint64_t promised)
{
    const char *path = text("%s/source", scratch);
    gs_image   *image = NULL;
    const char *before = listing(dir);
    write_file(path, data, supplied);
    int fd = open(path, O_RDONLY);
    MUST(fd >= 0);
    check_context("promised %llu, supplied %zu by file", (unsigned long long)promised, supplied);
    if (FAILS(GS_SIZE_MISMATCH, gs_add_fd(store, "image", promised, fd, NULL, &image, ERR)))
        mismatch(before, promised, text("%zu", supplied));
    CHECK(image == NULL);
    close(fd);
}

static void by_pipe(const uint8_t *data, size_t supplied, uint64_t promised)
{
    struct feeder feeder;
    int           ends[2];
    gs_image     *image = NULL;
    const char   *before = listing(dir);
    MUST(pipe(ends) == 0);
    feeder_start(&feeder, ends[1], data, supplied);
    check_context("promised %llu, supplied %zu by pipe", (unsigned long long)promised, supplied);
    if (FAILS(GS_SIZE_MISMATCH, gs_add_fd(store, "image", promised, ends[0], NULL, &image, ERR)))
        mismatch(before, promised, text("%zu", supplied));
    CHECK(image == NULL);
    feeder_join(&feeder);
    close(ends[0]);
}

static int64_t endless(void *user, uint8_t *buf, size_t len)
{
    uint64_t *delivered = user;
    for (size_t i = 0; i < len; i++)
        buf[i] = (uint8_t)i;
    *delivered += len;
    return (int64_t)len;
}

static void endless_source(uint64_t promised)
{
    uint64_t    delivered = 0;
    gs_image   *image = NULL;
    const char *before = listing(dir);
    check_context("promised %llu, endless source", (unsigned long long)promised);
    if (FAILS(GS_SIZE_MISMATCH, gs_add(store, "image", promised, endless, &delivered, NULL, &image, ERR)))
        mismatch(before, promised, "");
    CHECK(delivered > promised);
    CHECK(delivered <= promised + 16 * MiB);

    int fd = open("/dev/zero", O_RDONLY);
    MUST(fd >= 0);
    if (FAILS(GS_SIZE_MISMATCH, gs_add_fd(store, "image", promised, fd, NULL, &image, ERR)))
        mismatch(before, promised, "");
    CHECK(image == NULL);
    close(fd);
}

/* A size that no file system can hold may also be refused up front. */
static void absurd(uint64_t promised)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    const char   *before = listing(dir);
    check_context("promised %llu", (unsigned long long)promised);
    gs_status status = RETURNS(gs_add(store, "image", promised, source_read, &source, NULL, &image, ERR));
    CHECK(status == GS_SIZE_MISMATCH || status == GS_STORAGE_FULL);
    CHECK_STR(before, listing(dir));
}

/* The last failure did not spoil the id. */
static void then_it_fits(const uint8_t *data, size_t len)
{
    check_context("%zu bytes after the failures", len);
    const char *uri = add_bytes(store, "image", data, len);
    check_image(store, uri, data, len);
    OK(gs_delete(store, uri, NULL, ERR));
}

int main(void)
{
    static const size_t sizes[] = { 1, 10, 4096, 64 * KiB, MiB, 4 * MiB };
    uint8_t *data = new_data(4 * MiB + 1, RANDOM_DATA);
    dir = new_dir();
    scratch = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    add_bytes(store, "neighbour", "abc", 3);

    by_callback(data, 1, 0, 0);
    by_file(data, 1, 0);
    by_pipe(data, 1, 0);
    endless_source(0);
    for (size_t i = 0; i < (small_run() ? 4 : 6); i++) {
        size_t size = sizes[i];
        for (int off = -1; off <= 1; off += 2) {
            size_t supplied = off < 0 ? size - 1 : size + 1;
            by_callback(data, supplied, size, 0);
            by_callback(data, supplied, size, size < 4096 ? 1 : 1021);
            by_file(data, supplied, size);
            if (size <= 64 * KiB)
                by_pipe(data, supplied, size);
        }
        by_callback(data, 0, size, 0);
        endless_source(size);
        then_it_fits(data, size);
    }

    absurd(INT64_MAX);
    absurd(GS_SIZE_UNKNOWN - 1);
    free(data);
    gs_registry_free(reg);
    return check_result();
}
