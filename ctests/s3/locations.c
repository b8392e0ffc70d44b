/* Which locations are read, with whose keys, at which host; and what a store needs to be told. */
#include "s3.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LEN = 5120 };

static struct faults *faults;
static gs_registry   *registry;
static gs_store      *store;
static uint8_t       *data;

/* ---- URIs ---------------------------------------------------------------------- */

static const char *const secrets[] = { "sk", "s/k", "s//k", "/sk", "sk/", "s:k", "s@k", "s?k", "s#k", "s%2Fk", "s+k=", "a/b:c@d//e?f#g%h+i" };

static void mangled_secrets(void)
{
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        gs_location     *location = NULL;
        gs_location_info info = GS_LOCATION_INFO_INIT;
        const char      *uri = text("s3+https://ak:%s@s3.example/bucket/id", secrets[i]);
        check_context("%s", uri);
        if (!OK(gs_location_parse(registry, store, uri, &location, ERR)))
            continue;
        gs_location_get_info(location, &info);
        CHECK_STR(uri, info.uri);
        CHECK_STR("s3+https://***@s3.example/bucket/id", info.safe_uri);
        gs_location_free(location);
    }
}

static void bad_uris(void)
{
    static const char *const uris[] = {
        "s3://accesskey:hidden@https://s3.amazonaws.com/bucket/key-id", "s3://hidden@h/b/k", "s3://ak:hidden@h/b",
        "s3://ak:hidden@h//b//k", "s3://ak:hidden@h", "s3://", "s3+http:///b/k", "s3://ak:hidden@h:x/b/k",
    };
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        gs_location *location = NULL;
        check_context("%s", uris[i]);
        FAILS(GS_BAD_URI, gs_location_parse(registry, store, uris[i], &location, ERR));
        CHECK_LACKS("hidden", failure.message);
    }
}

static void bad_ids(void)
{
    static const char *const ids[] = { "", ".", "..", "a/b", "a?b", "a#b", "a@b", "a\nb" };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        check_context("the id \"%s\"", ids[i]);
        CHECK(add(store, ids[i], data, 1, true, NULL) == GS_INVALID);
    }
}

/* ---- Whose keys, which host ------------------------------------------------------ */

/* The old form is what older references wrote, byte for byte. */
static void old_form(void)
{
    const char  *id = new_id(), *uri = NULL, *host = strstr(faults_url(faults, "s3"), "://") + 3;
    gs_registry *old = s3_registry(faults_url(faults, "s3"), SETTINGS({ NULL, "s3_store_credentials_in_location", "true" }));
    check_context("the old form");
    if (CHECK(add(default_store(old), id, data, LEN, true, &uri) == GS_OK)) {
        CHECK_STR(text("s3://%s:%s@%s/%s/%s", env("S3_ACCESS_KEY"), env("S3_SECRET_KEY"), host, env("S3_BUCKET"), id), uri);
        check_image(store, uri, data, LEN);
        check_image(store, uri_of(faults_url(faults, "s3"), env("S3_BUCKET"), id), data, LEN);
        OK(gs_delete(store, uri, NULL, ERR));
    }
    gs_registry_free(old);
}

/* The host of a location is not asked unless the configuration says so, and then nobody else. */
static void hosts(void)
{
    const char *id = new_id(), *uri = NULL;
    uint64_t    size = 0;
    CHECK(add(store, id, data, LEN, true, &uri) == GS_OK);
    const char *foreign = text("s3+https://%s:%s@other.invalid/%s/%s", env("S3_ACCESS_KEY"), env("S3_SECRET_KEY"), env("S3_BUCKET"), id);
    check_context("a location of another host");
    check_image(store, foreign, data, LEN);

    gs_registry *elsewhere = s3_registry("http://127.0.0.1:1", SETTINGS({ NULL, "s3_store_allowed_hosts", "127.0.0.1" }));
    const char  *host = strstr(faults_url(faults, "s3"), "://") + 3;
    check_context("a location of a host that is allowed");
    check_image(default_store(elsewhere), text("s3://%s:%s@%s/%s/%s", env("S3_ACCESS_KEY"), env("S3_SECRET_KEY"), host, env("S3_BUCKET"), id), data, LEN);
    check_context("a location of a host that is not allowed");
    FAILS(GS_FORBIDDEN, gs_get_size(default_store(elsewhere), foreign, NULL, &size, ERR));
    CHECK_HAS("s3_store_allowed_hosts", failure.message);
    CHECK_LACKS(env("S3_SECRET_KEY"), failure.message);
    gs_registry_free(elsewhere);
    OK(gs_delete(store, uri, NULL, ERR));
}

/* The store's own keys open its own buckets, and not what else they could open. */
static void own_keys(void)
{
    const char *bucket = text("%s-private", env("S3_BUCKET")), *path = text("%s/data", new_dir());
    const char *foreign = uri_of(faults_url(faults, "s3"), bucket, "thing");
    uint64_t    size = 0;
    write_file(path, data, LEN);
    tool("make %s", bucket);
    tool("put %s thing %s", bucket, path);
    faults_clear(faults);
    check_context("a bucket of somebody else");
    FAILS(GS_FORBIDDEN, gs_get_size(store, foreign, NULL, &size, ERR));
    FAILS(GS_FORBIDDEN, gs_delete(store, foreign, NULL, ERR));
    CHECK_HAS("s3_store_allowed_buckets", failure.message);
    CHECK_STR("", faults_log(faults));
    check_context("a former bucket");
    gs_registry *former = s3_registry(faults_url(faults, "s3"), SETTINGS({ NULL, "s3_store_allowed_buckets", bucket }));
    check_image(default_store(former), foreign, data, LEN);
    OK(gs_delete(default_store(former), foreign, NULL, ERR));
    gs_registry_free(former);
    tool("remove %s", bucket);
}

/* Among several stores the host and the bucket decide. */
static void claims(void)
{
    static const struct { const char *uri, *store; } rows[] = {
        { "s3+https://one.example/images/x", "one" },
        { "s3+https://ONE.example:443/images/x", "one" },
        { "s3+https://ak:s/k@one.example/images/x", "one" },
        { "s3+https://one.example/others/x", "two" },
        { "s3://ak:sk@three.example:80/images/x", "three" },
        { "s3+http://three.example/images/x", "three" },
        { "s3+https://one.example/nobodys/x", NULL },
        { "s3+https://four.example/images/x", NULL },
        { "s3+http://one.example/images/x", NULL },
    };
    gs_registry *several = registry_of(SETTINGS(
        { NULL, "enabled_backends", "one:s3, two:s3, three:s3" }, { "glance_store", "default_backend", "one" },
        { "backend_defaults", "s3_store_access_key", "ak" }, { "backend_defaults", "s3_store_secret_key", "sk" },
        { "backend_defaults", "s3_store_bucket", "images" }, { "one", "s3_store_host", "https://one.example" },
        { "two", "s3_store_host", "https://one.example" }, { "two", "s3_store_bucket", "others" },
        { "three", "s3_store_host", "three.example" }));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gs_store     *found = NULL;
        gs_store_info info = GS_STORE_INFO_INIT;
        check_context("%s", rows[i].uri);
        if (!rows[i].store) {
            FAILS(GS_UNKNOWN_STORE, gs_registry_resolve(several, rows[i].uri, &found, ERR));
            continue;
        }
        if (OK(gs_registry_resolve(several, rows[i].uri, &found, ERR))) {
            gs_store_get_info(found, &info);
            CHECK_STR(rows[i].store, info.id);
        }
    }
    gs_registry_free(several);
}

/* ---- What a store needs ------------------------------------------------------------ */

static void incomplete_stores(void)
{
    static const struct { struct setting setting; const char *words; } rows[] = {
        { { NULL, "s3_store_host", "" }, "s3_store_host" },
        { { NULL, "s3_store_access_key", "" }, "s3_store_access_key" },
        { { NULL, "s3_store_secret_key", "" }, "s3_store_secret_key" },
        { { NULL, "s3_store_bucket", "" }, "s3_store_bucket" },
        { { NULL, "s3_store_large_object_chunk_size", "4" }, "at least 5 MB" },
        { { NULL, "s3_store_large_object_chunk_size", "0" }, "at least 5 MB" },
        { { NULL, "s3_store_thread_pools", "-1" }, "at least 1" },
        { { NULL, "s3_store_thread_pools", "0" }, "at least 1" },
        { { NULL, "s3_store_kms_key_id", "k" }, "aws:kms" },
        { { NULL, "s3_store_credentials_source", "environment" }, "AWS_ACCESS_KEY_ID" },
    };
    const char *uri = NULL;
    CHECK(add(store, new_id(), data, LEN, true, &uri) == GS_OK);
    const char *with_keys = text("s3://%s:%s@%s", env("S3_ACCESS_KEY"), env("S3_SECRET_KEY"), strstr(uri, "://") + 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gs_registry  *poor = s3_registry(faults_url(faults, "s3"), (struct setting[]){ rows[i].setting, { NULL, NULL, NULL } });
        gs_store_info info = GS_STORE_INFO_INIT;
        uint64_t      size = 0;
        check_context("%s = \"%s\"", rows[i].setting.key, rows[i].setting.value);
        gs_store_get_info(default_store(poor), &info);
        CHECK_HAS(rows[i].words, info.add_disabled);
        CHECK((info.capabilities & GS_CAN_WRITE) == 0);
        CHECK(add(default_store(poor), new_id(), data, LEN, true, NULL) == GS_ADD_DISABLED);
        FAILS(GS_NOT_SUPPORTED, gs_delete(default_store(poor), uri, NULL, ERR));
        CHECK_STR("StoreDeleteNotSupported", failure.name);
        if (i > 0)
            check_image(default_store(poor), with_keys, data, LEN);
        else
            FAILS(GS_BAD_CONFIG, gs_get_size(default_store(poor), uri, NULL, &size, ERR));
        gs_registry_free(poor);
    }
    OK(gs_delete(store, uri, NULL, ERR));
}

static void wrong_options(void)
{
    static const struct setting rows[] = {
        { NULL, "s3_store_host", "ftp://h" }, { NULL, "s3_store_host", "http://u:p@h" }, { NULL, "s3_store_bucket_url_format", "odd" },
        { NULL, "s3_store_cacert", "/nonexistent.pem" }, { NULL, "s3_store_request_checksum_calculation", "never" },
        { NULL, "s3_store_large_object_size", "-1" }, { NULL, "s3_store_acl", "everybody" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("%s = %s", rows[i].key, rows[i].value);
        CHECK_STR("GS_BAD_CONFIG", status_name(try_open(SETTINGS({ NULL, "enabled_backends", "objects:s3" },
                                                                 { "objects", rows[i].key, rows[i].value }))));
        CHECK_HAS(rows[i].key, failure.message);
    }
}

/* ---- Where keys come from ------------------------------------------------------------- */

static void key_sources(void)
{
    const char *path = text("%s/credentials", new_dir()), *uri = NULL;
    uint64_t    size = 0;
    check_context("keys of a profile");
    gs_registry *profile = s3_registry(faults_url(faults, "s3"), SETTINGS({ NULL, "s3_store_credentials_source", "profile" },
        { NULL, "s3_store_credentials_file", path }, { NULL, "s3_store_profile", "images" },
        { NULL, "s3_store_access_key", "" }, { NULL, "s3_store_secret_key", "" }));
    CHECK(add(default_store(profile), new_id(), data, LEN, true, NULL) == GS_BAD_CONFIG);
    CHECK_HAS(path, failure.message);
    const char *keys = text("[default]\naws_access_key_id=x\n[images]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
                            env("S3_ACCESS_KEY"), env("S3_SECRET_KEY"));
    write_file(path, keys, strlen(keys));
    CHECK(add(default_store(profile), new_id(), data, LEN, true, &uri) == GS_OK);
    CHECK_LACKS("@", uri);
    gs_registry_free(profile);

    check_context("keys of the environment");
    setenv("AWS_ACCESS_KEY_ID", env("S3_ACCESS_KEY"), 1);
    setenv("AWS_SECRET_ACCESS_KEY", env("S3_SECRET_KEY"), 1);
    setenv("AWS_SESSION_TOKEN", "tok/en+", 1);
    gs_registry *variables = s3_registry(faults_url(faults, "s3"), SETTINGS({ NULL, "s3_store_credentials_source", "environment" }));
    unsetenv("AWS_SESSION_TOKEN");
    faults_clear(faults);
    gs_status status = RETURNS(gs_get_size(default_store(variables), uri, NULL, &size, ERR));
    CHECK_INT(1, faults_count(faults, "s3 HEAD ", "\"x-amz-security-token\": \"tok/en+\""));
    if (status != GS_OK)
        CHECK_LACKS("tok/en+", failure.message);
    gs_registry_free(variables);
    OK(gs_delete(store, uri, NULL, ERR));
}

/* Keys of a profile that expire while an image is added: it goes on with those that are there then. */
struct renewal {
    struct source source;
    const char   *path, *keys;
};

static int64_t read_and_renew(void *user, uint8_t *buf, size_t len)
{
    struct renewal *renewal = user;
    write_file(renewal->path, renewal->keys, strlen(renewal->keys));
    return source_read(&renewal->source, buf, len);
}

static const char *profile_of(const char *access, const char *secret, const char *token)
{
    return text("[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n%s%s\n", access, secret,
                token ? "aws_session_token=" : "", token ? token : "");
}

static void temporary_keys(void)
{
    const char  *path = text("%s/credentials", new_dir()), *id = new_id(), *uri = NULL;
    char         access[256], secret[256], token[2048];
    gs_image    *image = NULL;
    uint64_t     size = 0;
    MUST(sscanf(tool("token"), "%255s %255s %2047s", access, secret, token) == 3);
    const struct setting settings[] = { { NULL, "s3_store_credentials_source", "profile" }, { NULL, "s3_store_credentials_file", path },
                                        { NULL, NULL, NULL } };
    gs_registry *profile = s3_registry(faults_url(faults, "s3"), settings);
    check_context("temporary keys");
    const char *temporary = profile_of(access, secret, token), *lasting = profile_of(env("S3_ACCESS_KEY"), env("S3_SECRET_KEY"), NULL);
    write_file(path, temporary, strlen(temporary));
    if (CHECK(add(default_store(profile), id, data, LEN, true, &uri) == GS_OK)) {
        CHECK_LACKS(token, uri);
        check_image(default_store(profile), uri, data, LEN);
        OK(gs_delete(default_store(profile), uri, NULL, ERR));
    }
    check_context("temporary keys without their token");
    const char *poor = profile_of(access, secret, NULL);
    write_file(path, poor, strlen(poor));
    FAILS(GS_FORBIDDEN, gs_get_size(default_store(profile), uri, NULL, &size, ERR));

    check_context("keys that expire");
    write_file(path, lasting, strlen(lasting));
    struct renewal renewal = { { .data = data, .len = LEN }, path, temporary };
    faults_clear(faults);
    faults_rule(faults, "PUT * 1 status=400 body=<Error><Code>ExpiredToken</Code></Error>");
    OK(gs_add(default_store(profile), id, LEN, read_and_renew, &renewal, NULL, &image, ERR));
    gs_image_free(image);
    CHECK_INT(2, faults_count(faults, "s3 PUT ", ""));
    CHECK_INT(1, faults_count(faults, "s3 PUT ", "x-amz-security-token"));
    OK(gs_delete(default_store(profile), uri, NULL, ERR));

    check_context("a server that repeats what it is told");
    faults_clear(faults);
    faults_rule(faults, "PUT * * status=403 body=\"<Error><Code>X</Code><Message>No %s</Message></Error>\"", token);
    CHECK(add(default_store(profile), id, data, LEN, true, NULL) == GS_FORBIDDEN);
    CHECK_HAS("403 X", failure.message);
    CHECK_LACKS(token, failure.message);
    faults_clear(faults);
    gs_registry_free(profile);
}

/* ---- Nothing that is logged holds a key ------------------------------------------------- */

static void look_for_keys(void *user, int32_t level, const char *target, const char *message)
{
    (void)level, (void)target;
    ++*(unsigned *)user;
    CHECK_LACKS(env("S3_SECRET_KEY"), message);
    CHECK_LACKS("Signature=", message);
    CHECK_LACKS(env("S3_ACCESS_KEY"), message);
}

static void logs(void)
{
    unsigned    lines = 0;
    const char *uri = NULL;
    gs_config  *config = gs_config_new();
    gs_registry *talkative = NULL;
    const struct setting settings[] = {
        { NULL, "enabled_backends", "objects:s3" }, { "glance_store", "default_backend", "objects" },
        { "objects", "s3_store_host", faults_url(faults, "s3") }, { "objects", "s3_store_bucket", env("S3_BUCKET") },
        { "objects", "s3_store_access_key", env("S3_ACCESS_KEY") }, { "objects", "s3_store_secret_key", env("S3_SECRET_KEY") },
    };
    check_context("what is logged");
    MUST(config != NULL);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        MUST(OK(gs_config_set(config, settings[i].group, settings[i].key, settings[i].value, ERR)));
    gs_config_set_log(config, GS_LOG_TRACE, look_for_keys, &lines, NULL);
    MUST(OK(gs_registry_open(config, &talkative, ERR)));
    gs_config_free(config);
    faults_rule(faults, "PUT * 1 status=503");
    CHECK(add(default_store(talkative), new_id(), data, LEN, true, &uri) == GS_OK);
    check_image(default_store(talkative), uri, data, LEN);
    OK(gs_delete(default_store(talkative), uri, NULL, ERR));
    gs_registry_free(talkative);
    CHECK(lines > 5);
    faults_clear(faults);
}

int main(void)
{
    faults = s3_faults();
    registry = s3_registry(faults_url(faults, "s3"), NULL);
    store = default_store(registry);
    data = new_data(LEN, RANDOM_DATA);
    const char *before = holdings();
    unsetenv("AWS_ACCESS_KEY_ID");
    mangled_secrets();
    bad_uris();
    bad_ids();
    old_form();
    hosts();
    own_keys();
    claims();
    incomplete_stores();
    wrong_options();
    key_sources();
    temporary_keys();
    logs();
    check_context("after everything");
    CHECK_STR(before, holdings());
    gs_registry_free(registry);
    faults_stop(faults);
    free(data);
    return check_result();
}
