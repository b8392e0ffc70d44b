/* gs_copy: from store to store and within one, hashed and checked on the way as
 * any add; the errors of both sides, and nothing left after them. */
#include "testing.h"

#include <stdlib.h>

static const char *fast_dir, *cheap_dir;
static gs_store   *fast, *cheap;

static void copies(gs_store *to, gs_store *from, const char *uri, const uint8_t *data, size_t len, const char *to_id)
{
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_opts       opts = GS_OPTS_INIT;
    opts.hash_name = "sha256";
    if (!OK(gs_copy(to, "copy", from, uri, &opts, &image, ERR)))
        return;
    gs_image_get_info(image, &info);
    const char *path = info.uri + sizeof "file://" - 1;
    CHECK_SIZE(len, info.size);
    CHECK_STR(to_id, info.store_id);
    CHECK_STR(digest_of("md5sum", path), info.checksum);
    CHECK_STR(digest_of("sha256sum", path), info.multihash);
    CHECK_STR(text("{\"store\":\"%s\"}", to_id), without_blanks(info.metadata_json));
    check_image(to, info.uri, data, len);
    check_image(from, uri, data, len);
    OK(gs_delete(to, info.uri, NULL, ERR));
    gs_image_free(image);
}

static void sizes(void)
{
    static const size_t lengths[] = { 0, 1, 4096, 64 * KiB + 1, MiB, 5 * MiB + 7 };
    for (int kind = RANDOM_DATA; kind <= ZERO_DATA; kind++)
        for (size_t i = 0; i < (small_run() ? 4 : 6); i++) {
            uint8_t    *data = new_data(lengths[i], kind);
            const char *uri = add_bytes(fast, "image", data, lengths[i]);
            check_context("%zu bytes of kind %d to another store", lengths[i], kind);
            copies(cheap, fast, uri, data, lengths[i], "cheap");
            check_context("%zu bytes of kind %d within a store", lengths[i], kind);
            copies(fast, fast, uri, data, lengths[i], "fast");
            OK(gs_delete(fast, uri, NULL, ERR));
            free(data);
        }
}

static gs_status copy_fails(gs_store *to, const char *id, gs_store *from, const char *uri, const gs_opts *opts)
{
    gs_image   *image = NULL;
    const char *before = listing(fast_dir), *cheap_before = listing(cheap_dir);
    gs_status   status = RETURNS(gs_copy(to, id, from, uri, opts, &image, ERR));
    CHECK(image == NULL);
    CHECK_STR(before, listing(fast_dir));
    CHECK_STR(cheap_before, listing(cheap_dir));
    return status;
}

static void failing(void)
{
    const char *uri = add_bytes(fast, "image", "abc", 3);
    const char *taken = add_bytes(cheap, "taken", "taken", 5);
    gs_opts     opts = GS_OPTS_INIT;
    check_context("failing copies");
    CHECK_STR("GS_DUPLICATE", status_name(copy_fails(cheap, "taken", fast, uri, NULL)));
    CHECK_STR("GS_DUPLICATE", status_name(copy_fails(fast, "image", fast, uri, NULL)));
    CHECK_STR("GS_NOT_FOUND", status_name(copy_fails(cheap, "new", fast, text("file://%s/absent", fast_dir), NULL)));
    CHECK_STR("GS_FORBIDDEN", status_name(copy_fails(cheap, "new", fast, taken, NULL)));
    CHECK_STR("GS_FORBIDDEN", status_name(copy_fails(cheap, "new", cheap, uri, NULL)));
    CHECK_STR("GS_UNKNOWN_SCHEME", status_name(copy_fails(cheap, "new", fast, "http://h/a", NULL)));
    CHECK_STR("GS_BAD_URI", status_name(copy_fails(cheap, "new", fast, "file://", NULL)));
    CHECK_STR("GS_INVALID", status_name(copy_fails(cheap, "a/b", fast, uri, NULL)));
    opts.hash_name = "nope";
    CHECK_STR("GS_UNKNOWN_HASH", status_name(copy_fails(cheap, "new", fast, uri, &opts)));
    opts = (gs_opts)GS_OPTS_INIT;
    opts.expect_checksum = "900150983cd24fb0d6963f7d28e17f73";
    CHECK_STR("GS_VERIFY_FAILED", status_name(copy_fails(cheap, "new", fast, uri, &opts)));
    /* Messages tell both ends. */
    CHECK_STR("GS_NOT_FOUND", status_name(copy_fails(cheap, "new", fast, text("file://%s/absent", fast_dir), NULL)));
    CHECK_HAS("absent", failure.message);
    check_image(fast, uri, "abc", 3);
    check_image(cheap, taken, "taken", 5);
    OK(gs_delete(fast, uri, NULL, ERR));
    OK(gs_delete(cheap, taken, NULL, ERR));
}

/* From one registry into another. */
static void across_registries(void)
{
    const char  *dir = new_dir();
    gs_registry *other = file_registry(dir);
    gs_image    *image = NULL;
    const char  *uri = add_bytes(fast, "image", "abc", 3);
    check_context("across registries");
    OK(gs_copy(default_store(other), "image", fast, uri, NULL, &image, ERR));
    check_image(default_store(other), text("file://%s/image", dir), "abc", 3);
    OK(gs_delete(fast, uri, NULL, ERR));
    gs_image_free(image);
    gs_registry_free(other);
}

/* Threads that copy one image to many ids. */
struct copier { pthread_t thread; const char *uri, *id; };

static void *copy_in_thread(void *user)
{
    struct copier *copier = user;
    gs_image      *image = NULL;
    check_context("copy %s", copier->id);
    OK(gs_copy(cheap, copier->id, fast, copier->uri, NULL, &image, ERR));
    gs_image_free(image);
    return NULL;
}

static void many_at_once(void)
{
    size_t        len = small_run() ? 100 * KiB : MiB;
    uint8_t      *data = new_data(len, RANDOM_DATA);
    const char   *uri = add_bytes(fast, "image", data, len);
    struct copier copiers[16];
    for (int i = 0; i < 16; i++) {
        copiers[i] = (struct copier){ .uri = uri, .id = text("copy-%d", i) };
        copiers[i].thread = start(copy_in_thread, &copiers[i]);
    }
    for (int i = 0; i < 16; i++) {
        join(copiers[i].thread);
        check_image(cheap, text("file://%s/copy-%d", cheap_dir, i), data, len);
        OK(gs_delete(cheap, text("file://%s/copy-%d", cheap_dir, i), NULL, ERR));
    }
    OK(gs_delete(fast, uri, NULL, ERR));
    free(data);
}

int main(void)
{
    fast_dir = new_dir();
    cheap_dir = new_dir();
    gs_registry *reg = two_file_stores(fast_dir, cheap_dir);
    fast = gs_registry_get(reg, "fast");
    cheap = gs_registry_get(reg, "cheap");

    sizes();
    failing();
    across_registries();
    many_at_once();

    CHECK_STR("", listing(fast_dir));
    CHECK_STR("", listing(cheap_dir));
    gs_registry_free(reg);
    return check_result();
}
