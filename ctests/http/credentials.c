/* Basic authentication by the URI: who gets in, who does not, and that no message tells. */
#include "web.h"

#include <stdlib.h>
#include <string.h>

static char logged[1 << 20];

static void keep_log(void *user, int32_t level, const char *target, const char *message)
{
    size_t used = strlen(logged);
    (void)user;
    snprintf(logged + used, sizeof logged - used, "%d %s %s\n", (int)level, target, message);
}

static gs_registry *logging_registry(void)
{
    gs_config   *config = gs_config_new();
    gs_registry *reg;
    MUST(gs_config_set(config, "glance_store", "stores", "http", ERR) == GS_OK);
    MUST(gs_config_set(config, "glance_store", "default_store", "http", ERR) == GS_OK);
    gs_config_set_log(config, GS_LOG_TRACE, keep_log, NULL, NULL);
    MUST(gs_registry_open(config, &reg, ERR) == GS_OK);
    gs_config_free(config);
    return reg;
}

static void check_no_secret(const char *text)
{
    static const char *const secrets[] = { "se/cret", "se%2Fcret", "wrong-pass", "cmVhZGVy", "Basic " };
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        CHECK_LACKS(secrets[i], text);
}

static void wrong_credentials(gs_store *store)
{
    const char *uris[] = {
        plain("/auth/image"),
        with_credentials("reader:wrong-pass", "/auth/image"),
        with_credentials("reader:", "/auth/image"),
        with_credentials("nobody:se%2Fcret%20p%40ss%3A1%25", "/auth/image"),
    };
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        check_context("credentials number %zu", i);
        check_refused(store, uris[i], GS_NOT_AUTHENTICATED, 401);
        CHECK_HAS("/auth/image", failure.message);
        check_no_secret(failure.message);
    }
}

/* They go to the server that they are for: not with a redirect to another one. */
static void redirected(gs_store *store, const uint8_t *data, size_t len)
{
    const char *credentials = nginx("NGINX_CREDENTIALS");
    check_context("a redirect within the server");
    check_image(store, with_credentials(credentials, "/redirect/path/302/auth/image"), data, len);
    check_image(store, with_credentials(credentials, "/redirect/absolute/307/auth/image"), data, len);

    check_context("a redirect to another server");
    unsigned before = requests_with(" /auth/image", "auth=Basic");
    check_refused(store, with_credentials(credentials, "/elsewhere/auth/image"), GS_NOT_AUTHENTICATED, 401);
    check_no_secret(failure.message);
    CHECK_INT(before, requests_with(" /auth/image", "auth=Basic"));
    check_image(store, with_credentials(credentials, "/elsewhere/image"), data, len);
}

static void locations(const gs_registry *reg)
{
    gs_location     *location;
    gs_location_info info = GS_LOCATION_INFO_INIT;
    const char      *uri = with_credentials(nginx("NGINX_CREDENTIALS"), "/auth/image?token=wrong-pass");
    check_context("locations");
    if (!OK(gs_location_parse(reg, NULL, uri, &location, ERR)))
        return;
    gs_location_get_info(location, &info);
    CHECK_STR(uri, info.uri);
    CHECK_STR("http", info.scheme);
    CHECK_HAS("***", info.safe_uri);
    CHECK_HAS("/auth/image", info.safe_uri);
    check_no_secret(info.safe_uri);
    gs_location_free(location);
}

int main(void)
{
    gs_registry *reg = logging_registry();
    gs_store    *store = default_store(reg);
    size_t       len = 300 * KiB;
    uint8_t     *data = new_data(len, RANDOM_DATA);
    serve("image", data, len);

    check_context("the right credentials");
    check_transfers(store, with_credentials(nginx("NGINX_CREDENTIALS"), "/auth/image"), data, len);
    wrong_credentials(store);
    redirected(store, data, len);
    locations(reg);

    check_context("the log");
    CHECK_HAS("/auth/image", logged);
    check_no_secret(logged);

    free(data);
    gs_registry_free(reg);
    return check_result();
}
