/* Expected hashes on gs_add, gs_add_fd, gs_copy, gs_get and gs_get_fd: a match in
 * any case goes through, a difference is GS_VERIFY_FAILED and leaves nothing, what
 * cannot be such a hash is GS_INVALID before anything is read or created. */
#include "testing.h"

#include <fcntl.h>
#include <unistd.h>

#define MD5 "900150983cd24fb0d6963f7d28e17f72"
#define MD5_UPPER "900150983CD24FB0D6963F7D28E17F72"
#define MD5_MIXED "900150983Cd24fb0D6963F7d28e17F72"
#define MD5_OTHER "900150983cd24fb0d6963f7d28e17f73"
#define SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA256_UPPER "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
#define SHA256_OTHER "aa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const struct {
    const char *name, *checksum, *hash_name, *multihash;
    uint32_t    flags; /* for those that know GS_NO_CHECKSUM */
    gs_status   status;
} rows[] = {
    { "the right checksum", MD5, NULL, NULL, 0, GS_OK },
    { "the right checksum in upper case", MD5_UPPER, NULL, NULL, 0, GS_OK },
    { "the right checksum in mixed case", MD5_MIXED, NULL, NULL, 0, GS_OK },
    { "another checksum", MD5_OTHER, NULL, NULL, 0, GS_VERIFY_FAILED },
    { "the right multihash", NULL, "sha256", SHA256, 0, GS_OK },
    { "the right multihash in upper case", NULL, "sha256", SHA256_UPPER, 0, GS_OK },
    { "another multihash", NULL, "sha256", SHA256_OTHER, 0, GS_VERIFY_FAILED },
    { "MD5 as the multihash", NULL, "md5", MD5, 0, GS_OK },
    { "another MD5 as the multihash", NULL, "md5", MD5_OTHER, 0, GS_VERIFY_FAILED },
    { "both right", MD5, "sha256", SHA256, 0, GS_OK },
    { "the checksum right, the multihash not", MD5, "sha256", SHA256_OTHER, 0, GS_VERIFY_FAILED },
    { "the multihash right, the checksum not", MD5_OTHER, "sha256", SHA256, 0, GS_VERIFY_FAILED },
    { "the right multihash and no checksum", NULL, "sha256", SHA256, GS_NO_CHECKSUM, GS_OK },
    { "another multihash and no checksum", NULL, "sha256", SHA256_OTHER, GS_NO_CHECKSUM, GS_VERIFY_FAILED },
    { "an empty checksum", "", NULL, NULL, 0, GS_INVALID },
    { "a short checksum", "900150983cd24fb0d6963f7d28e17f7", NULL, NULL, 0, GS_INVALID },
    { "a long checksum", MD5 "0", NULL, NULL, 0, GS_INVALID },
    { "a checksum that is not hex", "g00150983cd24fb0d6963f7d28e17f72", NULL, NULL, 0, GS_INVALID },
    { "a checksum with a blank", " 00150983cd24fb0d6963f7d28e17f72", NULL, NULL, 0, GS_INVALID },
    { "a multihash of another hash's length", NULL, "sha256", MD5, 0, GS_INVALID },
    { "a multihash that is not hex", NULL, "md5", "0x0150983cd24fb0d6963f7d28e17f72", 0, GS_INVALID },
    { "an empty multihash", NULL, "sha256", "", 0, GS_INVALID },
    { "an unknown hash", NULL, "nope", SHA256, 0, GS_UNKNOWN_HASH },
};

static const char  *dir, *uri;
static gs_store    *store;

static void stored(gs_status status, gs_image *image, const char *before, const gs_opts *opts)
{
    gs_image_info info = GS_IMAGE_INFO_INIT;
    CHECK((status == GS_OK) == (image != NULL));
    if (image) {
        gs_image_get_info(image, &info);
        CHECK_STR(opts->flags & GS_NO_CHECKSUM ? "" : MD5, info.checksum);
        check_image(store, info.uri, "abc", 3);
        OK(gs_delete(store, info.uri, NULL, ERR));
    }
    CHECK_STR(before, listing(dir));
    gs_image_free(image);
}

static void adding(gs_status want, const gs_opts *opts)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    const char   *before = listing(dir);
    GIVES(want, gs_add(store, "new", 3, source_read, &source, opts, &image, ERR));
    CHECK(source.calls == 0 || want == GS_OK || want == GS_VERIFY_FAILED);
    stored(want, image, before, opts);

    image = NULL;
    int fd = open(text("%s/image", dir), O_RDONLY);
    GIVES(want, gs_add_fd(store, "new", GS_SIZE_UNKNOWN, fd, opts, &image, ERR));
    stored(want, image, before, opts);
    close(fd);

    image = NULL;
    GIVES(want, gs_copy(store, "new", store, uri, opts, &image, ERR));
    stored(want, image, before, opts);
}

static void getting(gs_status want, const gs_opts *opts)
{
    struct sink sink = { 0 };
    GIVES(want, gs_get(store, uri, sink_write, &sink, opts, ERR));
    if (want == GS_OK)
        CHECK_BYTES("abc", 3, sink.data, sink.len);
    if (want == GS_INVALID || want == GS_UNKNOWN_HASH)
        CHECK_INT(0, sink.calls);
    sink_free(&sink);

    int ends[2];
    MUST(pipe(ends) == 0);
    GIVES(want, gs_get_fd(store, uri, ends[1], opts, ERR));
    close(ends[0]);
    close(ends[1]);
}

/* Without MD5 there is no checksum, and nothing else changes. */
static void no_checksum(void)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_opts       opts = GS_OPTS_INIT;
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    check_context("GS_NO_CHECKSUM");
    opts.flags = GS_NO_CHECKSUM;
    opts.hash_name = "sha256";
    MUST(OK(gs_add(store, "new", 3, source_read, &source, &opts, &image, ERR)));
    gs_image_get_info(image, &info);
    CHECK_STR("", info.checksum);
    CHECK_STR(SHA256, info.multihash);
    OK(gs_delete(store, info.uri, NULL, ERR));
    gs_image_free(image);

    source.at = 0;
    opts.hash_name = NULL;
    MUST(OK(gs_add(store, "new", 3, source_read, &source, &opts, &image, ERR)));
    gs_image_get_info(image, &info);
    CHECK_STR("", info.checksum);
    CHECK_STR("", info.multihash);
    CHECK_STR("", info.hash_name);
    check_image(store, info.uri, "abc", 3);
    OK(gs_delete(store, info.uri, NULL, ERR));
    gs_image_free(image);
}

int main(void)
{
    dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    uri = add_bytes(store, "image", "abc", 3);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gs_opts opts = GS_OPTS_INIT;
        check_context("%s", rows[i].name);
        opts.expect_checksum = rows[i].checksum;
        opts.hash_name = rows[i].hash_name;
        opts.expect_multihash = rows[i].multihash;
        getting(rows[i].status, &opts);
        opts.flags = rows[i].flags;
        adding(rows[i].status, &opts);
    }
    no_checksum();

    check_image(store, uri, "abc", 3);
    gs_registry_free(reg);
    return check_result();
}
