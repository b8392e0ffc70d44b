/* Keystone and Swift by TLS: both are trusted by the certificates of
 * swift_store_cacert, or unseen with swift_store_auth_insecure, or not at all. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

enum { LEN = 2 * UNIT + 5 };

static struct account account;
static const char    *container;
static uint8_t       *data;

static gs_registry *tls_registry(const char *keystone, const char *key, const char *value)
{
    return registry_in(container, SETTINGS({ "glance_store", "swift_store_auth_address", keystone },
                                           { "glance_store", "swift_store_endpoint", swift("TLS_STORAGE_URL") },
                                           { "glance_store", "swift_store_retries", "0" }, { "glance_store", key, value }));
}

static void trusted(const char *key, const char *value)
{
    gs_registry *reg = tls_registry(swift("TLS_KEYSTONE_URL"), key, value);
    check_context("%s = %s", key, value);
    const char *uri = try_add(default_store(reg), new_id(), data, LEN, LEN, GS_OK);
    /* The default scheme is that of TLS. */
    CHECK(strncmp(uri, "swift+https://", 14) == 0);
    check_image(default_store(reg), uri, data, LEN);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    check_absent(default_store(reg), uri);
    gs_registry_free(reg);
}

static void distrusted(const char *keystone, const char *key, const char *value)
{
    gs_registry *reg = tls_registry(keystone, key, value);
    check_context("%s, %s = %s", keystone, key, value);
    struct source source = { .data = data, .len = LEN };
    gs_image     *image = NULL;
    CHECK(RETURNS(gs_add(default_store(reg), new_id(), LEN, source_read, &source, NULL, &image, ERR)) != GS_OK);
    CHECK_HAS("certificate", failure.message);
    CHECK_LACKS(swift("SWIFT_KEY"), failure.message);
    CHECK(!failure.retryable);
    gs_registry_free(reg);
}

int main(void)
{
    account = demo_account();
    container = new_container(&account);
    data = new_data(LEN, RANDOM_DATA);
    trusted("swift_store_cacert", swift("TLS_CA"));
    trusted("swift_store_auth_insecure", "true");
    distrusted(swift("TLS_KEYSTONE_URL"), "swift_store_region", "RegionOne");
    distrusted(swift("TLS_WRONG_HOST_URL"), "swift_store_cacert", swift("TLS_CA"));
    CHECK_STR("", names_in(&account, container));
    free(data);
    return check_result();
}
