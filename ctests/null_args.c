/* NULL in every pointer position of every function: GS_INVALID with a message
 * that names the parameter where the header forbids it, the normal answer where
 * it says [nullable], a harmless value from functions that cannot fail. */
#include "testing.h"

static gs_config   *cfg;
static gs_registry *reg;
static gs_store    *store;
static const char  *dir;
static const char  *uri;
static uint8_t      bytes[4] = "abc";

/* The call must be refused and its message must name the parameter. */
#define REFUSES(parameter, call) \
    do { \
        if (FAILS(GS_INVALID, call)) \
            CHECK_HAS(parameter, failure.message); \
    } while (0)

static int64_t read_nothing(void *user, uint8_t *buf, size_t len)
{
    (void)user, (void)buf, (void)len;
    return 0;
}

static int write_anywhere(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    (void)user, (void)data, (void)len, (void)offset;
    return 0;
}

static void configuration(void)
{
    REFUSES("cfg", gs_config_load(NULL, "/etc/hosts", ERR));
    REFUSES("path", gs_config_load(cfg, NULL, ERR));
    REFUSES("cfg", gs_config_set(NULL, "g", "k", "v", ERR));
    REFUSES("key", gs_config_set(cfg, "g", NULL, "v", ERR));
    REFUSES("value", gs_config_set(cfg, "g", "k", NULL, ERR));
    REFUSES("cfg", gs_config_reserve_store(NULL, "id", "file", ERR));
    REFUSES("id", gs_config_reserve_store(cfg, NULL, "file", ERR));
    REFUSES("driver", gs_config_reserve_store(cfg, "id", NULL, ERR));
    OK(gs_config_set(cfg, NULL, "debug", "false", ERR));

    gs_config_set_log(NULL, GS_LOG_TRACE, NULL, NULL, NULL);
    gs_config_set_log(cfg, GS_LOG_TRACE, NULL, NULL, NULL);

    gs_registry *out = NULL;
    REFUSES("cfg", gs_registry_open(NULL, &out, ERR));
    REFUSES("out", gs_registry_open(cfg, NULL, ERR));
    CHECK(out == NULL);
}

static void registry(void)
{
    gs_store *out = NULL;
    CHECK_SIZE(0, gs_registry_count(NULL));
    CHECK(gs_registry_at(NULL, 0) == NULL);
    CHECK(gs_registry_get(NULL, "file") == NULL);
    CHECK(gs_registry_get(NULL, NULL) == NULL);
    CHECK(gs_registry_get(reg, NULL) == store);
    REFUSES("reg", gs_registry_resolve(NULL, uri, &out, ERR));
    REFUSES("uri", gs_registry_resolve(reg, NULL, &out, ERR));
    REFUSES("out", gs_registry_resolve(reg, uri, NULL, ERR));
    CHECK(out == NULL);

    gs_store_info info = GS_STORE_INFO_INIT;
    gs_store_get_info(NULL, &info);
    CHECK_SIZE(sizeof info, info.struct_size);
    gs_store_get_info(store, NULL);
    gs_store_get_info(NULL, NULL);
}

static void locations(void)
{
    gs_location *out = NULL;
    REFUSES("reg", gs_location_parse(NULL, store, uri, &out, ERR));
    REFUSES("uri", gs_location_parse(reg, store, NULL, &out, ERR));
    REFUSES("out", gs_location_parse(reg, store, uri, NULL, ERR));
    CHECK(out == NULL);

    OK(gs_location_parse(reg, NULL, uri, &out, ERR));
    gs_location_info info = GS_LOCATION_INFO_INIT;
    gs_location_get_info(NULL, &info);
    CHECK_SIZE(sizeof info, info.struct_size);
    gs_location_get_info(out, NULL);
    gs_location_get_info(NULL, NULL);
    gs_location_free(out);

    char buf[8] = "keep";
    CHECK_SIZE(0, gs_uri_redact(NULL, NULL, 0));
    CHECK_SIZE(0, gs_uri_redact(NULL, buf, 0));
    CHECK_STR("keep", buf);
    CHECK_SIZE(0, gs_uri_redact(NULL, buf, sizeof buf));
    CHECK_STR("", buf);
    CHECK_SIZE(9, gs_uri_redact("file:///a", NULL, 0));
    gs_uri_redact("file:///a", NULL, 100);
}

static void adding(void)
{
    gs_image *out = NULL;
    REFUSES("store", gs_add(NULL, "id", 0, read_nothing, NULL, NULL, &out, ERR));
    REFUSES("image_id", gs_add(store, NULL, 0, read_nothing, NULL, NULL, &out, ERR));
    REFUSES("read", gs_add(store, "id", 0, NULL, NULL, NULL, &out, ERR));
    REFUSES("out", gs_add(store, "id", 0, read_nothing, NULL, NULL, NULL, ERR));

    REFUSES("store", gs_add_fd(NULL, "id", 0, 0, NULL, &out, ERR));
    REFUSES("image_id", gs_add_fd(store, NULL, 0, 0, NULL, &out, ERR));
    REFUSES("out", gs_add_fd(store, "id", 0, 0, NULL, NULL, ERR));

    REFUSES("to", gs_copy(NULL, "id", store, uri, NULL, &out, ERR));
    REFUSES("image_id", gs_copy(store, NULL, store, uri, NULL, &out, ERR));
    REFUSES("from", gs_copy(store, "id", NULL, uri, NULL, &out, ERR));
    REFUSES("uri", gs_copy(store, "id", store, NULL, NULL, &out, ERR));
    REFUSES("out", gs_copy(store, "id", store, uri, NULL, NULL, ERR));

    REFUSES("store", gs_examine(NULL, uri, NULL, &out, ERR));
    REFUSES("uri", gs_examine(store, NULL, NULL, &out, ERR));
    REFUSES("out", gs_examine(store, uri, NULL, NULL, ERR));

    REFUSES("store", gs_examine(NULL, uri, NULL, &out, ERR));
    REFUSES("uri", gs_examine(store, NULL, NULL, &out, ERR));
    REFUSES("out", gs_examine(store, uri, NULL, NULL, ERR));
    CHECK(out == NULL);

    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_image_get_info(NULL, &info);
    CHECK_SIZE(sizeof info, info.struct_size);
    gs_image_get_info(NULL, NULL);
    OK(gs_copy(store, "copied", store, uri, NULL, &out, ERR));
    gs_image_get_info(out, NULL);
    gs_image_free(out);
    OK(gs_delete(store, text("file://%s/copied", dir), NULL, ERR));
}

static void getting(void)
{
    uint64_t size = 0;
    REFUSES("store", gs_get(NULL, uri, write_anywhere, NULL, NULL, ERR));
    REFUSES("uri", gs_get(store, NULL, write_anywhere, NULL, NULL, ERR));
    REFUSES("write", gs_get(store, uri, NULL, NULL, NULL, ERR));
    OK(gs_get(store, uri, write_anywhere, NULL, NULL, ERR));

    REFUSES("store", gs_get_fd(NULL, uri, 1, NULL, ERR));
    REFUSES("uri", gs_get_fd(store, NULL, 1, NULL, ERR));

    REFUSES("store", gs_get_size(NULL, uri, NULL, &size, ERR));
    REFUSES("uri", gs_get_size(store, NULL, NULL, &size, ERR));
    REFUSES("out", gs_get_size(store, uri, NULL, NULL, ERR));

    REFUSES("store", gs_delete(NULL, uri, NULL, ERR));
    REFUSES("uri", gs_delete(store, NULL, NULL, ERR));

    REFUSES("store", gs_set_acls(NULL, uri, false, NULL, NULL, NULL, ERR));
    REFUSES("uri", gs_set_acls(store, NULL, false, NULL, NULL, NULL, ERR));
    FAILS(GS_NOT_SUPPORTED, gs_set_acls(store, uri, true, NULL, NULL, NULL, ERR));
}

static void reading(void)
{
    gs_reader *reader = NULL;
    REFUSES("store", gs_reader_open(NULL, uri, NULL, &reader, ERR));
    REFUSES("uri", gs_reader_open(store, NULL, NULL, &reader, ERR));
    REFUSES("out", gs_reader_open(store, uri, NULL, NULL, ERR));
    CHECK(reader == NULL);
    CHECK_SIZE(0, gs_reader_size(NULL));

    uint8_t buf[4];
    size_t  count = 4711;
    MUST(OK(gs_reader_open(store, uri, NULL, &reader, ERR)));
    REFUSES("reader", gs_reader_pread(NULL, buf, sizeof buf, 0, &count, ERR));
    REFUSES("buf", gs_reader_pread(reader, NULL, sizeof buf, 0, &count, ERR));
    REFUSES("out_len", gs_reader_pread(reader, buf, sizeof buf, 0, NULL, ERR));
    CHECK_SIZE(4711, count);
    OK(gs_reader_pread(reader, NULL, 0, 0, &count, ERR));
    CHECK_SIZE(0, count);
    gs_reader_free(reader);
}

/* The details are optional: every fallible function works without them. */
static void no_error_wanted(void)
{
    gs_registry *registry = NULL;
    gs_store    *found = NULL;
    gs_location *location = NULL;
    gs_image    *image = NULL;
    gs_reader   *reader = NULL;
    uint64_t     size;
    size_t       count;
    CHECK_INT(GS_INVALID, gs_config_load(cfg, NULL, NULL));
    CHECK_INT(GS_INVALID, gs_config_set(cfg, NULL, NULL, "v", NULL));
    CHECK_INT(GS_INVALID, gs_config_reserve_store(cfg, "id", NULL, NULL));
    CHECK_INT(GS_INVALID, gs_registry_open(NULL, &registry, NULL));
    CHECK_INT(GS_UNKNOWN_SCHEME, gs_registry_resolve(reg, "nonesuch://x", &found, NULL));
    CHECK_INT(GS_UNKNOWN_SCHEME, gs_location_parse(reg, NULL, "nonesuch://x", &location, NULL));
    CHECK_INT(GS_INVALID, gs_add(store, "a/b", 0, read_nothing, NULL, NULL, &image, NULL));
    CHECK_INT(GS_INVALID, gs_add_fd(store, "a/b", 0, 0, NULL, &image, NULL));
    CHECK_INT(GS_INVALID, gs_copy(store, "a/b", store, uri, NULL, &image, NULL));
    const char *absent = text("file://%s/absent", dir);
    CHECK_INT(GS_NOT_FOUND, gs_get(store, absent, write_anywhere, NULL, NULL, NULL));
    CHECK_INT(GS_NOT_FOUND, gs_get_fd(store, absent, 2, NULL, NULL));
    CHECK_INT(GS_NOT_FOUND, gs_examine(store, absent, NULL, &image, NULL));
    CHECK_INT(GS_NOT_FOUND, gs_get_size(store, absent, NULL, &size, NULL));
    CHECK_INT(GS_NOT_FOUND, gs_delete(store, absent, NULL, NULL));
    CHECK_INT(GS_NOT_SUPPORTED, gs_set_acls(store, uri, true, NULL, NULL, NULL, NULL));
    CHECK_INT(GS_NOT_FOUND, gs_reader_open(store, absent, NULL, &reader, NULL));
    CHECK_INT(GS_OK, gs_get_size(store, uri, NULL, &size, NULL));
    CHECK_INT(GS_OK, gs_reader_open(store, uri, NULL, &reader, NULL));
    CHECK_INT(GS_INVALID, gs_reader_pread(reader, NULL, 1, 0, &count, NULL));
    gs_reader_free(reader);
}

static void errors(void)
{
    CHECK_INT(GS_OK, gs_error_status(NULL));
    CHECK_STR("", gs_error_message(NULL));
    CHECK_STR("", gs_error_name(NULL));
    CHECK_INT(0, gs_error_errno(NULL));
    CHECK_INT(0, gs_error_http_status(NULL));
    CHECK(!gs_error_retryable(NULL));
    CHECK(!gs_has(NULL));
}

static void frees(void)
{
    gs_cancel_trigger(NULL);
    gs_cancel_free(NULL);
    gs_error_free(NULL);
    gs_config_free(NULL);
    gs_registry_free(NULL);
    gs_location_free(NULL);
    gs_image_free(NULL);
    gs_reader_free(NULL);
}

int main(void)
{
    dir = new_dir();
    cfg = config_of(SETTINGS({ "glance_store", "stores", "file" },
                             { "glance_store", "filesystem_store_datadir", dir }));
    MUST(OK(gs_registry_open(cfg, &reg, ERR)));
    store = default_store(reg);
    uri = add_bytes(store, "image", bytes, 3);
    const char *before = listing(dir);

    configuration();
    registry();
    locations();
    adding();
    getting();
    reading();
    no_error_wanted();
    errors();
    frees();

    CHECK_STR(before, listing(dir));
    gs_registry_free(reg);
    gs_config_free(cfg);
    return check_result();
}
