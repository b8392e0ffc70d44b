/* Where the token of the calling user may end too soon, the user's trust helps, if there can be one; none remains. */
#include "swift.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct faults *faults;
static struct login   user;
static uint8_t       *data;
static const char    *before;

/* Segments have this size, which is the smallest that the options know. */
enum { SEGMENT = 1024000, LARGE = 2 * SEGMENT + 1 };

/* A store for all tenants, with the service user for trusts. */
static gs_registry *tenants(const char *key, const char *value)
{
    return swift_registry(keystone_through(faults), "swift_store_multi_tenant", "true", "swift_store_user",
                          swift("SWIFT_SERVICE_USER"), "swift_store_key", swift("SWIFT_SERVICE_KEY"),
                          "swift_store_large_object_size", "1", "swift_store_large_object_chunk_size", "1", key, value, NULL);
}

static gs_opts on_behalf_of_user(void)
{
    gs_opts opts = GS_OPTS_INIT;
    opts.context = &user.context;
    return opts;
}

/* It leads through the proxy. */
static const char *catalogue(void)
{
    return text("[{\"type\": \"object-store\", \"name\": \"swift\", \"endpoints\": [{\"region\": \"RegionOne\","
                " \"publicURL\": \"%s/v1/AUTH_%s\"}]}]",
                faults_url(faults, "swift"), swift("SWIFT_PROJECT_ID"));
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
        gs_opts      opts = on_behalf_of_user();
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

static void *cancel_at_container(void *user)
{
    faults_await(faults, "container");
    gs_cancel_trigger(cancel);
    return user;
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
        gs_opts       opts = on_behalf_of_user();
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

/* Cancelled while the container that was made for the image is not known to be there yet. */
static void cancelled_beginnings(void)
{
    check_context("an add that is cancelled while its container is made");
    gs_registry  *reg = tenants(NULL, NULL);
    struct source source = { .data = data, .len = LARGE };
    gs_image     *image = NULL;
    gs_opts       opts = on_behalf_of_user();
    opts.cancel = cancel = gs_cancel_new();
    faults_rule(faults, "PUT swift:*_beginning 1 hold=container at=answer");
    pthread_t thread = start(cancel_at_container, NULL);
    FAILS(GS_CANCELLED, gs_add(default_store(reg), "beginning", LARGE, source_read, &source, &opts, &image, ERR));
    join(thread);
    faults_release(faults, "container");
    CHECK_STR(before, holdings());
    check_no_trusts();
    gs_registry_free(reg);
    gs_cancel_free(cancel);
    faults_clear(faults);
}

/* What a killed add leaves goes with the next delete, although there is no image. */
static void empty_containers(void)
{
    check_context("the container of a killed add");
    gs_registry *reg = tenants(NULL, NULL);
    gs_opts      opts = on_behalf_of_user();
    const char  *container = text("%s_killed", own_container());
    const char  *storage = text("%s/v1/AUTH_%s", faults_url(faults, "swift"), swift("SWIFT_PROJECT_ID"));
    struct reply reply = request_ok("PUT", text("%s/%s", storage, container), text("X-Auth-Token: %s\r\n", user.token), NULL, 0);
    reply_free(&reply);
    FAILS(GS_NOT_FOUND, gs_delete(default_store(reg), text("swift+%s/%s/killed", storage, container), &opts, ERR));
    CHECK_STR(before, holdings());

    check_context("a container that may not be deleted");
    const char *uri = add(default_store(reg), "kept", 1000, &opts);
    faults_rule(faults, "DELETE swift:*_kept 1- status=403");
    OK(gs_delete(default_store(reg), uri, &opts, ERR));
    faults_clear(faults);
    FAILS(GS_NOT_FOUND, gs_delete(default_store(reg), uri, &opts, ERR));
    CHECK_STR(before, holdings());
    gs_registry_free(reg);
    faults_clear(faults);
}

static void downloads(void)
{
    gs_registry *reg = tenants("swift_store_retry_get_count", "1");
    gs_opts      opts = on_behalf_of_user();
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
    user.context.service_catalog_json = catalogue();
    before = holdings();
    large_images();
    failures();
    cancelled_beginnings();
    empty_containers();
    downloads();
    free(data);
    faults_stop(faults);
    return check_result();
}
