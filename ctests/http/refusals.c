/* What the server refuses, and what the store does: each by its own status, in one line. */
#include "web.h"

#include <string.h>

static void server_refuses(gs_store *store)
{
    static const struct { const char *path; int http_status; gs_status status; bool retryable; } answers[] = {
        { "/auth/image", 401, GS_NOT_AUTHENTICATED, false },
        { "/status/403", 403, GS_FORBIDDEN, false },
        { "/missing", 404, GS_NOT_FOUND, false },
        { "/status/410", 410, GS_NOT_FOUND, false },
        { "/status/429", 429, GS_UNAVAILABLE, true },
        { "/status/500", 500, GS_UNAVAILABLE, true },
        { "/status/502", 502, GS_UNAVAILABLE, true },
        { "/status/503", 503, GS_UNAVAILABLE, true },
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        check_context("the answer %d", answers[i].http_status);
        check_refused(store, plain(answers[i].path), answers[i].status, answers[i].http_status);
        CHECK_INT(answers[i].retryable, failure.retryable);
        CHECK_HAS(answers[i].path, failure.message);
        CHECK_HAS(text("%d", answers[i].http_status), failure.message);
    }
}

/* Each answer above was asked for once a call; with retries, so often more. */
static void retries(void)
{
    gs_registry *reg = web_registry("http_retries", "2", NULL);
    uint64_t     size;
    check_context("retries");
    unsigned before = requests_with("503 HEAD /status/503 ", "") + requests_with("503 GET /status/503 ", "");
    FAILS(GS_UNAVAILABLE, gs_get_size(default_store(reg), plain("/status/503"), NULL, &size, ERR));
    unsigned after = requests_with("503 HEAD /status/503 ", "") + requests_with("503 GET /status/503 ", "");
    CHECK_INT(before + 3, after);
    before = requests_with("404 ", "/retried ");
    FAILS(GS_NOT_FOUND, gs_get_size(default_store(reg), plain("/retried"), NULL, &size, ERR));
    CHECK_INT(before + 1, requests_with("404 ", "/retried "));
    gs_registry_free(reg);
}

static void store_only_reads(gs_store *store)
{
    gs_store_info info = GS_STORE_INFO_INIT;
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    unsigned      before = requests_with("/image", "");
    check_context("writing");
    gs_store_get_info(store, &info);
    CHECK_STR("http", info.driver);
    CHECK_STR("http", info.id);
    CHECK_INT(0, info.capabilities & GS_CAN_WRITE);
    CHECK_INT(GS_CAN_READ_RANDOM | GS_DRIVER_REUSABLE, info.capabilities);
    CHECK(info.add_disabled != NULL);
    CHECK_STR("http", info.schemes[0]);
    CHECK_STR("https", info.schemes[1]);
    CHECK(info.schemes[2] == NULL);
    FAILS(GS_ADD_DISABLED, gs_add(store, "image", 3, source_read, &source, NULL, &image, ERR));
    CHECK(image == NULL);
    CHECK_INT(0, source.calls);
    FAILS(GS_NOT_SUPPORTED, gs_delete(store, plain("/image"), NULL, ERR));
    CHECK_INT(before, requests_with("/image", ""));
    CHECK(exists(text("%s/image", nginx("NGINX_IMAGES"))));
}

/* No server, no name: an error that says which, and that a retry may help. */
static void nobody_answers(gs_store *store)
{
    check_context("a port where nobody listens");
    check_refused(store, "http://127.0.0.1:1/image", GS_UNAVAILABLE, 0);
    CHECK(failure.retryable);
    CHECK_HAS("127.0.0.1:1", failure.message);
    check_context("a host without an address");
    check_refused(store, "http://nowhere.invalid/image", GS_UNAVAILABLE, 0);
    CHECK_HAS("nowhere.invalid", failure.message);
    check_context("plain HTTP where TLS is spoken");
    const char *port = strrchr(nginx("NGINX_TLS_URL"), ':');
    uint64_t    size;
    CHECK(RETURNS(gs_get_size(store, text("http://127.0.0.1%s/image", port), NULL, &size, ERR)) != GS_OK);
    check_context("TLS where plain HTTP is spoken");
    port = strrchr(nginx("NGINX_URL"), ':');
    FAILS(GS_UNAVAILABLE, gs_get_size(store, text("https://127.0.0.1%s/image", port), NULL, &size, ERR));
}

static void bad_uris(gs_store *store)
{
    static const char *const uris[] = {
        "http://", "http:///path", "http://host:port/path", "http://host:99999/path", "http://[::1/path",
        "http://[zz]/path", "http://user:secret@/path", "http://user:secret@host:port/path", "http://ho st/path",
    };
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        check_context("%s", uris[i]);
        check_refused(store, uris[i], GS_BAD_URI, 0);
        CHECK_LACKS("secret", failure.message);
    }
}

int main(void)
{
    gs_registry *reg = web_registry("http_retries", "0", NULL);
    gs_store    *store = default_store(reg);
    serve("image", "abc", 3);

    server_refuses(store);
    retries();
    store_only_reads(store);
    nobody_answers(store);
    bad_uris(store);

    gs_registry_free(reg);
    return check_result();
}
