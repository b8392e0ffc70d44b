/* Holes: thin provisioning makes them, gs_add_fd keeps those of its source, and
 * GS_SPARSE tells of them on the way out; sizes, hashes and bytes stay as if
 * every zero had been carried. */
#include "testing.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH = 8 * MiB + 128 * KiB };

static const char *dir, *scratch;

static gs_registry *open_store(const char *thin)
{
    return registry_of(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", dir },
                                { "glance_store", "filesystem_thin_provisioning", thin }));
}

static size_t allocated(const char *path)
{
    struct stat st;
    MUST(stat(path, &st) == 0);
    return (size_t)st.st_blocks * 512;
}

/* 64 KiB of `*`, 8 MiB of zeros, 64 KiB of `*`: appendix A of the specification. */
static uint8_t *stars_zeros_stars(void)
{
    uint8_t *data = new_data(LENGTH, ZERO_DATA);
    memset(data, '*', 64 * KiB);
    memset(data + LENGTH - 64 * KiB, '*', 64 * KiB);
    return data;
}

/* The same as a file with a real hole. */
static int sparse_source(const uint8_t *data)
{
    const char *path = text("%s/source", scratch);
    int         fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0);
    MUST(pwrite(fd, data, 64 * KiB, 0) == 64 * KiB);
    MUST(pwrite(fd, data + LENGTH - 64 * KiB, 64 * KiB, LENGTH - 64 * KiB) == 64 * KiB);
    if (allocated(path) > 256 * KiB || lseek(fd, 0, SEEK_HOLE) != 64 * KiB)
        SKIP("the file system of %s has no holes", scratch);
    MUST(lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static const char *check_and_delete(gs_store *store, gs_image *image, const uint8_t *data, size_t len, size_t at_most)
{
    gs_image_info info = GS_IMAGE_INFO_INIT;
    const char   *path = text("%s/image", dir);
    gs_image_get_info(image, &info);
    CHECK_SIZE(len, info.size);
    CHECK_SIZE(len, file_size(path));
    CHECK(allocated(path) <= at_most);
    CHECK_STR(digest_of("md5sum", path), info.checksum);
    const char *checksum = text("%s", info.checksum);
    check_image(store, info.uri, data, len);
    OK(gs_delete(store, info.uri, NULL, ERR));
    gs_image_free(image);
    return checksum;
}

/* ---- In ------------------------------------------------------------------ */

static void thin_by_callback(const uint8_t *data)
{
    static const size_t pieces[] = { 0, 64 * KiB, 1000 };
    gs_registry *reg = open_store("true");
    for (size_t i = 0; i < (small_run() ? 2 : 3); i++)
        for (int known = 0; known < 2; known++) {
            struct source source = { .data = data, .len = LENGTH, .piece = pieces[i] };
            gs_image     *image = NULL;
            check_context("thin, pieces of %zu, size %s", pieces[i], known ? "known" : "unknown");
            MUST(OK(gs_add(default_store(reg), "image", known ? LENGTH : GS_SIZE_UNKNOWN, source_read, &source, NULL, &image, ERR)));
            CHECK_STR("6afa2d91c0ce692a83277b5b8e4bbf8c", check_and_delete(default_store(reg), image, data, LENGTH, 256 * KiB));
        }

    struct source zeros = { .data = data + 64 * KiB, .len = MiB };
    gs_image     *image = NULL;
    check_context("thin, zeros only");
    MUST(OK(gs_add(default_store(reg), "image", MiB, source_read, &zeros, NULL, &image, ERR)));
    CHECK_STR("b6d81b360a5672d80c27430f39153e2c", check_and_delete(default_store(reg), image, zeros.data, MiB, 0));

    uint8_t       mixed[3 * KiB] = { 0 };
    struct source stars = { .data = mixed, .len = sizeof mixed, .piece = KiB };
    check_context("thin, 1 KiB each of stars, zeros and stars");
    memset(mixed, '*', KiB);
    memset(mixed + 2 * KiB, '*', KiB);
    MUST(OK(gs_add(default_store(reg), "image", sizeof mixed, source_read, &stars, NULL, &image, ERR)));
    CHECK_STR("9b378e617176127a4444e320e5d960ee", check_and_delete(default_store(reg), image, mixed, sizeof mixed, 64 * KiB));
    gs_registry_free(reg);
}

static void thick_by_default(const uint8_t *data)
{
    gs_registry  *reg = file_registry(dir);
    struct source source = { .data = data, .len = LENGTH };
    gs_image     *image = NULL;
    check_context("thick");
    MUST(OK(gs_add(default_store(reg), "image", LENGTH, source_read, &source, NULL, &image, ERR)));
    CHECK(allocated(text("%s/image", dir)) >= LENGTH);
    check_and_delete(default_store(reg), image, data, LENGTH, SIZE_MAX);
    gs_registry_free(reg);
}

/* From the start, from within the first data, from within the hole, from behind it. */
static void holes_of_a_descriptor(const uint8_t *data)
{
    static const size_t starts[] = { 0, 1000, 64 * KiB, MiB + 1, LENGTH - 64 * KiB, LENGTH - 1, LENGTH };
    static const char *const thin[] = { "true", "false" };
    int fd = sparse_source(data);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        for (int known = small_run(); known < 2; known++)
            for (int j = 0; j < (small_run() ? 1 : 2); j++) {
                gs_registry *reg = open_store(thin[j]);
                size_t       len = LENGTH - starts[i];
                gs_image    *image = NULL;
                check_context("a sparse file from position %zu, size %s, thin %s", starts[i], known ? "known" : "unknown", thin[j]);
                MUST(lseek(fd, (off_t)starts[i], SEEK_SET) >= 0);
                if (OK(gs_add_fd(default_store(reg), "image", known ? len : GS_SIZE_UNKNOWN, fd, NULL, &image, ERR)))
                    check_and_delete(default_store(reg), image, data + starts[i], len, j == 0 ? 256 * KiB : SIZE_MAX);
                gs_registry_free(reg);
            }
    close(fd);

    check_context("a file that ends in a hole");
    gs_registry *reg = open_store("true");
    gs_image    *image = NULL;
    fd = open(text("%s/tail", scratch), O_RDWR | O_CREAT, 0600);
    MUST(fd >= 0 && pwrite(fd, data, 64 * KiB, 0) == 64 * KiB && ftruncate(fd, 4 * MiB + 5) == 0);
    if (OK(gs_add_fd(default_store(reg), "image", 4 * MiB + 5, fd, NULL, &image, ERR)))
        check_and_delete(default_store(reg), image, data, 4 * MiB + 5, 256 * KiB);
    MUST(ftruncate(fd, 0) == 0 && ftruncate(fd, MiB) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    check_context("a file that is one hole");
    if (OK(gs_add_fd(default_store(reg), "image", GS_SIZE_UNKNOWN, fd, NULL, &image, ERR)))
        check_and_delete(default_store(reg), image, data + 64 * KiB, MiB, 64 * KiB);
    check_context("a hole that is one byte too long");
    MUST(ftruncate(fd, MiB + 1) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    FAILS(GS_SIZE_MISMATCH, gs_add_fd(default_store(reg), "image", MiB, fd, NULL, &image, ERR));
    close(fd);
    gs_registry_free(reg);
}

/* ---- Out ----------------------------------------------------------------- */

static void to_callback(gs_store *store, const char *uri, const uint8_t *data)
{
    struct sink sink = { 0 };
    gs_opts     opts = GS_OPTS_INIT;
    check_context("gs_get without GS_SPARSE");
    OK(gs_get(store, uri, sink_write, &sink, NULL, ERR));
    CHECK_BYTES(data, LENGTH, sink.data, sink.len);
    CHECK_SIZE(0, sink.holes);
    sink_free(&sink);

    check_context("gs_get with GS_SPARSE");
    opts.flags = GS_SPARSE;
    OK(gs_get(store, uri, sink_write, &sink, &opts, ERR));
    CHECK_BYTES(data, LENGTH, sink.data, sink.len);
    CHECK(sink.holes >= 8 * MiB - 128 * KiB);
    CHECK(sink.holes <= 8 * MiB);
    sink_free(&sink);

    check_context("gs_get with GS_SPARSE and an expected checksum");
    opts.expect_checksum = "6afa2d91c0ce692a83277b5b8e4bbf8c";
    OK(gs_get(store, uri, sink_write, &sink, &opts, ERR));
    CHECK_BYTES(data, LENGTH, sink.data, sink.len);
    sink_free(&sink);

    check_context("gs_get with GS_SPARSE of a part");
    opts = (gs_opts)GS_OPTS_INIT;
    opts.flags = GS_SPARSE;
    opts.offset = sink.first = MiB + 3;
    opts.length = 2 * MiB;
    OK(gs_get(store, uri, sink_write, &sink, &opts, ERR));
    CHECK_BYTES(data + MiB + 3, 2 * MiB, sink.data, sink.len);
    CHECK_SIZE(2 * MiB, sink.holes);
    sink_free(&sink);
}

static void to_file(gs_store *store, const char *uri, const uint8_t *data)
{
    static const struct { const char *name; int flags; size_t filled, position, at_most; } targets[] = {
        { "an empty file", O_RDWR, 0, 0, 256 * KiB },
        { "a position in an empty file", O_RDWR, 0, 5000, 256 * KiB },
        { "a file full of other bytes", O_RDWR, LENGTH, 0, SIZE_MAX },
        { "a write-only file full of other bytes", O_WRONLY, LENGTH / 2, 0, SIZE_MAX },
        { "a file open for appending", O_RDWR | O_APPEND, 100, 100, SIZE_MAX },
    };
    gs_opts opts = GS_OPTS_INIT;
    opts.flags = GS_SPARSE;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const char *path = text("%s/target", scratch);
        size_t      len;
        check_context("gs_get_fd with GS_SPARSE into %s", targets[i].name);
        write_file(path, repeated('x', targets[i].filled), targets[i].filled);
        int fd = open(path, targets[i].flags);
        MUST(fd >= 0 && lseek(fd, (off_t)targets[i].position, SEEK_SET) >= 0);
        OK(gs_get_fd(store, uri, fd, &opts, ERR));
        uint8_t *got = read_file(path, &len);
        CHECK_SIZE(LENGTH + targets[i].position, len);
        if (len == LENGTH + targets[i].position)
            CHECK_BYTES(data, LENGTH, got + targets[i].position, LENGTH);
        CHECK(allocated(path) <= targets[i].at_most);
        free(got);
        close(fd);
        unlink(path);
    }
}

/* A pipe cannot skip: it gets the zeros. */
static void to_pipe(gs_store *store, const char *uri, const uint8_t *data)
{
    gs_opts      opts = GS_OPTS_INIT;
    struct drain drain;
    int          ends[2];
    check_context("gs_get_fd with GS_SPARSE into a pipe");
    opts.flags = GS_SPARSE;
    MUST(pipe(ends) == 0);
    drain_start(&drain, ends[0]);
    OK(gs_get_fd(store, uri, ends[1], &opts, ERR));
    close(ends[1]);
    drain_join(&drain);
    CHECK_BYTES(data, LENGTH, drain.data, drain.len);
    free(drain.data);
    close(ends[0]);
}

/* An image that ends in a hole has its full size in the target. */
static void trailing_hole(gs_store *store)
{
    const char *uri = text("file://%s/tail", dir), *path = text("%s/target", scratch);
    gs_opts     opts = GS_OPTS_INIT;
    struct sink sink = { 0 };
    check_context("an image that is a hole");
    opts.flags = GS_SPARSE;
    write_file(text("%s/tail", dir), "", 0);
    MUST(truncate(text("%s/tail", dir), 3 * MiB) == 0);
    OK(gs_get(store, uri, sink_write, &sink, &opts, ERR));
    CHECK_SIZE(3 * MiB, sink.len);
    CHECK_SIZE(3 * MiB, sink.holes);
    sink_free(&sink);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0);
    OK(gs_get_fd(store, uri, fd, &opts, ERR));
    CHECK_SIZE(3 * MiB, file_size(path));
    CHECK_INT(3 * MiB, lseek(fd, 0, SEEK_CUR));
    OK(gs_delete(store, uri, NULL, ERR));
    close(fd);
}

/* A copy between stores is as sparse as they are thin. */
static void copied(gs_store *store, const char *uri, const uint8_t *data)
{
    gs_image *image = NULL;
    check_context("gs_copy of a sparse image");
    if (!OK(gs_copy(store, "copy", store, uri, NULL, &image, ERR)))
        return;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_image_get_info(image, &info);
    CHECK_STR("6afa2d91c0ce692a83277b5b8e4bbf8c", info.checksum);
    CHECK(allocated(text("%s/copy", dir)) <= 256 * KiB);
    check_image(store, info.uri, data, LENGTH);
    OK(gs_delete(store, info.uri, NULL, ERR));
    gs_image_free(image);
}

int main(void)
{
    uint8_t *data = stars_zeros_stars();
    dir = new_dir();
    scratch = new_dir();

    close(sparse_source(data));
    thin_by_callback(data);
    thick_by_default(data);
    holes_of_a_descriptor(data);

    gs_registry *reg = open_store("true");
    const char  *uri = add_bytes(default_store(reg), "image", data, LENGTH);
    to_callback(default_store(reg), uri, data);
    to_file(default_store(reg), uri, data);
    to_pipe(default_store(reg), uri, data);
    trailing_hole(default_store(reg));
    copied(default_store(reg), uri, data);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    gs_registry_free(reg);

    CHECK_STR("", listing(dir));
    free(data);
    return check_result();
}
