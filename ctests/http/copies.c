/* gs_copy from a web server into a file store: checked on the way, all of it or nothing. */
#include "web.h"

#include <stdlib.h>
#include <string.h>

static gs_store   *web, *disk;
static const char *dir, *md5, *sha256;
static size_t      len;
static uint8_t    *data;

static void copies(const char *path)
{
    gs_opts       opts = GS_OPTS_INIT;
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    check_context("a copy from %s", path);
    opts.hash_name = "sha256";
    opts.expect_checksum = md5;
    opts.expect_multihash = sha256;
    if (!OK(gs_copy(disk, "copy", web, plain(path), &opts, &image, ERR)))
        return;
    gs_image_get_info(image, &info);
    CHECK_SIZE(len, info.size);
    CHECK_STR(md5, info.checksum);
    CHECK_STR(sha256, info.multihash);
    CHECK_STR("disk", info.store_id);
    check_image(disk, info.uri, data, len);
    OK(gs_delete(disk, info.uri, NULL, ERR));
    gs_image_free(image);
}

static void nothing_remains(gs_status status, const char *path, const gs_opts *opts)
{
    gs_image *image = NULL;
    FAILS(status, gs_copy(disk, "copy", web, plain(path), opts, &image, ERR));
    CHECK(image == NULL);
    CHECK_STR("", listing(dir));
}

static void failures(void)
{
    gs_opts opts = GS_OPTS_INIT;
    check_context("a copy of what is not there");
    nothing_remains(GS_NOT_FOUND, "/missing", NULL);
    check_context("a copy with another checksum");
    opts.expect_checksum = "00000000000000000000000000000000";
    nothing_remains(GS_VERIFY_FAILED, "/image", &opts);
    nothing_remains(GS_VERIFY_FAILED, "/unknown/image", &opts);
    check_context("a copy into the web");
    gs_image *image = NULL;
    FAILS(GS_ADD_DISABLED, gs_copy(web, "copy", web, plain("/image"), NULL, &image, ERR));
}

/* A get that expects a digest is checked over HTTP too. */
static void expected_digests(void)
{
    gs_opts     opts = GS_OPTS_INIT;
    struct sink sink = { 0 };
    check_context("a get with a digest");
    opts.expect_checksum = md5;
    if (OK(gs_get(web, plain("/image"), sink_write, &sink, &opts, ERR)))
        CHECK_BYTES(data, len, sink.data, sink.len);
    sink_free(&sink);
    opts.expect_checksum = "00000000000000000000000000000000";
    FAILS(GS_VERIFY_FAILED, gs_get(web, plain("/image"), sink_write, &sink, &opts, ERR));
    sink_free(&sink);
}

static int stop_at_once(void *user, uint64_t done, uint64_t total)
{
    *(uint64_t *)user = total;
    return done > 0;
}

/* From a server that would take minutes. */
static void cancelled(void)
{
    gs_opts  opts = GS_OPTS_INIT;
    uint64_t total = 0;
    check_context("a copy that is stopped");
    serve("large", data, len);
    opts.progress = stop_at_once;
    opts.progress_user = &total;
    nothing_remains(GS_CANCELLED, "/slow/large", &opts);
    CHECK_SIZE(len, total);
    check_context("a copy that takes too long");
    opts = (gs_opts)GS_OPTS_INIT;
    opts.timeout_ms = 500;
    nothing_remains(GS_TIMEOUT, "/slow/large", &opts);
}

int main(void)
{
    dir = new_dir();
    gs_registry *reg = web_and_disk(dir);
    web = gs_registry_get(reg, "web");
    disk = gs_registry_get(reg, "disk");
    len = small_run() ? 2 * MiB : 24 * MiB + 3;
    data = new_data(len, RANDOM_DATA);
    serve("image", data, len);
    const char *source = text("%s/image", nginx("NGINX_IMAGES"));
    md5 = digest_of("md5sum", source);
    sha256 = digest_of("sha256sum", source);

    copies("/image");
    copies("/no-range/image");
    copies("/unknown/image");
    copies("/redirect/path/308/image");
    failures();
    expected_digests();
    cancelled();

    free(data);
    gs_registry_free(reg);
    return check_result();
}
