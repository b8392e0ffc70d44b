/* Images of every size around the pieces that the store cuts them into come
 * back as they went in, with the size and the digests that others compute. */
#include "backend.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *scratch;

static const char *store_id(void)
{
    gs_store_info info = GS_STORE_INFO_INIT;
    gs_store_get_info(store, &info);
    return info.id;
}

/* The location is the store's, parses to itself, and shows no secret. */
static void check_location(const char *uri)
{
    gs_store        *found = NULL;
    gs_location     *location = NULL;
    gs_location_info info = GS_LOCATION_INFO_INIT;
    OK(gs_registry_resolve(registry, uri, &found, ERR));
    CHECK(found == store);
    if (!OK(gs_location_parse(registry, store, uri, &location, ERR)))
        return;
    gs_location_get_info(location, &info);
    CHECK_STR(store_id(), info.store_id);
    CHECK_LACKS("***", info.uri);
    CHECK(strstr(info.safe_uri, "@") == NULL || strstr(info.safe_uri, "***@") != NULL);
    gs_location_free(location);
}

static const char *check_described(gs_image *image, const uint8_t *data, size_t len)
{
    gs_image_info info = GS_IMAGE_INFO_INIT;
    const char   *path = text("%s/wanted", scratch);
    gs_image_get_info(image, &info);
    write_file(path, data, len);
    CHECK_SIZE(len, info.size);
    CHECK_STR(digest_of("md5sum", path), info.checksum);
    CHECK_STR(digest_of("sha256sum", path), info.multihash);
    CHECK_STR("sha256", info.hash_name);
    CHECK_STR(store_id(), info.store_id);
    check_location(info.uri);
    const char *uri = text("%s", info.uri);
    gs_image_free(image);
    return uri;
}

static void check_file(const char *uri, const uint8_t *data, size_t len, uint32_t flags)
{
    size_t      got_len;
    gs_opts     opts = GS_OPTS_INIT;
    const char *path = text("%s/got", scratch);
    int         fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0);
    opts.flags = flags;
    OK(gs_get_fd(store, uri, fd, &opts, ERR));
    close(fd);
    uint8_t *got = read_file(path, &got_len);
    CHECK_BYTES(data, len, got, got_len);
    free(got);
}

static void check_examined(const char *uri, const uint8_t *data, size_t len)
{
    gs_opts   opts = GS_OPTS_INIT;
    gs_image *image = NULL;
    opts.hash_name = "sha256";
    if (OK(gs_examine(store, uri, &opts, &image, ERR)))
        check_described(image, data, len);
}

static void by_callback(const uint8_t *data, size_t len, bool known, size_t piece)
{
    struct source source = { .data = data, .len = len, .piece = piece };
    gs_image     *image = NULL;
    gs_opts       opts = GS_OPTS_INIT;
    const char   *before = holdings();
    opts.hash_name = "sha256";
    check_context("%zu bytes, %s, by callback in pieces of %zu", len, known ? "announced" : "not announced", piece);
    if (!OK(gs_add(store, new_id(), known ? len : GS_SIZE_UNKNOWN, source_read, &source, &opts, &image, ERR)))
        return;
    const char *uri = check_described(image, data, len);
    check_image(store, uri, data, len);
    remove_image(uri, before);
}

static void by_file(const uint8_t *data, size_t len, bool known)
{
    const char *path = text("%s/source", scratch), *before = holdings();
    gs_image   *image = NULL;
    gs_opts     opts = GS_OPTS_INIT;
    opts.hash_name = "sha256";
    write_file(path, data, len);
    int fd = open(path, O_RDONLY);
    MUST(fd >= 0);
    check_context("%zu bytes, %s, by file", len, known ? "announced" : "not announced");
    if (OK(gs_add_fd(store, new_id(), known ? len : GS_SIZE_UNKNOWN, fd, &opts, &image, ERR))) {
        const char *uri = check_described(image, data, len);
        check_file(uri, data, len, 0);
        check_file(uri, data, len, GS_SPARSE);
        check_examined(uri, data, len);
        remove_image(uri, before);
    }
    close(fd);
}

static void by_copy(const uint8_t *data, size_t len)
{
    gs_image   *image = NULL;
    gs_opts     opts = GS_OPTS_INIT;
    const char *before = holdings();
    opts.hash_name = "sha256";
    check_context("%zu bytes, copied inside the store", len);
    const char *uri = add_bytes(store, new_id(), data, len), *between = holdings();
    if (OK(gs_copy(store, new_id(), store, uri, &opts, &image, ERR))) {
        const char *copy = check_described(image, data, len);
        check_image(store, copy, data, len);
        remove_image(copy, between);
    }
    remove_image(uri, before);
}

/* ---- Digests that need no other program ------------------------------------ */

static const struct {
    const char *content, *hash_name, *checksum, *multihash;
} known[] = {
    { "", "sha256", "d41d8cd98f00b204e9800998ecf8427e",
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "sha256", "900150983cd24fb0d6963f7d28e17f72",
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abc", "sha512", "900150983cd24fb0d6963f7d28e17f72",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
    { "I am a bootable image, I promise", "sha256", "f14696001c4cde800252bc9f9bdcca5d",
      "1c04d977306f703898665a46cdf902d4d5caa49ec9c2c6f7e5a71392e5099c13" },
};

static void known_answers(void)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct source source = { .data = (const uint8_t *)known[i].content, .len = strlen(known[i].content) };
        gs_opts       opts = GS_OPTS_INIT;
        gs_image     *image = NULL;
        gs_image_info info = GS_IMAGE_INFO_INIT;
        const char   *before = holdings();
        check_context("%s of \"%s\"", known[i].hash_name, known[i].content);
        opts.hash_name = known[i].hash_name;
        opts.expect_checksum = known[i].checksum;
        opts.expect_multihash = known[i].multihash;
        if (!OK(gs_add(store, new_id(), source.len, source_read, &source, &opts, &image, ERR)))
            continue;
        gs_image_get_info(image, &info);
        CHECK_STR(known[i].checksum, info.checksum);
        CHECK_STR(known[i].multihash, info.multihash);
        remove_image(info.uri, before);
        gs_image_free(image);
    }
}

void check_roundtrips(void)
{
    const size_t sizes[] = { 0, 1, 2, unit - 1, unit, unit + 1, 2 * unit - 1, 2 * unit, 2 * unit + 1, 5 * unit + unit / 2 };
    size_t       count = sizeof sizes / sizeof *sizes, some = small_run() ? 6 : count;
    scratch = new_dir();
    for (size_t i = 0; i < some; i++) {
        uint8_t *data = new_data(sizes[i], RANDOM_DATA);
        by_callback(data, sizes[i], true, 0);
        by_callback(data, sizes[i], false, unit / 3 + 1);
        by_file(data, sizes[i], i % 2 == 0);
        free(data);
    }
    for (int kind = RANDOM_DATA; kind <= ZERO_DATA; kind++) {
        size_t   len = 2 * unit + 1;
        uint8_t *data = new_data(len, (enum data_kind)kind);
        by_file(data, len, true);
        by_file(data, len, false);
        by_copy(data, len);
        free(data);
    }
    known_answers();
}
