/* swift_store_multi_tenant: each image in a container of its own, in the account
 * of the user on whose behalf the call runs; access lists. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

static struct account account;
static struct faults *faults;

#define MULTI_TENANT { "glance_store", "swift_store_multi_tenant", "true" }, \
                     { "glance_store", "swift_store_create_container_on_put", "true" }, \
                     { "glance_store", "swift_store_user", swift("SWIFT_SERVICE_USER") }, \
                     { "glance_store", "swift_store_key", swift("SWIFT_SERVICE_KEY") }

static gs_registry *tenants_registry(const struct setting *more)
{
    struct setting settings[16] = { MULTI_TENANT };
    for (size_t i = 4; more && more->key; i++)
        settings[i] = *more++;
    return spoilt_registry(faults, "images", settings);
}

static const char *catalogue(const char *url)
{
    return text("[{\"type\":\"identity\",\"name\":\"keystone\",\"endpoints\":[]},{\"type\":\"object-store\",\"name\":\"swift\","
                "\"endpoints\":[{\"region\":\"RegionOne\",\"publicURL\":\"%s\",\"internalURL\":\"%s\",\"adminURL\":\"%s\"}]}]",
                url, url, url);
}

/* The demo user with a catalogue that leads to its account through the proxy. */
static gs_context demo_context(void)
{
    gs_context context = GS_CONTEXT_INIT;
    context.user_id = swift("SWIFT_USER_ID");
    context.project_id = swift("SWIFT_PROJECT_ID");
    context.auth_token = account.token;
    context.service_catalog_json = catalogue(text("%s/v1/AUTH_%s", faults_url(faults, "swift"), swift("SWIFT_PROJECT_ID")));
    return context;
}

static const char *add_for(gs_registry *reg, const gs_context *context, const char *id, const void *data, size_t len, gs_status wanted)
{
    struct source source = { .data = data, .len = len };
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_opts       opts = GS_OPTS_INIT;
    opts.context = context;
    GIVES(wanted, gs_add(default_store(reg), id, len, source_read, &source, &opts, &image, ERR));
    gs_image_get_info(image, &info);
    const char *uri = image ? text("%s", info.uri) : NULL;
    gs_image_free(image);
    return uri;
}

static void check_for(gs_registry *reg, const gs_context *context, const char *uri, const void *data, size_t len)
{
    struct sink sink = { 0 };
    uint64_t    size = 0;
    gs_opts     opts = GS_OPTS_INIT;
    opts.context = context;
    if (OK(gs_get_size(default_store(reg), uri, &opts, &size, ERR)))
        CHECK_SIZE(len, size);
    if (OK(gs_get(default_store(reg), uri, sink_write, &sink, &opts, ERR)))
        CHECK_BYTES(data, len, sink.data, sink.len);
    sink_free(&sink);
}

static void delete_for(gs_registry *reg, const gs_context *context, const char *uri)
{
    gs_opts opts = GS_OPTS_INIT;
    opts.context = context;
    OK(gs_delete(default_store(reg), uri, &opts, ERR));
}

/* ---- Images and containers ------------------------------------------------------------- */

static void whole_life(size_t len, const struct setting *more)
{
    gs_registry *reg = tenants_registry(more);
    gs_context   context = demo_context();
    uint8_t     *data = new_data(len, RANDOM_DATA);
    const char  *id = new_id(), *container = text("images_%s", id);
    check_context("an image of %zu bytes in its owner's account", len);
    const char *uri = add_for(reg, &context, id, data, len, GS_OK);
    CHECK_STR(text("swift+%s/v1/AUTH_%s/%s/%s", faults_url(faults, "swift"), swift("SWIFT_PROJECT_ID"), container, id), uri);
    CHECK(container_exists(&account, container));
    check_for(reg, &context, uri, data, len);
    add_for(reg, &context, id, "abc", 3, GS_DUPLICATE);
    check_for(reg, &context, uri, data, len);
    delete_for(reg, &context, uri);
    CHECK(!container_exists(&account, container));
    free(data);
    gs_registry_free(reg);
    faults_clear(faults);
}

/* What others keep in the container stays, and the container with it. */
static void containers_in_use(void)
{
    gs_registry *reg = tenants_registry(NULL);
    gs_context   context = demo_context();
    const char  *id = new_id(), *container = text("images_%s", id);
    check_context("a container that others use");
    const char *uri = add_for(reg, &context, id, "abc", 3, GS_OK);
    put_object(&account, container, "mine", NULL, "x", 1);
    delete_for(reg, &context, uri);
    /* No pause would change that. */
    CHECK_INT(1, faults_count(faults, "swift DELETE", text("/%s 409", container)));
    CHECK_STR("mine\n", names_in(&account, container));
    delete_object(&account, container, "mine");
    struct reply reply = request_ok("DELETE", object_url(&account, container, ""), account.header, NULL, 0);
    reply_free(&reply);
    gs_registry_free(reg);
    faults_clear(faults);
}

static const char *logged = "";

static void log_it(void *user, int32_t level, const char *target, const char *message)
{
    (void)user, (void)level, (void)target;
    logged = text("%s%s\n", logged, message);
}

static gs_registry *logging_registry(void)
{
    gs_config   *cfg = config_of(SETTINGS({ "glance_store", "stores", "swift" }, { "glance_store", "default_store", "swift" },
                                          { "glance_store", "swift_store_auth_address", keystone_through(faults) },
                                          { "glance_store", "swift_store_container", "images" }, MULTI_TENANT));
    gs_registry *reg = NULL;
    gs_config_set_log(cfg, GS_LOG_WARN, log_it, NULL, NULL);
    MUST(OK(gs_registry_open(cfg, &reg, ERR)));
    gs_config_free(cfg);
    return reg;
}

/* Its listing has for a while what is gone: so the server says 409. */
static void lagging_containers(void)
{
    static const struct { const char *times; bool stays; } lags[] = { { "1-2", false }, { "1-4", true } };
    for (size_t i = 0; i < sizeof lags / sizeof *lags; i++) {
        gs_registry *reg = logging_registry();
        gs_context   context = demo_context();
        gs_opts      opts = GS_OPTS_INIT;
        const char  *id = new_id(), *container = text("images_%s", id), *uri = add_for(reg, &context, id, "abc", 3, GS_OK);
        check_context("a container that is not empty yet for the server, %s", lags[i].times);
        faults_rule(faults, "DELETE */%s %s status=409", container, lags[i].times);
        faults_rule(faults, "GET */%s[?]*prefix=&marker= * status=200 body='[{\"name\":\"%s\",\"bytes\":3,\"hash\":\"\"}]'", container, id);
        faults_rule(faults, "GET */%s[?]*prefix=&marker=%s * status=200 body=[]", container, id);
        logged = "";
        delete_for(reg, &context, uri);
        CHECK_STR("", container_exists(&account, container) ? names_in(&account, container) : "");
        CHECK(container_exists(&account, container) == lags[i].stays);
        if (lags[i].stays) {
            CHECK_HAS(text("the container %s stays", container), logged);
            opts.context = &context;
            FAILS(GS_NOT_FOUND, gs_delete(default_store(reg), uri, &opts, ERR));
            CHECK(!container_exists(&account, container));
        } else {
            CHECK_STR("", logged);
        }
        gs_registry_free(reg);
        faults_clear(faults);
    }
}

/* Nothing that a container could be called: images are read, and none is added. */
static void no_name_for_containers(void)
{
    gs_registry  *reg = tenants_registry(SETTINGS({ "glance_store", "swift_store_container", "" }));
    gs_context    context = demo_context();
    gs_store_info info = GS_STORE_INFO_INIT;
    check_context("an empty beginning of containers' names");
    gs_store_get_info(default_store(reg), &info);
    CHECK_HAS("swift_store_container", info.add_disabled);
    add_for(reg, &context, new_id(), "abc", 3, GS_ADD_DISABLED);
    CHECK_HAS("swift_store_container", failure.message);
    CHECK_STR("", faults_log(faults));
    gs_registry_free(reg);
}

static void *cancel_there(void *user)
{
    faults_await(faults, "container");
    gs_cancel_trigger(user);
    return NULL;
}

/* The server may make the container although nobody waits for its answer any more. */
static void cancelled_containers(void)
{
    static const char *const places[] = { "request", "answer" };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        gs_registry  *reg = tenants_registry(NULL);
        gs_context    context = demo_context();
        gs_opts       opts = GS_OPTS_INIT;
        gs_image     *image = NULL;
        struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
        const char   *id = new_id(), *container = text("images_%s", id);
        check_context("an add cancelled while its container is at %s", places[i]);
        faults_rule(faults, "PUT */%s 1 hold=container at=%s", container, places[i]);
        opts.context = &context;
        opts.cancel = gs_cancel_new();
        MUST(opts.cancel != NULL);
        pthread_t thread = start(cancel_there, opts.cancel);
        FAILS(GS_CANCELLED, gs_add(default_store(reg), id, 3, source_read, &source, &opts, &image, ERR));
        join(thread);
        faults_clear(faults);
        CHECK(!container_exists(&account, container));
        gs_cancel_free(opts.cancel);
        gs_registry_free(reg);
    }
}

/* ---- Contexts ---------------------------------------------------------------------------- */

static const struct { const char *region, *type, *interface, *host; } endpoints[] = {
    { "RegionOne", "object-store", "publicURL", "public" },
    { "RegionOne", "object-store", "internalURL", "internal" },
    { "RegionOne", "object-store", "adminURL", "admin" },
    { "WestCarolina", "object-store", "publicURL", "west" },
    /* Of several the first. */
    { "", "object-store", "publicURL", "west" },
    { "RegionOne", "toy-store", "publicURL", "toys" },
    { "Atlantis", "object-store", "publicURL", NULL },
    { "RegionOne", "shoe-store", "publicURL", NULL },
};

/* Hosts stand for the endpoints: the one that is chosen is where the proxy is. */
static const char *catalogue_with(const char *host)
{
    static const char *const hosts[] = { "public", "internal", "admin", "west", "toys" };
    const char              *urls[5];
    for (size_t i = 0; i < 5; i++)
        urls[i] = host && strcmp(host, hosts[i]) == 0 ? text("%s/v1/AUTH_%s", faults_url(faults, "swift"), swift("SWIFT_PROJECT_ID"))
                                                     : "http://127.0.0.1:9/v1/nowhere";
    return text("[{\"type\":\"toy-store\",\"name\":\"t\",\"endpoints\":[{\"region\":\"RegionOne\",\"publicURL\":\"%s\"}]},"
                "{\"type\":\"object-store\",\"name\":\"s\",\"endpoints\":[{\"region\":\"WestCarolina\",\"publicURL\":\"%s\"},"
                "{\"region\":\"RegionOne\",\"publicURL\":\"%s\",\"internalURL\":\"%s\",\"adminURL\":\"%s\"}]}]",
                urls[4], urls[3], urls[0], urls[1], urls[2]);
}

static void chosen_endpoints(void)
{
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        gs_registry *reg = tenants_registry(SETTINGS({ "glance_store", "swift_store_region", endpoints[i].region },
                                                     { "glance_store", "swift_store_service_type", endpoints[i].type },
                                                     { "glance_store", "swift_store_endpoint_type", endpoints[i].interface },
                                                     { "glance_store", "swift_store_retries", "0" }));
        gs_context context = demo_context();
        context.service_catalog_json = catalogue_with(endpoints[i].host);
        check_context("region %s, type %s, interface %s", endpoints[i].region, endpoints[i].type, endpoints[i].interface);
        const char *uri = add_for(reg, &context, new_id(), "abc", 3, endpoints[i].host ? GS_OK : GS_NO_ENDPOINT);
        if (uri)
            delete_for(reg, &context, uri);
        gs_registry_free(reg);
    }
    faults_clear(faults);
}

static void incomplete_contexts(void)
{
    gs_registry *reg = tenants_registry(NULL);
    static const char *const nonsense[] = { NULL, "", "{}", "[", "[1]", "[{\"type\":7}]", "[]" };
    check_context("no context");
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    CHECK(RETURNS(gs_add(default_store(reg), new_id(), 3, source_read, &source, NULL, &image, ERR)) != GS_OK);
    gs_context context = demo_context();
    context.auth_token = NULL;
    check_context("no token");
    gs_opts opts = GS_OPTS_INIT;
    opts.context = &context;
    CHECK(RETURNS(gs_add(default_store(reg), new_id(), 3, source_read, &source, &opts, &image, ERR)) != GS_OK);
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        context = demo_context();
        context.service_catalog_json = nonsense[i];
        check_context("the catalogue %s", nonsense[i] ? nonsense[i] : "NULL");
        CHECK(RETURNS(gs_add(default_store(reg), new_id(), 3, source_read, &source, &opts, &image, ERR)) != GS_OK);
        CHECK_LACKS(account.token, failure.message);
    }
    CHECK_INT(0, faults_count(faults, "swift ", ""));
    gs_registry_free(reg);
    faults_clear(faults);
}

/* A location's storage URL counts, whatever account the reader's catalogue leads to; yet a token goes
 * nowhere but to the servers of its user's catalogue. */
static void other_users(void)
{
    gs_registry   *reg = tenants_registry(NULL), *plain = registry_in("unused", NULL);
    gs_context     context = demo_context(), other = demo_context(), stranger = demo_context();
    struct account others = keystone_account(swift("SWIFT_OTHER_USER"), swift("SWIFT_OTHER_KEY"), swift("SWIFT_OTHER_STORAGE_URL"));
    const char    *const readers[] = { swift("SWIFT_OTHER_PROJECT_ID"), NULL };
    gs_opts        opts = GS_OPTS_INIT;
    uint64_t       size = 4711;
    check_context("a user of another project");
    other.auth_token = others.token;
    other.user_id = "somebody";
    other.project_id = swift("SWIFT_OTHER_PROJECT_ID");
    other.service_catalog_json = catalogue(text("%s/v1/AUTH_%s", faults_url(faults, "swift"), swift("SWIFT_OTHER_PROJECT_ID")));
    stranger.auth_token = "invalid";
    const char *uri = add_for(reg, &context, new_id(), "abc", 3, GS_OK);
    opts.context = &other;
    FAILS(GS_FORBIDDEN, gs_get_size(default_store(reg), uri, &opts, &size, ERR));
    opts.context = &stranger;
    FAILS(GS_NOT_AUTHENTICATED, gs_get_size(default_store(reg), uri, &opts, &size, ERR));
    opts.context = &context;
    OK(gs_set_acls(default_store(reg), uri, false, readers, NULL, &opts, ERR));
    check_for(reg, &other, uri, "abc", 3);
    stranger.service_catalog_json = catalogue("http://127.0.0.1:9/v1/elsewhere");
    stranger.auth_token = account.token;
    opts.context = &stranger;
    unsigned asked = faults_count(faults, "swift ", "");
    FAILS(GS_FORBIDDEN, gs_get_size(default_store(reg), uri, &opts, &size, ERR));
    CHECK_INT((int)asked, (int)faults_count(faults, "swift ", ""));
    opts.context = &other;
    FAILS(GS_FORBIDDEN, gs_delete(default_store(reg), uri, &opts, ERR));
    delete_for(reg, &context, uri);
    gs_registry_free(plain);
    gs_registry_free(reg);
    faults_clear(faults);
}

/* Locations with credentials of their own are read without anybody's token. */
static void single_tenant_locations(void)
{
    gs_registry *reg = tenants_registry(NULL);
    const char  *container = new_container(&account);
    check_context("a location with credentials");
    put_object(&account, container, "image", NULL, "abc", 3);
    check_image(default_store(reg), text("swift+http://demo%%3Ademo:demopass@%s/%s/image", strstr(swift("SWIFT_KEYSTONE_URL"), "//") + 2, container), "abc", 3);
    gs_registry_free(reg);
    faults_clear(faults);
}

/* ---- Access lists -------------------------------------------------------------------------------- */

static void access_lists(void)
{
    static const struct { bool is_public; const char *readers[3], *writers[3], *read, *write; } lists[] = {
        { true, { "matt", NULL }, { NULL }, "*:*", "boss:*" },
        { false, { "matt", "mark", NULL }, { "frank", "jim", NULL }, "matt:*,mark:*", "frank:*,jim:*,boss:*" },
        { false, { NULL }, { NULL }, "", "boss:*" },
    };
    gs_registry *reg = tenants_registry(SETTINGS({ "glance_store", "swift_store_admin_tenants", "boss" }));
    gs_context   context = demo_context();
    gs_opts      opts = GS_OPTS_INIT;
    const char  *id = new_id(), *uri = add_for(reg, &context, id, "abc", 3, GS_OK);
    opts.context = &context;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        check_context("access list %zu", i);
        OK(gs_set_acls(default_store(reg), uri, lists[i].is_public, lists[i].readers, lists[i].writers, &opts, ERR));
        struct reply reply = request_ok("HEAD", object_url(&account, text("images_%s", id), ""), account.header, NULL, 0);
        CHECK_STR(lists[i].read, reply_header(&reply, "X-Container-Read"));
        CHECK_STR(lists[i].write, reply_header(&reply, "X-Container-Write"));
        reply_free(&reply);
    }
    delete_for(reg, &context, uri);
    check_context("access lists of what is not there");
    FAILS(GS_NOT_FOUND, gs_set_acls(default_store(reg), uri, true, NULL, NULL, &opts, ERR));
    gs_registry_free(reg);

    check_context("access lists of a single tenant");
    const char *container = new_container(&account);
    reg = registry_in(container, NULL);
    uri = try_add(default_store(reg), new_id(), "abc", 3, 3, GS_OK);
    FAILS(GS_NOT_SUPPORTED, gs_set_acls(default_store(reg), uri, true, NULL, NULL, NULL, ERR));
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    gs_registry_free(reg);
    faults_clear(faults);
}

int main(void)
{
    account = demo_account();
    faults = swift_faults();
    whole_life(100, NULL);
    whole_life(2 * UNIT + 7, NULL);
    whole_life(2 * UNIT + 7, SETTINGS({ "glance_store", "swift_store_manifest", "slo" }));
    whole_life(10, SETTINGS({ "glance_store", "swift_store_multiple_containers_seed", "2" }));
    containers_in_use();
    lagging_containers();
    no_name_for_containers();
    cancelled_containers();
    chosen_endpoints();
    incomplete_contexts();
    other_users();
    single_tenant_locations();
    access_lists();
    faults_stop(faults);
    return check_result();
}
