/* Every failure that a file store can meet: its status, the name of glance_store's
 * exception, errno, a message that names the thing, and no other output. */
#include "testing.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static const char  *dir;
static gs_registry *reg;
static gs_store    *store;
static const char  *uri;

static void expect(const char *name, const char *part)
{
    CHECK_STR(name, failure.name);
    CHECK_HAS(part, failure.message);
    CHECK_INT(0, failure.http_status);
}

static gs_status add(const char *id, uint64_t size, gs_read_fn read, const gs_opts *opts)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = (gs_image *)&source;
    gs_status     status = gs_add(store, id, size, read, &source, opts, &image, ERR);
    CHECK(image == (gs_image *)&source);
    return status;
}

static int64_t broken_read(void *user, uint8_t *buf, size_t len)
{
    (void)user, (void)buf, (void)len;
    return -EIO;
}

static int broken_write(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    (void)user, (void)data, (void)len, (void)offset;
    return -ENOSPC;
}

static void absent(void)
{
    const char *gone = text("file://%s/gone", dir);
    struct sink sink = { 0 };
    uint64_t    size = 4711;
    gs_reader  *reader = (gs_reader *)&sink;
    gs_image   *image = (gs_image *)&sink;
    FAILS(GS_NOT_FOUND, gs_get(store, gone, sink_write, &sink, NULL, ERR));
    expect("NotFound", gone);
    CHECK(!failure.retryable);
    FAILS(GS_NOT_FOUND, gs_get_fd(store, gone, 1, NULL, ERR));
    expect("NotFound", gone);
    FAILS(GS_NOT_FOUND, gs_get_size(store, gone, NULL, &size, ERR));
    expect("NotFound", gone);
    FAILS(GS_NOT_FOUND, gs_delete(store, gone, NULL, ERR));
    expect("NotFound", gone);
    FAILS(GS_NOT_FOUND, gs_reader_open(store, gone, NULL, &reader, ERR));
    expect("NotFound", gone);
    FAILS(GS_NOT_FOUND, gs_examine(store, gone, NULL, &image, ERR));
    expect("NotFound", gone);
    FAILS(GS_NOT_FOUND, gs_copy(store, "new", store, gone, NULL, &image, ERR));
    expect("NotFound", gone);
    CHECK_INT(0, sink.calls);
    CHECK_SIZE(4711, size);
    CHECK(reader == (gs_reader *)&sink);
    CHECK(image == (gs_image *)&sink);
}

static void adding(void)
{
    gs_opts opts = GS_OPTS_INIT;
    FAILS(GS_DUPLICATE, add("image", 3, source_read, NULL));
    expect("Duplicate", "image");
    FAILS(GS_INVALID, add("../image", 3, source_read, NULL));
    CHECK_HAS("../image", failure.message);
    opts.hash_name = "md6";
    FAILS(GS_UNKNOWN_HASH, add("new", 3, source_read, &opts));
    expect("UnknownHashingAlgo", "md6");
    FAILS(GS_SIZE_MISMATCH, add("new", 4, source_read, NULL));
    expect("Invalid", "4");
    FAILS(GS_CALLBACK, add("new", 3, broken_read, NULL));
    CHECK_INT(EIO, failure.errnum);
    CHECK_HAS("read", failure.message);
    opts = (gs_opts)GS_OPTS_INIT;
    opts.expect_checksum = "00000000000000000000000000000000";
    FAILS(GS_VERIFY_FAILED, add("new", 3, source_read, &opts));
    CHECK_HAS("900150983cd24fb0d6963f7d28e17f72", failure.message);
    CHECK_HAS("00000000000000000000000000000000", failure.message);
}

static void getting(void)
{
    FAILS(GS_CALLBACK, gs_get(store, uri, broken_write, NULL, NULL, ERR));
    CHECK_INT(ENOSPC, failure.errnum);
    CHECK_HAS("write", failure.message);
    FAILS(GS_FORBIDDEN, gs_get(store, "file:///etc/hostname", broken_write, NULL, NULL, ERR));
    expect("Forbidden", "/etc/hostname");
    FAILS(GS_BAD_URI, gs_get(store, "file://elsewhere/image", broken_write, NULL, NULL, ERR));
    expect("BadStoreUri", "elsewhere");
    FAILS(GS_UNKNOWN_SCHEME, gs_get(store, "gopher://h/image", broken_write, NULL, NULL, ERR));
    expect("UnknownScheme", "gopher");
    CHECK(mkdir(text("%s/folder", dir), 0700) == 0);
    FAILS(GS_FORBIDDEN, gs_delete(store, text("file://%s/folder", dir), NULL, ERR));
    expect("Forbidden", "folder");
    CHECK(rmdir(text("%s/folder", dir)) == 0);
    FAILS(GS_NOT_SUPPORTED, gs_set_acls(store, uri, true, NULL, NULL, NULL, ERR));
    CHECK_HAS("access", failure.message);
}

static void stopping(void)
{
    gs_opts opts = GS_OPTS_INIT;
    opts.cancel = gs_cancel_new();
    gs_cancel_trigger(opts.cancel);
    FAILS(GS_CANCELLED, add("new", 3, source_read, &opts));
    CHECK_HAS("cancel", failure.message);
    gs_cancel_free(opts.cancel);

    int pipe_ends[2];
    gs_image *image = NULL;
    CHECK(pipe(pipe_ends) == 0);
    opts = (gs_opts)GS_OPTS_INIT;
    opts.timeout_ms = 1;
    FAILS(GS_TIMEOUT, gs_add_fd(store, "new", GS_SIZE_UNKNOWN, pipe_ends[0], &opts, &image, ERR));
    CHECK_STR("TimeoutError", failure.name);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void resolving(void)
{
    gs_store    *found = (gs_store *)&found;
    gs_location *location = (gs_location *)&found;
    FAILS(GS_UNKNOWN_SCHEME, gs_registry_resolve(reg, "s3://bucket/x", &found, ERR));
    expect("UnknownScheme", "s3");
    CHECK(found == (gs_store *)&found);
    FAILS(GS_BAD_URI, gs_location_parse(reg, NULL, "file://", &location, ERR));
    expect("BadStoreUri", "file://");
    CHECK(location == (gs_location *)&found);
}

static void configuring(void)
{
    gs_config   *cfg = config_of(SETTINGS({ "glance_store", "stores", "nonesuch" }));
    gs_registry *opened = (gs_registry *)&cfg;
    FAILS(GS_BAD_CONFIG, gs_registry_open(cfg, &opened, ERR));
    expect("BadStoreConfiguration", "nonesuch");
    CHECK(opened == (gs_registry *)&cfg);
    gs_config_free(cfg);
}

/* Permissions without the right to read misconfigure a store for writing. */
static void misconfigured(void)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_registry  *closed = registry_of(SETTINGS({ "glance_store", "stores", "file" },
                                                { "glance_store", "filesystem_store_datadir", dir },
                                                { "glance_store", "filesystem_store_file_perm", "7" }));
    gs_image     *image = NULL;
    FAILS(GS_ADD_DISABLED, gs_add(default_store(closed), "new", 3, source_read, &source, NULL, &image, ERR));
    CHECK_STR("StoreAddDisabled", failure.name);
    FAILS(GS_NOT_SUPPORTED, gs_delete(default_store(closed), uri, NULL, ERR));
    CHECK_STR("StoreDeleteNotSupported", failure.name);
    gs_registry_free(closed);
}

int main(void)
{
    dir = new_dir();
    reg = file_registry(dir);
    store = default_store(reg);
    uri = add_bytes(store, "image", "abc", 3);
    const char *before = listing(dir);

    absent();
    adding();
    getting();
    stopping();
    resolving();
    configuring();
    misconfigured();

    CHECK_STR(before, listing(dir));
    check_image(store, uri, "abc", 3);
    gs_registry_free(reg);
    return check_result();
}
