/* Hostile text in every string parameter: bytes that are not UTF-8 are
 * GS_INVALID everywhere; the empty string and one MiB of text get the status
 * that the parameter documents. The message stays one line of a sane length
 * (FAILS checks that), is UTF-8 itself and never repeats a whole MiB. */
#include "testing.h"

#include <string.h>

static const char  *dir;
static gs_registry *reg;
static gs_store    *store;
static const char  *uri;

static gs_status config_load(const char *value)
{
    gs_config *cfg = gs_config_new();
    gs_status  status = RETURNS(gs_config_load(cfg, value, ERR));
    gs_config_free(cfg);
    return status;
}

static gs_status set_and_open(const char *group, const char *key, const char *value)
{
    return try_open(SETTINGS({ "glance_store", "stores", "file" },
                               { "glance_store", "filesystem_store_datadir", dir }, { group, key, value }));
}

static gs_status config_group(const char *value) { return set_and_open(value, "filesystem_store_datadir", dir); }
static gs_status config_key(const char *value) { return set_and_open("glance_store", value, "1"); }
static gs_status config_value(const char *value) { return set_and_open("glance_store", "filesystem_store_chunk_size", value); }
static gs_status config_stores(const char *value) { return set_and_open("glance_store", "default_store", value); }

static gs_status reserve(const char *id, const char *driver)
{
    gs_config   *cfg = config_of(SETTINGS({ NULL, "enabled_backends", "fast:file" },
                                          { "glance_store", "default_backend", "fast" },
                                          { "fast", "filesystem_store_datadir", dir }));
    gs_registry *opened = NULL;
    gs_status    status = RETURNS(gs_config_reserve_store(cfg, id, driver, ERR));
    if (status == GS_OK)
        status = RETURNS(gs_registry_open(cfg, &opened, ERR));
    gs_registry_free(opened);
    gs_config_free(cfg);
    return status;
}

static gs_status reserved_id(const char *value) { return reserve(value, "file"); }
static gs_status reserved_driver(const char *value) { return reserve("spare", value); }

static gs_status resolve(const char *value)
{
    gs_store *found = NULL;
    gs_status status = RETURNS(gs_registry_resolve(reg, value, &found, ERR));
    CHECK(status == GS_OK ? found == store : found == NULL);
    return status;
}

static gs_status parse(const char *value)
{
    gs_location *location = NULL;
    gs_status    status = RETURNS(gs_location_parse(reg, store, value, &location, ERR));
    CHECK((status == GS_OK) == (location != NULL));
    gs_location_free(location);
    return status;
}

static gs_status add_named(const char *id, const gs_opts *opts)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    gs_status     status = RETURNS(gs_add(store, id, 3, source_read, &source, opts, &image, ERR));
    CHECK(image == NULL);
    CHECK_INT(0, source.calls);
    return status;
}

static gs_status add_id(const char *value) { return add_named(value, NULL); }

static gs_status add_hash_name(const char *value)
{
    gs_opts opts = GS_OPTS_INIT;
    opts.hash_name = value;
    return add_named("new", &opts);
}

static gs_status add_checksum(const char *value)
{
    gs_opts opts = GS_OPTS_INIT;
    opts.expect_checksum = value;
    return add_named("new", &opts);
}

static gs_status add_multihash(const char *value)
{
    gs_opts opts = GS_OPTS_INIT;
    opts.hash_name = "sha256";
    opts.expect_multihash = value;
    return add_named("new", &opts);
}

static gs_status add_fd_id(const char *value)
{
    gs_image *image = NULL;
    gs_status status = RETURNS(gs_add_fd(store, value, GS_SIZE_UNKNOWN, 0, NULL, &image, ERR));
    CHECK(image == NULL);
    return status;
}

static gs_status copy_id(const char *value)
{
    gs_image *image = NULL;
    gs_status status = RETURNS(gs_copy(store, value, store, uri, NULL, &image, ERR));
    CHECK(image == NULL);
    return status;
}

static gs_status copy_uri(const char *value)
{
    gs_image *image = NULL;
    gs_status status = RETURNS(gs_copy(store, "new", store, value, NULL, &image, ERR));
    CHECK(image == NULL);
    return status;
}

static gs_status get(const char *value)
{
    struct sink sink = { 0 };
    gs_status   status = RETURNS(gs_get(store, value, sink_write, &sink, NULL, ERR));
    CHECK_INT(0, sink.calls);
    return status;
}

static gs_status get_fd(const char *value) { return RETURNS(gs_get_fd(store, value, 1, NULL, ERR)); }

static gs_status examine(const char *value)
{
    gs_image *image = NULL;
    gs_status status = RETURNS(gs_examine(store, value, NULL, &image, ERR));
    CHECK(image == NULL);
    return status;
}

static gs_status get_size(const char *value)
{
    uint64_t size;
    return RETURNS(gs_get_size(store, value, NULL, &size, ERR));
}

static gs_status delete(const char *value) { return RETURNS(gs_delete(store, value, NULL, ERR)); }

static gs_status set_acls(const char *value)
{
    return RETURNS(gs_set_acls(store, value, false, NULL, NULL, NULL, ERR));
}

static gs_status acl_reader(const char *value)
{
    const char *const readers[] = { "tenant", value, NULL };
    return RETURNS(gs_set_acls(store, uri, false, readers, NULL, NULL, ERR));
}

static gs_status acl_writer(const char *value)
{
    const char *const writers[] = { value, NULL };
    return RETURNS(gs_set_acls(store, uri, false, NULL, writers, NULL, ERR));
}

static gs_status reader_open(const char *value)
{
    gs_reader *reader = NULL;
    gs_status  status = RETURNS(gs_reader_open(store, value, NULL, &reader, ERR));
    CHECK(reader == NULL);
    return status;
}

static gs_status in_context(size_t field, const char *value)
{
    gs_context context = GS_CONTEXT_INIT;
    gs_opts    opts = GS_OPTS_INIT;
    uint64_t   size;
    memcpy((char *)&context + field, &value, sizeof value);
    opts.context = &context;
    return RETURNS(gs_get_size(store, uri, &opts, &size, ERR));
}

static gs_status context_user(const char *value) { return in_context(offsetof(gs_context, user_id), value); }
static gs_status context_project(const char *value) { return in_context(offsetof(gs_context, project_id), value); }
static gs_status context_token(const char *value) { return in_context(offsetof(gs_context, auth_token), value); }
static gs_status context_catalog(const char *value) { return in_context(offsetof(gs_context, service_catalog_json), value); }
static gs_status context_request(const char *value) { return in_context(offsetof(gs_context, request_id), value); }

enum { ANY = -1 }; /* whatever failure fits the parameter, GS_OK included */

static const struct {
    const char *parameter;
    gs_status (*call)(const char *value);
    gs_status   when_empty, when_long;
} parameters[] = {
    { "gs_config_load path", config_load, ANY, GS_BAD_CONFIG },
    { "gs_config_set group", config_group, GS_INVALID, ANY },
    { "gs_config_set key", config_key, GS_INVALID, GS_BAD_CONFIG },
    { "gs_config_set value", config_value, ANY, GS_BAD_CONFIG },
    { "gs_config_set default_store", config_stores, ANY, GS_BAD_CONFIG },
    { "gs_config_reserve_store id", reserved_id, GS_INVALID, ANY },
    { "gs_config_reserve_store driver", reserved_driver, GS_INVALID, GS_BAD_CONFIG },
    { "gs_registry_resolve uri", resolve, GS_UNKNOWN_SCHEME, GS_UNKNOWN_SCHEME },
    { "gs_location_parse uri", parse, GS_UNKNOWN_SCHEME, GS_UNKNOWN_SCHEME },
    { "gs_add image_id", add_id, GS_INVALID, GS_INVALID },
    { "gs_add hash_name", add_hash_name, GS_UNKNOWN_HASH, GS_UNKNOWN_HASH },
    { "gs_add expect_checksum", add_checksum, GS_INVALID, GS_INVALID },
    { "gs_add expect_multihash", add_multihash, GS_INVALID, GS_INVALID },
    { "gs_add_fd image_id", add_fd_id, GS_INVALID, GS_INVALID },
    { "gs_copy image_id", copy_id, GS_INVALID, GS_INVALID },
    { "gs_copy uri", copy_uri, GS_UNKNOWN_SCHEME, GS_UNKNOWN_SCHEME },
    { "gs_get uri", get, GS_UNKNOWN_SCHEME, GS_UNKNOWN_SCHEME },
    { "gs_get_fd uri", get_fd, GS_UNKNOWN_SCHEME, GS_UNKNOWN_SCHEME },
    { "gs_examine uri", examine, GS_UNKNOWN_SCHEME, GS_UNKNOWN_SCHEME },
    { "gs_get_size uri", get_size, GS_UNKNOWN_SCHEME, GS_UNKNOWN_SCHEME },
    { "gs_delete uri", delete, GS_UNKNOWN_SCHEME, GS_UNKNOWN_SCHEME },
    { "gs_set_acls uri", set_acls, ANY, ANY },
    { "gs_set_acls readers", acl_reader, GS_NOT_SUPPORTED, GS_NOT_SUPPORTED },
    { "gs_set_acls writers", acl_writer, GS_NOT_SUPPORTED, GS_NOT_SUPPORTED },
    { "gs_reader_open uri", reader_open, GS_UNKNOWN_SCHEME, GS_UNKNOWN_SCHEME },
    { "gs_context user_id", context_user, GS_OK, ANY },
    { "gs_context project_id", context_project, GS_OK, ANY },
    { "gs_context auth_token", context_token, GS_OK, ANY },
    { "gs_context service_catalog_json", context_catalog, ANY, ANY },
    { "gs_context request_id", context_request, GS_OK, ANY },
};

static bool is_utf8(const char *string)
{
    const unsigned char *at = (const unsigned char *)string;
    while (*at) {
        int more = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : *at >= 0xe0 && *at < 0xf0 ? 2 : *at >= 0xf0 && *at < 0xf5 ? 3 : -1;
        if (more < 0)
            return false;
        for (at++; more > 0; more--, at++)
            if ((*at & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static void expect(gs_status want, gs_status got)
{
    if (want != ANY)
        CHECK_STR(status_name(want), status_name(got));
    CHECK(is_utf8(failure.message));
}

static void not_utf8(void)
{
    static const char *const broken[] = {
        "\xff", "file:///\xc3\x28", "id\x80", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "file:///tmp/\xe2\x82",
    };
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        for (size_t j = 0; j < sizeof broken / sizeof *broken; j++) {
            check_context("%s, bad UTF-8 number %zu", parameters[i].parameter, j);
            expect(GS_INVALID, parameters[i].call(broken[j]));
            CHECK_HAS("UTF-8", failure.message);
        }

    check_context("functions that cannot fail, bad UTF-8");
    for (size_t j = 0; j < sizeof broken / sizeof *broken; j++) {
        char safe[64] = "";
        CHECK(!gs_has(broken[j]));
        CHECK(gs_registry_get(reg, broken[j]) == NULL);
        gs_uri_redact(broken[j], safe, sizeof safe);
        CHECK(is_utf8(safe));
    }
}

static void empty(void)
{
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        check_context("%s, empty", parameters[i].parameter);
        expect(parameters[i].when_empty, parameters[i].call(""));
    }
    check_context("functions that cannot fail, empty");
    char safe[8] = "x";
    CHECK(!gs_has(""));
    CHECK(gs_registry_get(reg, "") == NULL);
    CHECK_SIZE(0, gs_uri_redact("", safe, sizeof safe));
    CHECK_STR("", safe);
}

static void one_mebibyte(void)
{
    const char *lengthy = repeated('a', MiB);
    const char *path = text("file://%s/%s", dir, lengthy);
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        check_context("%s, 1 MiB", parameters[i].parameter);
        expect(parameters[i].when_long, parameters[i].call(lengthy));
    }

    check_context("a path of 1 MiB");
    CHECK(get(path) != GS_OK);
    CHECK(get_size(path) != GS_OK);
    CHECK(delete(path) != GS_OK);
    CHECK(reader_open(path) != GS_OK);

    check_context("functions that cannot fail, 1 MiB");
    char safe[16];
    CHECK(!gs_has(lengthy));
    CHECK(gs_registry_get(reg, lengthy) == NULL);
    CHECK_SIZE(MiB, gs_uri_redact(lengthy, safe, sizeof safe));
    CHECK_STR("aaaaaaaaaaaaaaa", safe);
}

/* Line ends and control characters must not break a log line. */
static void control_characters(void)
{
    static const char *const nasty[] = { "a\nb", "\r\n", "file:///a\nb", "\033[31mred", "tab\there", "\x7f" };
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        for (size_t j = 0; j < sizeof nasty / sizeof *nasty; j++) {
            check_context("%s, control character number %zu", parameters[i].parameter, j);
            expect(ANY, parameters[i].call(nasty[j]));
        }
}

int main(void)
{
    dir = new_dir();
    reg = file_registry(dir);
    store = default_store(reg);
    uri = add_bytes(store, "image", "abc", 3);
    const char *before = listing(dir);

    not_utf8();
    empty();
    one_mebibyte();
    control_characters();

    CHECK_STR(before, listing(dir));
    gs_registry_free(reg);
    return check_result();
}
