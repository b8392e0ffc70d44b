/* Every kind of credentials leads to the account that it is for; one token serves all operations; what is
 * wrong with credentials, addresses and catalogues is said once, clearly, and without them. */
#include "swift.h"

#include <stdlib.h>
#include <string.h>

static struct faults *faults;
static uint8_t       *data;

enum { LEN = 5000 };

/* An image goes in, is there and goes out again. */
static void check_works(gs_registry *reg, const char *id)
{
    uint64_t  size = 0;
    gs_store *store = default_store(reg);
    const char *uri = add_bytes(store, id, data, LEN);
    check_image(store, uri, data, LEN);
    OK(gs_get_size(store, uri, NULL, &size, ERR));
    CHECK_SIZE(LEN, size);
    OK(gs_delete(store, uri, NULL, ERR));
    check_absent(store, uri);
}

/* ---- Credentials ----------------------------------------------------------------- */

static void all_credentials(void)
{
    const struct {
        const char *name, *address, *user, *key, *version;
    } rows[] = {
        { "a password", swift("SWIFT_KEYSTONE_URL"), swift("SWIFT_USER"), swift("SWIFT_KEY"), "3" },
        { "an odd password", swift("SWIFT_KEYSTONE_URL"), swift("SWIFT_ODD_USER"), swift("SWIFT_ODD_KEY"), "3" },
        { "version 1", swift("SWIFT_V1_URL"), swift("SWIFT_V1_USER"), swift("SWIFT_V1_KEY"), "1" },
        { "an odd key", swift("SWIFT_V1_URL"), swift("SWIFT_V1_ODD_USER"), swift("SWIFT_V1_ODD_KEY"), "1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("%s", rows[i].name);
        gs_registry *reg = swift_registry(rows[i].address, "swift_store_user", rows[i].user, "swift_store_key", rows[i].key,
                                          "swift_store_auth_version", rows[i].version, NULL);
        check_works(reg, text("credentials-%zu", i));
        gs_registry_free(reg);
    }
    check_context("an application credential");
    gs_registry *reg = swift_registry(swift("SWIFT_KEYSTONE_URL"), "swift_store_application_credential_id",
                                      swift("SWIFT_APPLICATION_CREDENTIAL_ID"), "swift_store_application_credential_secret",
                                      swift("SWIFT_APPLICATION_CREDENTIAL_SECRET"), NULL);
    check_works(reg, "application");
    gs_registry_free(reg);
}

static void addresses(void)
{
    const char *v3 = swift("SWIFT_KEYSTONE_URL"), *root = text("%.*s", (int)(strlen(v3) - 3), v3);
    const char *rows[] = { v3, text("%s/", v3), root, text("%s/", root), text("%s/v2.0", root) };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("the address %s", rows[i]);
        gs_registry *reg = swift_registry(rows[i], NULL, NULL);
        check_works(reg, text("address-%zu", i));
        gs_registry_free(reg);
    }
}

static void domains(void)
{
    const char *file = text("%s/accounts.conf", new_dir());
    const char *user = text("user = %s\nkey = %s\nauth_address = %s\n", swift("SWIFT_DOMAIN_USER"), swift("SWIFT_DOMAIN_KEY"),
                            swift("SWIFT_KEYSTONE_URL"));
    const char *id = swift("SWIFT_DOMAIN_ID"), *name = swift("SWIFT_DOMAIN_NAME");
    const char *accounts = text("[by_id]\n%suser_domain_id = %s\nproject_domain_id = %s\n"
                                "[by_name]\n%suser_domain_name = %s\nproject_domain_name = %s\n"
                                "[elsewhere]\n%s",
                                user, id, id, user, name, name, user);
    uint64_t size = 0;
    write_file(file, accounts, strlen(accounts));
    check_context("domains of the account that a location names");
    gs_registry *reg = swift_registry("", "swift_store_config_file", file, "default_swift_reference", "by_id", NULL);
    const char *uri = add_bytes(default_store(reg), "domains", data, LEN);
    CHECK_STR(text("swift+config://by_id/%s/domains", own_container()), uri);
    check_image(default_store(reg), text("swift+config://by_name/%s/domains", own_container()), data, LEN);
    FAILS(GS_NOT_AUTHENTICATED,
          gs_get_size(default_store(reg), text("swift+config://elsewhere/%s/domains", own_container()), NULL, &size, ERR));
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    gs_registry_free(reg);
}

/* ---- Tokens ------------------------------------------------------------------------ */

static unsigned logins(void)
{
    return faults_count(faults, "keystone POST ", "/v3/auth/tokens");
}

static void one_token_for_all(void)
{
    check_context("a hundred operations");
    gs_registry *reg = swift_registry(keystone_through(faults), NULL, NULL);
    for (int i = 0; i < 20; i++)
        check_works(reg, text("once-%d", i));
    CHECK_INT(1, logins());
    gs_registry_free(reg);
    faults_clear(faults);
}

static void *work(void *user)
{
    gs_registry *reg = user;
    static int   count;
    check_works(reg, text("together-%d", __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST)));
    return NULL;
}

static void one_token_for_threads(void)
{
    pthread_t    threads[8];
    gs_registry *reg = swift_registry(keystone_through(faults), NULL, NULL);
    check_context("eight threads at once");
    /* All of them find no token while Keystone thinks. */
    faults_rule(faults, "POST keystone:* 1 hold=login at=request");
    for (size_t i = 0; i < 8; i++)
        threads[i] = start(work, reg);
    faults_await(faults, "login");
    faults_release(faults, "login");
    for (size_t i = 0; i < 8; i++)
        join(threads[i]);
    CHECK_INT(1, logins());
    gs_registry_free(reg);
    faults_clear(faults);
}

static void refused_tokens(void)
{
    uint64_t     size = 0;
    gs_registry *reg = swift_registry(keystone_through(faults), NULL, NULL);
    gs_store    *store = default_store(reg);
    const char  *uri = add_bytes(store, "refused", data, LEN);

    check_context("a token that has ended meanwhile");
    faults_rule(faults, "* swift:*/refused 1 status=401");
    check_image(store, uri, data, LEN);
    CHECK_INT(2, logins());

    check_context("a token that is refused, and the next as well");
    faults_clear(faults);
    faults_rule(faults, "* swift:*/refused 1- status=401 body=\"who are you\"");
    FAILS(GS_NOT_AUTHENTICATED, gs_get_size(store, uri, NULL, &size, ERR));
    CHECK_INT(401, failure.http_status);
    CHECK_INT(1, logins());

    check_context("a token that is refused when the user may not log in any more");
    faults_clear(faults);
    faults_rule(faults, "* swift:*/refused 1- status=401");
    faults_rule(faults, "POST keystone:* 1- status=401");
    FAILS(GS_NOT_AUTHENTICATED, gs_get_size(store, uri, NULL, &size, ERR));
    CHECK_HAS("identity service", failure.message);

    faults_clear(faults);
    OK(gs_delete(store, uri, NULL, ERR));
    gs_registry_free(reg);
}

static void short_lives(void)
{
    check_context("a token that ends before the interval is over");
    gs_registry *reg =
        swift_registry(keystone_through(faults), "swift_store_expire_soon_interval", "100000", NULL);
    check_works(reg, "short");
    CHECK(logins() > 3);
    gs_registry_free(reg);
    faults_clear(faults);
}

/* ---- What is wrong -------------------------------------------------------------------- */

/* What the first operation of a store says. */
static void check_refused(gs_registry *reg, gs_status status, const char *words)
{
    struct source source = { .data = data, .len = LEN };
    gs_image     *image = NULL;
    GIVES(status, gs_add(default_store(reg), "wrong", LEN, source_read, &source, NULL, &image, ERR));
    CHECK(image == NULL);
    CHECK_HAS(words, failure.message);
    CHECK_LACKS(swift("SWIFT_KEY"), failure.message);
    CHECK_INT(0, source.calls);
    gs_registry_free(reg);
}

static void wrong_credentials(void)
{
    const char *keystone = swift("SWIFT_KEYSTONE_URL"), *v1 = swift("SWIFT_V1_URL");
    const struct {
        const char *address, *user, *key, *version;
    } rows[] = {
        { keystone, swift("SWIFT_USER"), "wrong", "3" },
        { keystone, "nobody:demo", swift("SWIFT_KEY"), "3" },
        { keystone, "demo:nobody", swift("SWIFT_KEY"), "3" },
        { keystone, "other:demo", swift("SWIFT_KEY"), "3" },
        { v1, swift("SWIFT_V1_USER"), "wrong", "1" },
        { v1, "test:nobody", swift("SWIFT_V1_KEY"), "1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("%s with %s", rows[i].user, rows[i].key);
        check_refused(swift_registry(rows[i].address, "swift_store_user", rows[i].user, "swift_store_key", rows[i].key,
                                     "swift_store_auth_version", rows[i].version, NULL),
                      GS_NOT_AUTHENTICATED, "does not accept the user");
    }
    check_context("an unknown application credential");
    check_refused(swift_registry(keystone, "swift_store_application_credential_id", "nobody",
                                 "swift_store_application_credential_secret", swift("SWIFT_KEY"), NULL),
                  GS_NOT_AUTHENTICATED, "does not accept the application credential");
}

static void wrong_services(void)
{
    const char *keystone = swift("SWIFT_KEYSTONE_URL");
    const struct {
        const char *option, *value, *words;
    } rows[] = {
        { "swift_store_region", "Sahara", "in region \"Sahara\"; it has object-store" },
        { "swift_store_service_type", "shoe-store", "\"shoe-store\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("%s = %s", rows[i].option, rows[i].value);
        check_refused(swift_registry(keystone, rows[i].option, rows[i].value, NULL), GS_NO_ENDPOINT, rows[i].words);
        CHECK_HAS(keystone, failure.message);
    }
    check_context("Swift instead of Keystone");
    check_refused(swift_registry(swift("SWIFT_URL"), NULL, NULL), GS_FAILED, "check the authentication address");
    check_context("Keystone instead of TempAuth");
    check_refused(swift_registry(text("%s/auth/v1.0", keystone), "swift_store_auth_version", "1", NULL), GS_FAILED,
                  "check the authentication address");
    check_context("nobody");
    check_refused(swift_registry("http://127.0.0.1:1/v3", NULL, NULL), GS_UNAVAILABLE, "http://127.0.0.1:1/v3/");
}

static void failing_keystone(void)
{
    const struct {
        const char *action;
        gs_status   status;
        const char *words;
    } rows[] = {
        { "status=500 body=demopass", GS_UNAVAILABLE, "answered 500" },
        { "status=503 header=\"Retry-After: 0\"", GS_UNAVAILABLE, "answered 503" },
        { "status=300 body={}", GS_FAILED, "answered 300" },
        { "status=201 body={}", GS_FAILED, "it has no X-Subject-Token" },
        { "status=201 header=\"X-Subject-Token: t\" body=html", GS_FAILED, "it is no JSON" },
        { "answer-header=\"X-Subject-Token:\"", GS_FAILED, "it has no X-Subject-Token" },
        { "cut=answer", GS_UNAVAILABLE, "identity service" },
        { "cut-answer=100", GS_UNAVAILABLE, "identity service" },
        { "status=302 header=\"Location: http://127.0.0.1:1/v3/auth/tokens\"", GS_FAILED, "is another server" },
        { "status=307 header=\"Location: http://127.0.0.1:1/v3/auth/tokens\"", GS_FAILED, "is another server" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("Keystone with %s", rows[i].action);
        faults_rule(faults, "POST keystone:* 1 %s", rows[i].action);
        check_refused(swift_registry(keystone_through(faults), NULL, NULL), rows[i].status, rows[i].words);
        CHECK_INT(1, logins());
        faults_clear(faults);
    }
}

/* ---- Whom credentials are for ------------------------------------------------------------ */

static void strangers_locations(void)
{
    const char  *container = own_container();
    uint64_t     size = 0;
    gs_registry *reg = swift_registry(swift("SWIFT_KEYSTONE_URL"), "swift_store_application_credential_id",
                                      swift("SWIFT_APPLICATION_CREDENTIAL_ID"), "swift_store_application_credential_secret",
                                      swift("SWIFT_APPLICATION_CREDENTIAL_SECRET"), NULL);
    const char  *stranger = strstr(keystone_through(faults), "//") + 2;

    check_context("a location without credentials at another address");
    FAILS(GS_FORBIDDEN, gs_get_size(default_store(reg), text("swift+http://%s/%s/x", stranger, container), NULL, &size, ERR));
    CHECK_STR("", faults_log(faults));

    check_context("a location with credentials of its own");
    const char *uri = text("swift+http://other%%3Ademo2:secret@%s/%s/x", stranger, container);
    FAILS(GS_NOT_AUTHENTICATED, gs_get_size(default_store(reg), uri, NULL, &size, ERR));
    CHECK_INT(1, logins());
    CHECK_INT(1, faults_count(faults, "keystone POST ", "secret"));
    CHECK_INT(0, faults_count(faults, "keystone ", swift("SWIFT_APPLICATION_CREDENTIAL_SECRET")));
    CHECK_LACKS("secret", failure.message);
    faults_clear(faults);
    gs_registry_free(reg);
}

/* Access lists are those of a container, and only a tenant's has nobody else's images in it. */
static void shared_containers(void)
{
    gs_registry *reg = swift_registry(keystone_through(faults), "swift_store_multi_tenant", "true", NULL);
    const char  *address = strstr(keystone_through(faults), "//") + 2;
    const char  *uri = text("swift+http://%s:%s@%s/%s/x", "demo%3Ademo", swift("SWIFT_KEY"), address, own_container());
    check_context("access lists of a container that all share");
    FAILS(GS_NOT_SUPPORTED, gs_set_acls(default_store(reg), uri, true, NULL, NULL, NULL, ERR));
    CHECK_STR("", faults_log(faults));
    gs_registry_free(reg);
}

int main(void)
{
    faults = swift_faults();
    data = new_data(LEN, RANDOM_DATA);
    all_credentials();
    addresses();
    domains();
    one_token_for_all();
    one_token_for_threads();
    refused_tokens();
    short_lives();
    wrong_credentials();
    wrong_services();
    failing_keystone();
    strangers_locations();
    shared_containers();
    free(data);
    faults_stop(faults);
    return check_result();
}
