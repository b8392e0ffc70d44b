/* Where credentials go: those of the configuration to the configured address,
 * those of a location to the address in it, tokens to the storage they are for;
 * and none into messages and logs. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

static struct account account;
static const char    *container;
/* "swift" and "keystone" are configured; "foreign" is another way to Keystone, "thief" another to Swift. */
static struct faults *faults;

static const char *logged = "";

static void log_all(void *user, int32_t level, const char *target, const char *message)
{
    (void)user, (void)level, (void)target;
    logged = text("%s%s\n", logged, message);
}

static const char *address_of(const char *url)
{
    const char *address = strstr(url, "://") + 3;
    return text("%.*s", (int)strcspn(address, "/"), address);
}

static gs_registry *registry(const struct setting *more)
{
    gs_config   *cfg = config_of(SETTINGS({ "glance_store", "stores", "swift" }, { "glance_store", "default_store", "swift" },
                                          { "glance_store", "swift_store_auth_address", keystone_through(faults) },
                                          { "glance_store", "swift_store_container", container },
                                          { "glance_store", "swift_store_user", swift("SWIFT_USER") },
                                          { "glance_store", "swift_store_key", swift("SWIFT_KEY") },
                                          { "glance_store", "swift_store_large_object_size", "1" },
                                          { "glance_store", "swift_store_retries", "1" }));
    gs_registry *reg = NULL;
    for (; more && more->key; more++)
        MUST(OK(gs_config_set(cfg, more->group, more->key, more->value, ERR)));
    gs_config_set_log(cfg, GS_LOG_TRACE, log_all, NULL, NULL);
    MUST(OK(gs_registry_open(cfg, &reg, ERR)));
    gs_config_free(cfg);
    return reg;
}

#define APPLICATION { "glance_store", "swift_store_application_credential_id", swift("SWIFT_APPLICATION_CREDENTIAL_ID") }, \
                    { "glance_store", "swift_store_application_credential_secret", swift("SWIFT_APPLICATION_CREDENTIAL_SECRET") }

/* No request of the server of that name holds the secret. */
static void check_kept_from(const char *server, const char *secret)
{
    CHECK_INT(0, faults_count(faults, text("%s ", server), secret));
}

static void each_call_fails(gs_registry *reg, const char *uri, gs_status wanted)
{
    struct sink sink = { 0 };
    gs_reader  *reader = NULL;
    uint64_t    size = 0;
    FAILS(wanted, gs_get(default_store(reg), uri, sink_write, &sink, NULL, ERR));
    FAILS(wanted, gs_get_size(default_store(reg), uri, NULL, &size, ERR));
    FAILS(wanted, gs_reader_open(default_store(reg), uri, NULL, &reader, ERR));
    FAILS(wanted, gs_delete(default_store(reg), uri, NULL, ERR));
}

/* ---- Locations that lead elsewhere -------------------------------------------------------- */

static void foreign_without_credentials(void)
{
    const char *uri = text("swift+http://%s/v3/%s/image", address_of(faults_url(faults, "foreign")), container);
    check_context("a location of a foreign address, without credentials");
    gs_registry *reg = registry(NULL);
    each_call_fails(reg, uri, GS_FORBIDDEN);
    gs_registry_free(reg);
    reg = registry(SETTINGS(APPLICATION));
    each_call_fails(reg, uri, GS_FORBIDDEN);
    gs_registry_free(reg);
    CHECK_STR("", faults_log(faults));
}

/* A location's own credentials go where it says, and are all that goes there. */
static void foreign_with_credentials(void)
{
    const char *uri = text("swift+http://demo%%3Aodd:se%%2Fcret%%20p%%40ss%%3A1%%25%%3F%%23@%s/v3/%s/image",
                           address_of(faults_url(faults, "foreign")), container);
    check_context("a location with credentials of its own");
    gs_registry *reg = registry(SETTINGS(APPLICATION));
    put_object(&account, container, "image", NULL, "abc", 3);
    check_image(default_store(reg), uri, "abc", 3);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    CHECK(faults_count(faults, "foreign POST", "se/cret p@ss:1%?#") > 0);
    check_kept_from("foreign", swift("SWIFT_KEY"));
    check_kept_from("foreign", swift("SWIFT_APPLICATION_CREDENTIAL_SECRET"));
    CHECK_INT(0, faults_count(faults, "keystone ", ""));
    check_kept_from("swift", "se/cret");
    gs_registry_free(reg);
    faults_clear(faults);
}

/* What the configuration holds serves locations of its own address that have none. */
static void own_without_credentials(void)
{
    check_context("a location of the configured address, without credentials");
    gs_registry *reg = registry(SETTINGS(APPLICATION));
    const char  *uri = try_add(default_store(reg), new_id(), "abc", 3, 3, GS_OK);
    CHECK_LACKS(swift("SWIFT_APPLICATION_CREDENTIAL_SECRET"), uri);
    CHECK_LACKS("@", uri);
    check_image(default_store(reg), uri, "abc", 3);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    check_kept_from("keystone", swift("SWIFT_KEY"));
    check_kept_from("swift", swift("SWIFT_APPLICATION_CREDENTIAL_SECRET"));
    gs_registry_free(reg);
    faults_clear(faults);
}

/* ---- Servers that lead elsewhere -------------------------------------------------------------- */

static void redirects(void)
{
    gs_registry *reg = registry(NULL);
    const char  *uri = text("swift+http://demo%%3Ademo:demopass@%s/%s/image", strstr(keystone_through(faults), "//") + 2, container);
    struct sink  sink = { 0 };
    put_object(&account, container, "image", NULL, "abc", 3);

    check_context("Keystone sends elsewhere");
    faults_rule(faults, "POST keystone:* * status=307 header=\"Location: %s/v3/auth/tokens\"", faults_url(faults, "foreign"));
    CHECK(RETURNS(gs_get(default_store(reg), uri, sink_write, &sink, NULL, ERR)) != GS_OK);
    check_kept_from("foreign", swift("SWIFT_KEY"));
    faults_clear(faults);

    check_context("Swift sends elsewhere");
    faults_rule(faults, "* */image* * status=302 header=\"Location: %s/v1/AUTH_%s/%s/image\"", faults_url(faults, "thief"),
                swift("SWIFT_PROJECT_ID"), container);
    CHECK(RETURNS(gs_get(default_store(reg), uri, sink_write, &sink, NULL, ERR)) != GS_OK);
    CHECK_INT(0, faults_count(faults, "thief ", "gAAAA"));
    faults_clear(faults);
    sink_free(&sink);
    gs_registry_free(reg);
}

/* ---- Messages and logs ---------------------------------------------------------------------------- */

static void messages(void)
{
    gs_registry *reg = registry(NULL);
    const char  *bad = text("swift+http://demo%%3Ademo:mistaken-key@%s/%s/image", strstr(keystone_through(faults), "//") + 2, container);
    gs_opts      opts = GS_OPTS_INIT;
    gs_context   context = GS_CONTEXT_INIT;
    uint64_t     size = 0;
    check_context("messages and logs");
    const char *uri = try_add(default_store(reg), new_id(), "abc", 3, 3, GS_OK);
    check_image(default_store(reg), uri, "abc", 3);
    FAILS(GS_NOT_AUTHENTICATED, gs_get_size(default_store(reg), bad, NULL, &size, ERR));
    CHECK_LACKS("mistaken-key", failure.message);
    context.auth_token = "a-users-token";
    opts.context = &context;
    OK(gs_delete(default_store(reg), uri, &opts, ERR));
    FAILS(GS_NOT_FOUND, gs_delete(default_store(reg), uri, &opts, ERR));
    CHECK_LACKS(swift("SWIFT_KEY"), failure.message);
    gs_registry_free(reg);
    CHECK(*logged);
    CHECK_LACKS(swift("SWIFT_KEY"), logged);
    CHECK_LACKS("mistaken-key", logged);
    CHECK_LACKS("a-users-token", logged);
    CHECK_LACKS("se/cret", logged);
    CHECK_LACKS("se%2Fcret", logged);
    CHECK_LACKS(swift("SWIFT_APPLICATION_CREDENTIAL_SECRET"), logged);
    CHECK_LACKS("gAAAA", logged);
}

int main(void)
{
    const char *keystone = address_of(swift("SWIFT_KEYSTONE_URL")), *storage = address_of(swift("SWIFT_URL"));
    account = demo_account();
    container = new_container(&account);
    /* By another name, or the proxy would send everybody there. */
    faults = faults_start(text("swift=%s", storage), text("keystone=%s", keystone),
                          text("foreign=localhost%s", strchr(keystone, ':')), text("thief=localhost%s", strchr(storage, ':')), NULL);
    foreign_without_credentials();
    foreign_with_credentials();
    own_without_credentials();
    redirects();
    messages();
    faults_stop(faults);
    return check_result();
}
