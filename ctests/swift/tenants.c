/* Each tenant's images are in the tenant's own account, reached with the token of the calling user, and by a
 * trust where that token may end too soon; no trust remains. */
#include "swift.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct faults *faults;
static struct login   user, stranger;
static uint8_t       *data;
static const char    *before;

/* Segments have this size, which is the smallest that the options know. */
enum { SEGMENT = 1024000, SMALL = 5000, LARGE = 2 * SEGMENT + 1 };

/* A store for all tenants, with the service user for trusts. */
static gs_registry *tenants(const char *key, const char *value)
{
    return swift_registry(keystone_through(faults), "swift_store_multi_tenant", "true", "swift_store_user",
                          swift("SWIFT_SERVICE_USER"), "swift_store_key", swift("SWIFT_SERVICE_KEY"),
                          "swift_store_large_object_size", "1", "swift_store_large_object_chunk_size", "1", key, value, NULL);
}

static gs_opts on_behalf_of(const struct login *login)
{
    gs_opts opts = GS_OPTS_INIT;
    opts.context = &login->context;
    return opts;
}

/* A catalogue of the older form that leads through the proxy. */
static const char *older_catalogue(const char *region)
{
    return text("[{\"type\": \"object-store\", \"name\": \"swift\", \"endpoints\": [{\"region\": \"%s\", \"publicURL\":"
                " \"%s/v1/AUTH_%s\"}]}]",
                region, faults_url(faults, "swift"), swift("SWIFT_PROJECT_ID"));
}

static const char *add(gs_store *store, const char *id, size_t len, const gs_opts *opts)
{
    struct source source = { .data = data, .len = len };
    gs_image     *image = NULL;
    gs_image_info info = { .struct_size = sizeof info };
    if (!OK(gs_add(store, id, len, source_read, &source, opts, &image, ERR)))
        return "";
    gs_image_get_info(image, &info);
    const char *uri = text("%s", info.uri);
    gs_image_free(image);
    return uri;
}

static void check_gets(gs_store *store, const char *uri, size_t len, const gs_opts *opts)
{
    struct sink sink = { 0 };
    uint64_t    size = 0;
    OK(gs_get(store, uri, sink_write, &sink, opts, ERR));
    CHECK_BYTES(data, len, sink.data, sink.len);
    sink_free(&sink);
    OK(gs_get_size(store, uri, opts, &size, ERR));
    CHECK_SIZE(len, size);
}

static const char *holdings(void)
{
    return own_listing(swift("SWIFT_STORAGE_URL"), user.token);
}

static unsigned asked(const char *method, const char *what)
{
    return faults_count(faults, text("keystone %s ", method), what);
}

/* Nothing is entrusted to anybody. */
static void check_no_trusts(void)
{
    const char  *url = text("%s/OS-TRUST/trusts?trustor_user_id=%s", swift("SWIFT_KEYSTONE_URL"), swift("SWIFT_USER_ID"));
    struct reply reply = request_ok("GET", url, text("X-Auth-Token: %s\r\n", user.token), NULL, 0);
    CHECK_HAS("\"trusts\": []", reply.body);
    reply_free(&reply);
}

/* ---- Accounts ---------------------------------------------------------------------- */

static void own_accounts(void)
{
    const char *catalogues[] = { user.catalogue, older_catalogue("RegionOne") };
    for (size_t i = 0; i < 2; i++) {
        check_context("a catalogue of the %s form", i == 0 ? "newer" : "older");
        gs_registry *reg = tenants(NULL, NULL);
        gs_store    *store = default_store(reg);
        const char  *id = text("own-%zu", i);
        struct login login = user;
        login.context.service_catalog_json = catalogues[i];
        gs_opts     opts = on_behalf_of(&login);
        login.context.request_id = "req-4711";
        const char *uri = add(store, id, SMALL, &opts);
        CHECK_HAS(text("/v1/AUTH_%s/%s_%s/%s", swift("SWIFT_PROJECT_ID"), own_container(), id, id), uri);
        check_gets(store, uri, SMALL, &opts);
        OK(gs_delete(store, uri, &opts, ERR));
        CHECK_STR(before, holdings());
        CHECK_INT(0, asked("POST", ""));
        unsigned requests = faults_count(faults, "swift ", "");
        CHECK(i == 0 || requests > 0);
        CHECK_INT(requests, faults_count(faults, "swift ", "\"x-trans-id-extra\": \"req-4711\""));
        gs_registry_free(reg);
        faults_clear(faults);
    }
}

static void other_users(void)
{
    uint64_t     size = 0;
    struct sink  sink = { 0 };
    gs_registry *reg = tenants(NULL, NULL);
    gs_store    *store = default_store(reg);
    gs_opts      opts = on_behalf_of(&user), others = on_behalf_of(&stranger);
    check_context("another tenant's image");
    const char *uri = add(store, "other", SMALL, &opts);
    FAILS(GS_FORBIDDEN, gs_get(store, uri, sink_write, &sink, &others, ERR));
    FAILS(GS_FORBIDDEN, gs_get_size(store, uri, &others, &size, ERR));
    FAILS(GS_FORBIDDEN, gs_delete(store, uri, &others, ERR));
    check_context("nobody's call");
    FAILS(GS_BAD_CONFIG, gs_get_size(store, uri, NULL, &size, ERR));
    FAILS(GS_BAD_CONFIG, gs_delete(store, uri, NULL, ERR));
    OK(gs_delete(store, uri, &opts, ERR));
    CHECK_STR(before, holdings());
    gs_registry_free(reg);
    faults_clear(faults);
}

static void foreign_hosts(void)
{
    uint64_t     size = 0;
    gs_registry *reg = tenants(NULL, NULL);
    gs_opts      opts = on_behalf_of(&user);
    check_context("a location at a server that is not in the catalogue");
    const char *uri = text("swift+http://%s/v1/AUTH_x/c/o", strstr(faults_url(faults, "swift"), "//") + 2);
    FAILS(GS_FORBIDDEN, gs_get_size(default_store(reg), uri, &opts, &size, ERR));
    CHECK_STR("", faults_log(faults));
    gs_registry_free(reg);
}

static void check_no_add(gs_registry *reg, const struct login *login, gs_status status, const char *words)
{
    struct source source = { .data = data, .len = SMALL };
    gs_image     *image = NULL;
    gs_opts       opts = on_behalf_of(login);
    GIVES(status, gs_add(default_store(reg), "wrong", SMALL, source_read, &source, login ? &opts : NULL, &image, ERR));
    CHECK(image == NULL);
    CHECK_HAS(words, failure.message);
    CHECK_INT(0, source.calls);
    CHECK_STR(before, holdings());
    gs_registry_free(reg);
    faults_clear(faults);
}

static void wrong_contexts(void)
{
    struct login login = user;
    check_context("a region that the catalogue does not have");
    check_no_add(tenants("swift_store_region", "Sahara"), &user, GS_NO_ENDPOINT, "in region \"Sahara\"");
    check_context("no catalogue");
    login.context.service_catalog_json = NULL;
    check_no_add(tenants(NULL, NULL), &login, GS_BAD_CONFIG, "service catalogue");
    check_context("an empty catalogue");
    login.context.service_catalog_json = "[]";
    check_no_add(tenants(NULL, NULL), &login, GS_NO_ENDPOINT, "it is empty");
    check_context("no JSON");
    login.context.service_catalog_json = "catalogue";
    check_no_add(tenants(NULL, NULL), &login, GS_BAD_CONFIG, "it is no JSON");
    check_context("no token");
    login = user;
    login.context.auth_token = NULL;
    check_no_add(tenants(NULL, NULL), &login, GS_BAD_CONFIG, "token");
    check_context("a wrong token");
    login.context.auth_token = "wrong-token";
    check_no_add(tenants(NULL, NULL), &login, GS_NOT_AUTHENTICATED, "");
    CHECK_LACKS("wrong-token", failure.message);
}

/* ---- Trusts ------------------------------------------------------------------------- */

static void large_images(void)
{
    const struct {
        const char *what, *key, *value, *rule;
        unsigned trusts, deletions;
    } rows[] = {
        { "by a trust", NULL, NULL, NULL, 1, 1 },
        { "without trusts", "swift_store_use_trusts", "false", NULL, 0, 0 },
        { "where trusts are forbidden", NULL, NULL, "POST keystone:*/trusts 1 status=403", 1, 0 },
        { "where the service user may not log in", NULL, NULL, "POST keystone:*/tokens 2 status=401", 0, 0 },
        { "where the trust is of no use", NULL, NULL, "POST keystone:*/tokens 3 status=401", 1, 1 },
        { "where Keystone fails", NULL, NULL, "POST keystone:* 1- status=503", 0, 0 },
        { "by a trust whose token ends", NULL, NULL, "PUT swift:*-00002* 1 status=401", 1, 1 },
    };
    for (size_t i = 0; i < (small_run() ? 1 : sizeof rows / sizeof *rows); i++) {
        check_context("a large image %s", rows[i].what);
        gs_registry *reg = tenants(rows[i].key, rows[i].value);
        struct login login = user;
        login.context.service_catalog_json = older_catalogue("RegionOne");
        gs_opts opts = on_behalf_of(&login);
        if (rows[i].rule)
            faults_rule(faults, "%s", rows[i].rule);
        const char *uri = add(default_store(reg), text("large-%zu", i), LARGE, &opts);
        CHECK_INT(rows[i].trusts, asked("POST", "/OS-TRUST/trusts"));
        CHECK_INT(rows[i].deletions, asked("DELETE", "/OS-TRUST/trusts/"));
        check_no_trusts();
        check_gets(default_store(reg), uri, LARGE, &opts);
        OK(gs_delete(default_store(reg), uri, &opts, ERR));
        CHECK_STR(before, holdings());
        gs_registry_free(reg);
        faults_clear(faults);
    }
}

static int64_t read_and_fail(void *source, uint8_t *buf, size_t len)
{
    int64_t count = source_read(source, buf, len);
    return ((struct source *)source)->at > SEGMENT ? -EIO : count;
}

static gs_cancel *cancel;

static int64_t read_and_cancel(void *source, uint8_t *buf, size_t len)
{
    int64_t count = source_read(source, buf, len);
    if (((struct source *)source)->at > SEGMENT)
        gs_cancel_trigger(cancel);
    return count;
}

static void failures(void)
{
    const struct {
        const char *what;
        gs_read_fn  read;
        const char *rule;
        gs_status   status;
    } rows[] = {
        { "whose source fails", read_and_fail, NULL, GS_CALLBACK },
        { "that is cancelled", read_and_cancel, NULL, GS_CANCELLED },
        { "of which a segment is refused", source_read, "PUT swift:*-00002* 1- status=403", GS_FORBIDDEN },
        { "whose token is refused again and again", source_read, "PUT swift:*-00002* 1- status=401", GS_NOT_AUTHENTICATED },
    };
    for (size_t i = 0; i < (small_run() ? 2 : sizeof rows / sizeof *rows); i++) {
        check_context("a large image %s", rows[i].what);
        gs_registry  *reg = tenants(NULL, NULL);
        struct source source = { .data = data, .len = LARGE, .piece = SEGMENT / 3 };
        gs_image     *image = NULL;
        struct login  login = user;
        login.context.service_catalog_json = older_catalogue("RegionOne");
        gs_opts opts = on_behalf_of(&login);
        opts.cancel = cancel = gs_cancel_new();
        if (rows[i].rule)
            faults_rule(faults, "%s", rows[i].rule);
        GIVES(rows[i].status, gs_add(default_store(reg), "failing", LARGE, rows[i].read, &source, &opts, &image, ERR));
        CHECK_INT(1, asked("DELETE", "/OS-TRUST/trusts/"));
        check_no_trusts();
        CHECK_STR(before, holdings());
        gs_registry_free(reg);
        gs_cancel_free(cancel);
        faults_clear(faults);
    }
}

static void downloads(void)
{
    gs_registry *reg = tenants("swift_store_retry_get_count", "1");
    struct login login = user;
    login.context.service_catalog_json = older_catalogue("RegionOne");
    gs_opts     opts = on_behalf_of(&login);
    struct sink sink = { 0 };
    const char *uri = add(default_store(reg), "download", LARGE, &opts);
    faults_clear(faults);

    check_context("a download by a trust whose token ends");
    faults_rule(faults, "GET swift:*/download 1 status=401");
    OK(gs_get(default_store(reg), uri, sink_write, &sink, &opts, ERR));
    CHECK_BYTES(data, LARGE, sink.data, sink.len);
    sink_free(&sink);
    CHECK_INT(1, asked("POST", "/OS-TRUST/trusts"));
    CHECK_INT(1, asked("DELETE", "/OS-TRUST/trusts/"));
    check_no_trusts();
    OK(gs_delete(default_store(reg), uri, &opts, ERR));
    CHECK_STR(before, holdings());
    gs_registry_free(reg);
    faults_clear(faults);
}

int main(void)
{
    faults = swift_faults();
    data = new_data(LARGE, RANDOM_DATA);
    user = log_in(swift("SWIFT_USER"), swift("SWIFT_KEY"), swift("SWIFT_PROJECT_ID"));
    stranger = log_in(swift("SWIFT_OTHER_USER"), swift("SWIFT_OTHER_KEY"), swift("SWIFT_OTHER_PROJECT_ID"));
    before = holdings();
    own_accounts();
    other_users();
    foreign_hosts();
    wrong_contexts();
    large_images();
    failures();
    downloads();
    free(data);
    faults_stop(faults);
    return check_result();
}
