/* Who the library is to Keystone: by options, by a file of accounts, by
 * application credentials, in whatever domain; and which endpoint that leads to. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

static struct account account;
static const char    *container;

static const char *accounts_file(const char *content)
{
    const char *path = text("%s/accounts.conf", new_dir());
    write_file(path, content, strlen(content));
    return path;
}

/* A store with the accounts of a file and nothing else. */
static gs_registry *file_registry_of(const char *content, const struct setting *more)
{
    struct setting settings[16] = {
        { "glance_store", "stores", "swift" },
        { "glance_store", "default_store", "swift" },
        { "glance_store", "swift_store_config_file", accounts_file(content) },
        { "glance_store", "swift_store_container", container },
        { "glance_store", "swift_store_create_container_on_put", "true" },
    };
    for (size_t i = 5; more && more->key; i++)
        settings[i] = *more++;
    return registry_of(settings);
}

/* ---- Files of accounts ---------------------------------------------------------------------- */

/* %s is Keystone's URL; where the account works, images go to demo's project. */
static const struct { const char *why, *section; bool works; } sections[] = {
    { "plain", "user = demo:demo\nkey = demopass\nauth_address = %s\n", true },
    { "double quotes", "user = \"demo:demo\"\nkey = \"demopass\"\nauth_address = \"%s\"\n", true },
    { "single quotes", "user = 'demo:demo'\nkey = 'demopass'\nauth_address = '%s'\n", true },
    { "colons and capitals", "User: demo:demo\nKEY: demopass\nAuth_Address: %s\n", true },
    { "a trailing slash", "user = demo:demo\nkey = demopass\nauth_address = %s/\n", true },
    { "an old version", "auth_version = 2\nuser = demo:demo\nkey = demopass\nauth_address = %s\n", true },
    { "domains by id", "user = demo:demo\nkey = demopass\nauth_address = %s\nuser_domain_id = default\nproject_domain_id = default\n", true },
    { "domains by name", "user = demo:demo\nkey = demopass\nauth_address = %s\nuser_domain_name = Default\nproject_domain_name = Default\n", true },
    { "a percent sign, doubled", "user = demo:odd\nkey = \"se/cret p@ss:1%%%%?#\"\nauth_address = %s\n", true },
    { "a percent sign, alone", "user = demo:odd\nkey = se/cret p@ss:1%%?#\nauth_address = %s\n", true },
    { "an unclosed quote", "user = demo:demo\nkey = 'demopass\nauth_address = %s\n", false },
    { "mixed quotes", "user = demo:demo\nkey = 'demopass\"\nauth_address = %s\n", false },
    { "no key", "user = demo:demo\nauth_address = %s\n", false },
    { "half an application credential", "application_credential_id = abc\nauth_address = %s\n", false },
};

static void file_sections(void)
{
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        char section[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(section, sizeof section, sections[i].section, swift("SWIFT_KEYSTONE_URL"));
#pragma GCC diagnostic pop
        gs_registry *reg = file_registry_of(text("[ref1]\n%s[other]\nuser = a\n", section), NULL);
        const char  *id = new_id();
        check_context("an account with %s", sections[i].why);
        const char *uri = try_add(default_store(reg), id, "abc", 3, 3, sections[i].works ? GS_OK : GS_ADD_DISABLED);
        if (uri) {
            CHECK_STR(text("swift+config://ref1/%s/%s", container, id), uri);
            CHECK_STR(text("%s\n", id), names_in(&account, container));
            check_image(default_store(reg), uri, "abc", 3);
            OK(gs_delete(default_store(reg), uri, NULL, ERR));
        }
        gs_registry_free(reg);
    }
}

/* A location's own domains count, not those of the default account. */
static void domains(void)
{
    const char *url = swift("SWIFT_KEYSTONE_URL");
    const char *content = text("[ref1]\nuser = demo:demo\nkey = demopass\nauth_address = %s\n"
                               "[far]\nuser = far:traveller\nkey = travelpass\nauth_address = %s\n"
                               "user_domain_name = elsewhere\nproject_domain_name = elsewhere\n"
                               "[far-by-id]\nuser = far:traveller\nkey = travelpass\nauth_address = %s\n"
                               "user_domain_id = %s\nproject_domain_id = %s\n"
                               "[lost]\nuser = far:traveller\nkey = travelpass\nauth_address = %s\n",
                               url, url, url, swift("SWIFT_DOMAIN_ID"), swift("SWIFT_DOMAIN_ID"), url);
    gs_registry *reg = file_registry_of(content, SETTINGS({ "glance_store", "default_swift_reference", "far" }));
    gs_registry *usual = file_registry_of(content, NULL);
    const char  *id = new_id();
    uint64_t     size = 4711;
    check_context("accounts in several domains");
    const char *uri = try_add(default_store(reg), id, "abc", 3, 3, GS_OK);
    CHECK_STR(text("swift+config://far/%s/%s", container, id), uri);
    check_image(default_store(usual), uri, "abc", 3);
    check_image(default_store(usual), text("swift+config://far-by-id/%s/%s", container, id), "abc", 3);
    FAILS(GS_NOT_AUTHENTICATED, gs_get_size(default_store(usual), text("swift+config://lost/%s/%s", container, id), NULL, &size, ERR));
    check_absent(default_store(usual), text("swift+config://ref1/%s/%s", container, id));
    OK(gs_delete(default_store(usual), uri, NULL, ERR));
    gs_registry_free(reg);
    gs_registry_free(usual);
}

static void two_files(void)
{
    const char *good = accounts_file(text("[one]\nuser = demo:demo\nkey = demopass\nauth_address = %s\n", swift("SWIFT_KEYSTONE_URL")));
    const char *poor = accounts_file(text("[two]\nuser = demo:demo\nkey = demopass\nauth_address = %s\n", swift("SWIFT_KEYSTONE_URL")));
    gs_registry *reg = registry_of(SETTINGS({ "DEFAULT", "enabled_backends", "a:swift, b:swift" }, { "glance_store", "default_backend", "a" },
                                            { "a", "swift_store_config_file", good }, { "a", "default_swift_reference", "one" },
                                            { "b", "swift_store_config_file", poor }, { "b", "default_swift_reference", "two" },
                                            { "backend_defaults", "swift_store_container", container }));
    uint64_t size = 4711;
    check_context("two stores with files of their own");
    const char *uri = try_add(gs_registry_get(reg, "a"), new_id(), "abc", 3, 3, GS_OK);
    check_image(gs_registry_get(reg, "a"), uri, "abc", 3);
    CHECK(RETURNS(gs_get_size(gs_registry_get(reg, "b"), uri, NULL, &size, ERR)) != GS_OK);
    OK(gs_delete(gs_registry_get(reg, "a"), uri, NULL, ERR));
    gs_registry_free(reg);
}

/* ---- Application credentials and version 1 --------------------------------------------------- */

static void whole_life(gs_registry *reg, const struct account *of)
{
    uint8_t    *data = new_data(2 * UNIT + 5, RANDOM_DATA);
    const char *id = new_id(), *uri = try_add(default_store(reg), id, data, 2 * UNIT + 5, GS_SIZE_UNKNOWN, GS_OK);
    CHECK_HAS(id, names_in(of, container));
    check_image(default_store(reg), uri, data, 2 * UNIT + 5);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    check_absent(default_store(reg), uri);
    CHECK_STR("", names_in(of, container));
    free(data);
    gs_registry_free(reg);
}

static void application_credentials(void)
{
    const char *id = swift("SWIFT_APPLICATION_CREDENTIAL_ID"), *secret = swift("SWIFT_APPLICATION_CREDENTIAL_SECRET");
    check_context("an application credential of the options");
    whole_life(registry_in(container, SETTINGS({ "glance_store", "swift_store_application_credential_id", id },
                                                  { "glance_store", "swift_store_application_credential_secret", secret },
                                                  { "glance_store", "swift_store_user", "demo:nobody" })), &account);
    check_context("an application credential of a file, which goes before a user");
    whole_life(file_registry_of(text("[ref1]\nuser = demo:nobody\nkey = wrong\napplication_credential_id = %s\n"
                                     "application_credential_secret = %s\nauth_address = %s\n", id, secret, swift("SWIFT_KEYSTONE_URL")), NULL), &account);
}

static void version_1(void)
{
    struct account v1 = v1_account();
    const char    *kept = container;
    container = new_container(&v1);
    check_context("version 1 by options");
    whole_life(v1_registry(container, NULL), &v1);
    check_context("version 1 with a key of odd characters");
    whole_life(v1_registry(container, SETTINGS({ "glance_store", "swift_store_user", swift("SWIFT_V1_ODD_USER") },
                                               { "glance_store", "swift_store_key", swift("SWIFT_V1_ODD_KEY") })), &v1);
    check_context("version 1 by a file");
    whole_life(file_registry_of(text("[ref1]\nauth_version = 1\nuser = %s\nkey = %s\nauth_address = %s\n", swift("SWIFT_V1_USER"),
                                     swift("SWIFT_V1_KEY"), swift("SWIFT_V1_URL")), NULL), &v1);
    check_context("version 1 with a wrong key");
    gs_registry *reg = v1_registry(container, SETTINGS({ "glance_store", "swift_store_key", "mistaken" }));
    try_add(default_store(reg), new_id(), "abc", 3, 3, GS_NOT_AUTHENTICATED);
    CHECK_LACKS("mistaken", failure.message);
    gs_registry_free(reg);
    check_context("version 1 with a user who may not");
    reg = v1_registry(container, SETTINGS({ "glance_store", "swift_store_user", swift("SWIFT_V1_GUEST_USER") },
                                          { "glance_store", "swift_store_key", swift("SWIFT_V1_GUEST_KEY") }));
    try_add(default_store(reg), new_id(), "abc", 3, 3, GS_FORBIDDEN);
    gs_registry_free(reg);
    container = kept;
}

/* ---- Endpoints ----------------------------------------------------------------------------------- */

/* The toy store of ctests/servers/swift has an account per region and interface. */
static const struct { const char *region, *type, *interface, *account; } endpoints[] = {
    { "Sahara", "toy-store", "publicURL", "AUTH_Sahara_public" },
    { "Sahara", "toy-store", "internalURL", "AUTH_Sahara_internal" },
    { "WestCarolina", "toy-store", "adminURL", "AUTH_WestCarolina_admin" },
    { "Atlantis", "toy-store", "publicURL", NULL },
    { "Sahara", "shoe-store", "publicURL", NULL },
};

static void chosen_endpoints(void)
{
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        gs_registry *reg = registry_in(container, SETTINGS({ "glance_store", "swift_store_user", swift("SWIFT_RESELLER_USER") },
                                                              { "glance_store", "swift_store_key", swift("SWIFT_RESELLER_KEY") },
                                                              { "glance_store", "swift_store_region", endpoints[i].region },
                                                              { "glance_store", "swift_store_service_type", endpoints[i].type },
                                                              { "glance_store", "swift_store_endpoint_type", endpoints[i].interface },
                                                              { "glance_store", "swift_store_create_container_on_put", "true" }));
        const char *id = new_id();
        check_context("region %s, type %s, interface %s", endpoints[i].region, endpoints[i].type, endpoints[i].interface);
        const char *uri = try_add(default_store(reg), id, "abc", 3, 3, endpoints[i].account ? GS_OK : GS_NO_ENDPOINT);
        if (uri) {
            struct account where = keystone_account(swift("SWIFT_RESELLER_USER"), swift("SWIFT_RESELLER_KEY"),
                                                    text("%s/v1/%s", swift("SWIFT_URL"), endpoints[i].account));
            CHECK_STR(text("%s\n", id), names_in(&where, container));
            OK(gs_delete(default_store(reg), uri, NULL, ERR));
            struct reply reply = request_ok("DELETE", object_url(&where, container, ""), where.header, NULL, 0);
            reply_free(&reply);
        } else {
            CHECK_HAS(endpoints[i].account ? "" : endpoints[i].type, failure.message);
        }
        gs_registry_free(reg);
    }
}

static void configured_endpoint(void)
{
    check_context("an endpoint of the options");
    whole_life(registry_in(container, SETTINGS({ "glance_store", "swift_store_region", "Atlantis" },
                                                  { "glance_store", "swift_store_endpoint", swift("SWIFT_STORAGE_URL") })), &account);
}

/* ---- Options ---------------------------------------------------------------------------------------- */

static void refused_options(void)
{
    static const struct setting wrong[] = {
        { "glance_store", "swift_store_multiple_containers_seed", "-1" },
        { "glance_store", "swift_store_multiple_containers_seed", "33" },
        { "glance_store", "swift_store_endpoint_type", "foo" },
        { "glance_store", "swift_store_auth_version", "2" },
        { "glance_store", "swift_store_large_object_size", "0" },
        { "glance_store", "swift_store_large_object_chunk_size", "0" },
        { "glance_store", "swift_store_config_file", "/nonexistent/accounts.conf" },
        { "glance_store", "swift_store_manifest", "both" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        check_context("%s = %s", wrong[i].key, wrong[i].value);
        const struct setting settings[] = { wrong[i], { NULL, NULL, NULL } };
        CHECK_INT(GS_BAD_CONFIG, try_swift("glance", settings));
        CHECK_HAS(wrong[i].key, failure.message);
    }
    check_context("many tenants and a file of accounts");
    CHECK_INT(GS_BAD_CONFIG, try_swift("glance", SETTINGS({ "glance_store", "swift_store_multi_tenant", "true" },
                                                          { "glance_store", "swift_store_config_file", accounts_file("[a]\n") })));
    check_context("many tenants and the accounts of a file");
    CHECK_INT(GS_BAD_CONFIG, try_swift("glance", SETTINGS({ "glance_store", "swift_store_multi_tenant", "true" },
                                                          { "glance_store", "default_store", "swift+config" })));
    CHECK_HAS("swift+config", failure.message);
    CHECK_INT(GS_OK, try_swift("glance", SETTINGS({ "glance_store", "swift_store_multi_tenant", "true" },
                                                  { "glance_store", "default_store", "swift+http" })));
    check_context("buffering without a directory");
    CHECK_INT(GS_BAD_CONFIG, try_swift("glance", SETTINGS({ "glance_store", "swift_buffer_on_upload", "true" })));
    CHECK_INT(GS_BAD_CONFIG, try_swift("glance", SETTINGS({ "glance_store", "swift_buffer_on_upload", "true" },
                                                          { "glance_store", "swift_upload_buffer_dir", "/nonexistent" })));
    CHECK_INT(GS_OK, try_swift("glance", SETTINGS({ "glance_store", "swift_buffer_on_upload", "true" },
                                                  { "glance_store", "swift_upload_buffer_dir", new_dir() })));
}

/* Without an account nothing is added, but others' locations are read. */
static void without_an_account(void)
{
    gs_registry *full = registry_in(container, NULL);
    gs_registry *reg = registry_of(SETTINGS({ "glance_store", "stores", "swift" }, { "glance_store", "default_store", "swift" },
                                            { "glance_store", "swift_store_container", container }));
    gs_store_info info = GS_STORE_INFO_INIT;
    check_context("a store without an account");
    gs_store_get_info(default_store(reg), &info);
    CHECK(info.add_disabled != NULL);
    try_add(default_store(reg), new_id(), "abc", 3, 3, GS_ADD_DISABLED);
    CHECK_STR("StoreAddDisabled", failure.name);
    const char *uri = try_add(default_store(full), new_id(), "abc", 3, 3, GS_OK);
    check_image(default_store(reg), uri, "abc", 3);
    OK(gs_delete(default_store(full), uri, NULL, ERR));
    gs_registry_free(reg);
    gs_registry_free(full);
}

/* Each store serves all schemes of its driver. */
static void stores_of_two_drivers(void)
{
    const char  *address = swift("SWIFT_KEYSTONE_URL");
    gs_registry *reg = registry_of(SETTINGS({ "DEFAULT", "enabled_backends", "one:swift, two:swift, three:swift, other:s3" },
                                            { "glance_store", "default_backend", "two" },
                                            { "backend_defaults", "swift_store_auth_address", address },
                                            { "backend_defaults", "swift_store_user", swift("SWIFT_USER") },
                                            { "backend_defaults", "swift_store_key", swift("SWIFT_KEY") },
                                            { "other", "s3_store_host", swift("SWIFT_S3_URL") },
                                            { "other", "s3_store_access_key", swift("SWIFT_S3_ACCESS_KEY") },
                                            { "other", "s3_store_secret_key", swift("SWIFT_S3_SECRET_KEY") },
                                            { "other", "s3_store_bucket", "images" }));
    static const struct { const char *id, *driver, *schemes; } stores[] = {
        { "one", "swift", "swift+https swift swift+http swift+config " },
        { "two", "swift", "swift+https swift swift+http swift+config " },
        { "three", "swift", "swift+https swift swift+http swift+config " },
        { "other", "s3", "s3 s3+http s3+https " },
    };
    check_context("three stores of Swift and one of S3");
    CHECK_SIZE(sizeof stores / sizeof *stores, gs_registry_count(reg));
    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++) {
        gs_store_info info = GS_STORE_INFO_INIT;
        const char   *schemes = "";
        gs_store_get_info(gs_registry_at(reg, i), &info);
        CHECK_STR(stores[i].id, info.id);
        CHECK_STR(stores[i].driver, info.driver);
        CHECK(info.is_default == (i == 1));
        for (const char *const *scheme = info.schemes; *scheme; scheme++)
            schemes = text("%s%s ", schemes, *scheme);
        CHECK_STR(stores[i].schemes, schemes);
    }
    gs_registry_free(reg);
}

int main(void)
{
    account = demo_account();
    container = new_container(&account);
    file_sections();
    domains();
    two_files();
    application_credentials();
    version_1();
    chosen_endpoints();
    configured_endpoint();
    refused_options();
    without_an_account();
    stores_of_two_drivers();
    return check_result();
}
