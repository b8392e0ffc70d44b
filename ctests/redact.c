/* No secret of a URI reaches a message, a log line or a safe URI, whatever the
 * string looks like; what makes it recognisable stays. */
#include "testing.h"

#include <string.h>

#define SECRET "hunter2"

static const struct {
    const char *uri;
    const char *stays; /* NULL: nothing need be recognisable */
} secrets[] = {
    { "swift+https://user:hunter2@auth.example/v1/container/object", "auth.example/v1/container/object" },
    { "swift://account%3Auser:hunter2@auth.example/v1/c/o", "auth.example" },
    { "s3://AKIA:hunter2@s3.example/bucket/object", "s3.example/bucket/object" },
    { "s3+https://AKIA:pre/hunter2/post@s3.example/bucket/object", "s3.example/bucket/object" },
    { "s3://AKIA:a+b/hunter2==@s3.example/bucket", "s3.example/bucket" },
    { "https://user:hunter2@mirror.example:8443/image.raw", "mirror.example:8443/image.raw" },
    { "https://user:a@hunter2@mirror.example/image.raw", "mirror.example/image.raw" },
    { "https://hunter2@mirror.example/image.raw", "mirror.example/image.raw" },
    { "https://:hunter2@mirror.example/image.raw", "mirror.example/image.raw" },
    { "https://mirror.example/image.raw?X-Amz-Signature=hunter2", "mirror.example/image.raw" },
    { "https://mirror.example/i?temp_url_sig=hunter2&temp_url_expires=12", "mirror.example/i" },
    { "https://mirror.example/i?a=1&b=hunter2&c=3", "mirror.example/i" },
    { "https://mirror.example/i?a=1;b=hunter2", "mirror.example/i" },
    { "https://mirror.example/i?hunter2", "mirror.example/i" },
    { "https://mirror.example/i?a=b=hunter2", "mirror.example/i" },
    { "HTTPS://User:hunter2@Mirror.Example/Image", "Image" },
    { "vsphere://root:hunter2@vc.example/folder/x?dcPath=dc&dsName=hunter2", "vc.example/folder/x" },
    { "file://user:hunter2@host/path", "/path" },
    { "nonesuch://user:hunter2@host/path", "host/path" },
    { "://user:hunter2@host/path", "host/path" },
    { "//user:hunter2@host/path", "host/path" },
    { "user:hunter2@host/path", "host/path" },
    { "https:/user:hunter2@host/path", "host/path" },
    { "https://user:pre/hunter2@host/path", "host/path" },
    { "https://user:pre?hunter2@host/path", NULL },
    { "https://user:pre#hunter2@host/path", NULL },
    { "https://user:hunter2@", NULL },
    { "https://user:hunter2@[::1/path", NULL },
    { "https://user:hunter2@host:99999999/path", "host" },
    { "  https://user:hunter2@host/path", "host/path" },
    { "https://user:\thunter2@host/path", "host/path" },
    { "https://user:hunter2\n@host/path", "host/path" },
    { "failed to fetch https://user:hunter2@host/path?sig=hunter2: refused", NULL },
};

static const char *const unchanged[] = {
    "", "x", "file:///var/lib/glance/images/1b2c", "https://mirror.example/image.raw", "https://mirror.example:8443/a@b/image.raw",
    "rbd://fsid/pool/image/snap", "cinder://1b2c", "file:///a%20b;p=1", "plain text", "\xc3\xa9",
};

static void redacting(void)
{
    char safe[512];
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        check_context("%s", secrets[i].uri);
        size_t needed = gs_uri_redact(secrets[i].uri, safe, sizeof safe);
        CHECK_SIZE(strlen(safe), needed);
        CHECK_LACKS(SECRET, safe);
        CHECK_HAS("***", safe);
        if (secrets[i].stays)
            CHECK_HAS(secrets[i].stays, safe);

        char again[512];
        gs_uri_redact(safe, again, sizeof again);
        CHECK_STR(safe, again);
    }
    for (size_t i = 0; i < sizeof unchanged / sizeof *unchanged; i++) {
        check_context("%s", unchanged[i]);
        CHECK_SIZE(strlen(unchanged[i]), gs_uri_redact(unchanged[i], safe, sizeof safe));
        CHECK_STR(unchanged[i], safe);
    }
}

/* As snprintf: the length needed, never more than `len` bytes, always a NUL. */
static void like_snprintf(void)
{
    static const char uri[] = "https://user:hunter2@host/path?sig=hunter2";
    char              whole[128], part[128];
    size_t            needed = gs_uri_redact(uri, whole, sizeof whole);
    check_context("as snprintf");
    CHECK_SIZE(strlen(whole), needed);
    CHECK_SIZE(needed, gs_uri_redact(uri, NULL, 0));
    for (size_t len = 0; len <= needed + 1; len++) {
        memset(part, '#', sizeof part);
        CHECK_SIZE(needed, gs_uri_redact(uri, part, len));
        if (len > 0) {
            CHECK_SIZE(len - 1 < needed ? len - 1 : needed, strnlen(part, len));
            CHECK(memcmp(part, whole, strlen(part)) == 0);
        }
        for (size_t i = len; i < sizeof part; i++)
            CHECK_INT('#', part[i]);
    }
}

/* Every one and two byte string, and every prefix of a URI with secrets. */
static void any_string(void)
{
    char safe[64];
    check_context("any string");
    for (int first = 1; first < 256; first++)
        for (int second = 0; second < 256; second++) {
            char odd[] = { (char)first, (char)second, 0 };
            gs_uri_redact(odd, safe, sizeof safe);
            CHECK(memchr(safe, 0, sizeof safe) != NULL);
        }
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        for (size_t len = 0; len <= strlen(secrets[i].uri); len++)
            gs_uri_redact(text("%.*s", (int)len, secrets[i].uri), safe, sizeof safe);
}

struct lines { unsigned count; };

static void watch(void *user, int32_t level, const char *target, const char *message)
{
    struct lines *lines = user;
    lines->count++;
    CHECK(level >= GS_LOG_ERROR && level <= GS_LOG_TRACE);
    CHECK_LACKS(SECRET, target);
    CHECK_LACKS(SECRET, message);
}

static void messages_and_log(void)
{
    const char   *dir = new_dir();
    struct lines  lines = { 0 };
    gs_registry  *reg = NULL;
    gs_config    *cfg = config_of(SETTINGS({ "glance_store", "stores", "file" },
                                           { "glance_store", "filesystem_store_datadir", dir }));
    gs_config_set_log(cfg, GS_LOG_TRACE, watch, &lines, NULL);
    MUST(OK(gs_registry_open(cfg, &reg, ERR)));
    gs_config_free(cfg);
    gs_store *store = default_store(reg);

    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        const char   *uri = secrets[i].uri;
        struct sink   sink = { 0 };
        gs_store     *found = NULL;
        gs_location  *location = NULL;
        gs_image     *image = NULL;
        gs_reader    *reader = NULL;
        uint64_t      size;
        check_context("messages about %s", uri);
#define REFUSED(call) \
    do { \
        CHECK(RETURNS(call) != GS_OK); \
        CHECK_LACKS(SECRET, failure.message); \
    } while (0)
        if (RETURNS(gs_registry_resolve(reg, uri, &found, ERR)) != GS_OK)
            CHECK_LACKS(SECRET, failure.message);
        REFUSED(gs_location_parse(reg, NULL, uri, &location, ERR));
        REFUSED(gs_location_parse(reg, store, uri, &location, ERR));
        REFUSED(gs_get(store, uri, sink_write, &sink, NULL, ERR));
        REFUSED(gs_get_fd(store, uri, 1, NULL, ERR));
        REFUSED(gs_get_size(store, uri, NULL, &size, ERR));
        REFUSED(gs_delete(store, uri, NULL, ERR));
        REFUSED(gs_set_acls(store, uri, false, NULL, NULL, NULL, ERR));
        REFUSED(gs_reader_open(store, uri, NULL, &reader, ERR));
        REFUSED(gs_examine(store, uri, NULL, &image, ERR));
        REFUSED(gs_copy(store, "new", store, uri, NULL, &image, ERR));
#undef REFUSED
    }
    check_context("the log");
    gs_image     *image = NULL;
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    OK(gs_add(store, "image", 3, source_read, &source, NULL, &image, ERR));
    gs_image_free(image);
    gs_registry_free(reg);
    CHECK(lines.count > 0);
}

/* Nor does a configuration that was filled in wrongly tell what was in it. */
static void misplaced_secret(void)
{
    struct lines  lines = { 0 };
    gs_registry  *reg = NULL;
    gs_store_info info = GS_STORE_INFO_INIT;
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    gs_config    *cfg = config_of(SETTINGS({ "glance_store", "stores", "file" },
                                           { "glance_store", "filesystem_store_datadir", "https://user:hunter2@host/dir" }));
    check_context("a URI for a data directory");
    gs_config_set_log(cfg, GS_LOG_TRACE, watch, &lines, NULL);
    MUST(OK(gs_registry_open(cfg, &reg, ERR)));
    gs_store_get_info(default_store(reg), &info);
    CHECK_HAS("host/dir", info.add_disabled);
    CHECK_LACKS(SECRET, info.add_disabled);
    FAILS(GS_ADD_DISABLED, gs_add(default_store(reg), "new", 3, source_read, &source, NULL, &image, ERR));
    CHECK_LACKS(SECRET, failure.message);
    CHECK(lines.count > 0);
    gs_config_free(cfg);
    gs_registry_free(reg);
}

/* A token of the calling user is nobody else's business either. */
static void context_secrets(void)
{
    gs_registry *reg = file_registry(new_dir());
    gs_context   context = GS_CONTEXT_INIT;
    gs_opts      opts = GS_OPTS_INIT;
    uint64_t     size;
    context.auth_token = SECRET;
    context.service_catalog_json = "[{\"password\": \"" SECRET "\"";
    opts.context = &context;
    check_context("gs_context");
    CHECK(RETURNS(gs_get_size(default_store(reg), "file:///nowhere", &opts, &size, ERR)) != GS_OK);
    CHECK_LACKS(SECRET, failure.message);
    gs_registry_free(reg);
}

int main(void)
{
    redacting();
    like_snprintf();
    any_string();
    messages_and_log();
    misplaced_secret();
    context_secrets();
    return check_result();
}
