/* gs_examine tells of a stored image what gs_add told, and checks what gs_add
 * would check; it stores nothing and changes nothing. */
#include "testing.h"

#include <stdlib.h>
#include <string.h>

static const char *dir;
static gs_store   *store;

static void same_as_add(size_t len, enum data_kind kind, const char *hash_name, uint32_t flags)
{
    uint8_t      *data = new_data(len, kind);
    struct source source = { .data = data, .len = len };
    gs_opts       opts = GS_OPTS_INIT;
    gs_image     *added = NULL, *examined = NULL;
    gs_image_info first = GS_IMAGE_INFO_INIT, second = GS_IMAGE_INFO_INIT;
    check_context("%zu bytes of kind %d, hash %s, flags %u", len, kind, hash_name ? hash_name : "none", flags);
    opts.hash_name = hash_name;
    opts.flags = flags;
    MUST(OK(gs_add(store, "image", len, source_read, &source, &opts, &added, ERR)));
    gs_image_get_info(added, &first);
    const char *before = listing(dir);
    if (OK(gs_examine(store, first.uri, &opts, &examined, ERR))) {
        gs_image_get_info(examined, &second);
        CHECK_STR(first.uri, second.uri);
        CHECK_STR(first.checksum, second.checksum);
        CHECK_STR(first.multihash, second.multihash);
        CHECK_STR(first.hash_name, second.hash_name);
        CHECK_STR(first.store_id, second.store_id);
        CHECK_STR("{}", second.metadata_json);
        CHECK_SIZE(len, second.size);
    }
    CHECK_STR(before, listing(dir));
    OK(gs_delete(store, first.uri, NULL, ERR));
    gs_image_free(examined);
    gs_image_free(added);
    free(data);
}

static void expected(const char *uri)
{
    static const struct { const char *checksum, *multihash; gs_status status; } rows[] = {
        { "900150983cd24fb0d6963f7d28e17f72", NULL, GS_OK },
        { "900150983CD24FB0D6963F7D28E17F72", NULL, GS_OK },
        { "900150983cd24fb0d6963f7d28e17f73", NULL, GS_VERIFY_FAILED },
        { "900150983cd24fb0d6963f7d28e17f7", NULL, GS_INVALID },
        { NULL, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", GS_OK },
        { NULL, "aa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", GS_VERIFY_FAILED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gs_opts   opts = GS_OPTS_INIT;
        gs_image *image = NULL;
        check_context("expected digest number %zu", i);
        opts.expect_checksum = rows[i].checksum;
        opts.expect_multihash = rows[i].multihash;
        opts.hash_name = "sha256";
        GIVES(rows[i].status, gs_examine(store, uri, &opts, &image, ERR));
        CHECK((rows[i].status == GS_OK) == (image != NULL));
        gs_image_free(image);
    }
}

struct watched { const uint8_t *data; size_t seen; uint64_t done; int answer; };

static int verify(void *user, const uint8_t *data, size_t len)
{
    struct watched *watched = user;
    CHECK(memcmp(watched->data + watched->seen, data, len) == 0);
    watched->seen += len;
    return watched->answer;
}

static int progress(void *user, uint64_t done, uint64_t total)
{
    struct watched *watched = user;
    (void)total;
    watched->done = done;
    return 0;
}

static void callbacks(void)
{
    size_t         len = small_run() ? 200 * KiB : 3 * MiB;
    uint8_t       *data = new_data(len, SPARSE_DATA);
    const char    *uri = add_bytes(store, "image", data, len);
    struct watched watched = { .data = data };
    gs_opts        opts = GS_OPTS_INIT;
    gs_image      *image = NULL;
    check_context("callbacks");
    opts.verify = verify;
    opts.verify_user = &watched;
    opts.progress = progress;
    opts.progress_user = &watched;
    OK(gs_examine(store, uri, &opts, &image, ERR));
    CHECK_SIZE(len, watched.seen);
    CHECK_SIZE(len, watched.done);
    gs_image_free(image);

    image = NULL;
    watched = (struct watched){ .data = data, .answer = 1 };
    FAILS(GS_VERIFY_FAILED, gs_examine(store, uri, &opts, &image, ERR));
    CHECK(image == NULL);
    check_image(store, uri, data, len);
    OK(gs_delete(store, uri, NULL, ERR));
    free(data);
}

int main(void)
{
    dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);

    for (int kind = RANDOM_DATA; kind <= ZERO_DATA; kind++) {
        same_as_add(0, kind, "sha256", 0);
        same_as_add(64 * KiB + 1, kind, "sha512", 0);
        same_as_add(64 * KiB + 1, kind, NULL, GS_NO_CHECKSUM);
        same_as_add(small_run() ? 200 * KiB : 3 * MiB + 1, kind, NULL, 0);
    }
    expected(add_bytes(store, "abc", "abc", 3));
    OK(gs_delete(store, text("file://%s/abc", dir), NULL, ERR));
    callbacks();

    CHECK_STR("", listing(dir));
    gs_registry_free(reg);
    return check_result();
}
