/* The URIs of the swift driver, as glance_store wrote and read them: no request is made. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

/* What a URI becomes; NULL: it is malformed. */
static const struct { const char *uri, *canonical, *safe; } table[] = {
    { "swift://user:pass@example.com/container/obj", "swift://user:pass@example.com/container/obj",
      "swift://***@example.com/container/obj" },
    { "swift://acct:user:pass@example.com/container/obj", "swift://acct%3Auser:pass@example.com/container/obj",
      "swift://***@example.com/container/obj" },
    { "swift+http://acct:user:pass@example.com:8080/v3/container/obj",
      "swift+http://acct%3Auser:pass@example.com:8080/v3/container/obj", "swift+http://***@example.com:8080/v3/container/obj" },
    { "swift+https://acct%3Auser:pa%2Fss@example.com/v3/container/obj", NULL, "swift+https://***@example.com/v3/container/obj" },
    { "swift://user:key@uri/cont/obj/extra", "swift://user:key@uri/cont/obj/extra", "swift://***@uri/cont/obj/extra" },
    { "swift+http://127.0.0.1/glance_123/123", "swift+http://127.0.0.1/glance_123/123", "swift+http://127.0.0.1/glance_123/123" },
    { "swift://u:p@[::1]:8080/c/o", "swift://u:p@[::1]:8080/c/o", "swift://***@[::1]:8080/c/o" },
    { "swift://u:k@h/co%20nt/ob%2Fj", "swift://u:k@h/co%20nt/ob%2Fj", "swift://***@h/co%20nt/ob%2Fj" },
    { "swift://u:k@httpd.example.com/c/o", "swift://u:k@httpd.example.com/c/o", "swift://***@httpd.example.com/c/o" },
};

static const char *const malformed[] = {
    "swift://user:pass@http://authurl.com/v1/container/obj",
    "swift://bad_creds@uri/cont/obj",
    "swift://user@example.com/c/o",
    "swift://user:key@uri/cont",
    "swift://user:key@uri",
    "swift:///c/o",
    "swift://u:p@h@i/c/o",
    "swift+config://nope/glance/x",
    "swift+config://ref8/glance/x",
    "swift+config://ref9/glance/x",
    "swift+config://ref1/x",
};

/* A key that a URI spells out is one that no message may show. */
static const char *const keys[] = { "secretkey", "pa:ss", "pa/ss", "p@ss", "per%cent", "bl ank", "que?ry#frag", "\xc3\xbc" };

static void parses(const gs_registry *reg, const char *uri, const char *canonical, const char *safe)
{
    gs_location     *location = NULL;
    gs_location_info info = GS_LOCATION_INFO_INIT;
    check_context("%s", uri);
    if (!OK(gs_location_parse(reg, NULL, uri, &location, ERR)))
        return;
    gs_location_get_info(location, &info);
    if (canonical)
        CHECK_STR(canonical, info.uri);
    CHECK_STR(safe, info.safe_uri);
    CHECK_STR("swift", info.store_id);
    CHECK_INT((int)strcspn(uri, ":"), (int)strlen(info.scheme));

    /* What it became parses to itself. */
    gs_location     *again = NULL;
    gs_location_info same = GS_LOCATION_INFO_INIT;
    if (OK(gs_location_parse(reg, NULL, info.uri, &again, ERR))) {
        gs_location_get_info(again, &same);
        CHECK_STR(info.uri, same.uri);
        gs_location_free(again);
    }
    gs_location_free(location);
}

/* Some are malformed at first sight, others name an account that is not there. */
static void refuses(const gs_registry *reg, const char *uri)
{
    uint64_t size = 4711;
    check_context("%s", uri);
    FAILS(GS_BAD_URI, gs_get_size(default_store(reg), uri, NULL, &size, ERR));
    CHECK_STR("BadStoreUri", failure.name);
    CHECK_SIZE(4711, size);
    FAILS(GS_BAD_URI, gs_delete(default_store(reg), uri, NULL, ERR));
}

/* What add makes of odd keys is read back, and shown to nobody. */
static void odd_keys(void)
{
    struct account account = demo_account();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        gs_registry *reg = registry_in("c", SETTINGS({ "glance_store", "swift_store_auth_address", "http://127.0.0.1:9/v3" },
                                                        { "glance_store", "swift_store_key", keys[i] },
                                                        { "glance_store", "swift_store_retries", "0" }));
        check_context("the key %s", keys[i]);
        /* Nobody listens there: an error, without the key. */
        try_add(default_store(reg), new_id(), "abc", 3, 3, GS_UNAVAILABLE);
        CHECK_LACKS(keys[i], failure.message);
        gs_registry_free(reg);
    }
    const char  *container = new_container(&account);
    gs_registry *reg = registry_in(container, SETTINGS({ "glance_store", "swift_store_user", swift("SWIFT_ODD_USER") },
                                                          { "glance_store", "swift_store_key", swift("SWIFT_ODD_KEY") }));
    gs_registry *other = registry_in(container, SETTINGS({ "glance_store", "swift_store_user", swift("SWIFT_ODD_USER") },
                                                            { "glance_store", "swift_store_key", "another" }));
    check_context("the key %s", swift("SWIFT_ODD_KEY"));
    const char *uri = try_add(default_store(reg), new_id(), "abc", 3, 3, GS_OK);
    check_image(default_store(reg), uri, "abc", 3);
    /* The location's own key counts, not that of the options. */
    check_image(default_store(other), uri, "abc", 3);
    OK(gs_delete(default_store(other), uri, NULL, ERR));
    gs_registry_free(reg);
    gs_registry_free(other);
}

static void with_accounts_in_a_file(void)
{
    static const char content[] = "[ref1]\nuser = tenant:user1\nkey = key1\nauth_address = example.com\n"
                                  "[ref8]\napplication_credential_id = only-the-id\nauth_address = https://example.com\n"
                                  "[ref9]\napplication_credential_secret = only-the-secret\nauth_address = https://example.com\n";
    const char *path = text("%s/accounts.conf", new_dir());
    write_file(path, content, strlen(content));
    gs_registry *reg = registry_of(SETTINGS({ "glance_store", "stores", "swift" }, { "glance_store", "default_store", "swift" },
                                            { "glance_store", "swift_store_config_file", path }));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        parses(reg, table[i].uri, table[i].canonical, table[i].safe);
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        refuses(reg, malformed[i]);
    parses(reg, "swift+config://ref1/glance/x", "swift+config://ref1/glance/x", "swift+config://ref1/glance/x");
    gs_registry_free(reg);
}

int main(void)
{
    with_accounts_in_a_file();
    odd_keys();
    return check_result();
}
