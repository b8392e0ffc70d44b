/* What goes in by callback comes out by callback: sizes around every buffer
 * boundary, random, sparse and zero data, known and unknown size, full and odd
 * short reads. */
#include "testing.h"

#include <stdlib.h>

static const char *dir;
static gs_store   *store;

static const char *add(struct source source, uint64_t size, size_t piece)
{
    gs_opts       opts = GS_OPTS_INIT;
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    source.piece = piece;
    opts.hash_name = "sha512";
    if (!OK(gs_add(store, "image", size, source_read, &source, &opts, &image, ERR)))
        return NULL;
    gs_image_get_info(image, &info);
    CHECK_STR(text("file://%s/image", dir), info.uri);
    CHECK_SIZE(source.len, info.size);
    CHECK_STR("file", info.store_id);
    CHECK_STR("{}", info.metadata_json);
    CHECK_STR("sha512", info.hash_name);
    const char *hashes = text("%s %s", info.checksum, info.multihash);
    gs_image_free(image);
    return hashes;
}

static void go_round(size_t len, enum data_kind kind)
{
    static const size_t pieces[] = { 0, 3, 1021, 65537 };
    struct source       source = { .data = new_data(len, kind), .len = len };
    const char         *uri = text("file://%s/image", dir);
    const char         *path = text("%s/image", dir);
    const char         *expected = NULL;

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        if (pieces[i] && len / pieces[i] > 5000)
            continue;
        for (int known = 0; known < 2; known++) {
            check_context("%zu bytes of kind %d in pieces of %zu, size %s", len, kind, pieces[i], known ? "known" : "unknown");
            const char *hashes = add(source, known ? len : GS_SIZE_UNKNOWN, pieces[i]);
            if (!hashes)
                continue;
            if (!expected)
                expected = text("%s %s", digest_of("md5sum", path), digest_of("sha512sum", path));
            CHECK_STR(expected, hashes);
            check_image(store, uri, source.data, len);
            OK(gs_delete(store, uri, NULL, ERR));
        }
    }
    free((void *)source.data);
}

int main(void)
{
    static const size_t around[] = { 4 * KiB, 64 * KiB, MiB, 8 * MiB };
    dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);

    for (int kind = RANDOM_DATA; kind <= ZERO_DATA; kind++) {
        go_round(0, kind);
        go_round(1, kind);
        for (size_t i = 0; i < (small_run() ? 2 : 4); i++) {
            go_round(around[i] - 1, kind);
            go_round(around[i], kind);
            go_round(around[i] + 1, kind);
        }
    }
    CHECK_STR("", listing(dir));
    gs_registry_free(reg);
    return check_result();
}
