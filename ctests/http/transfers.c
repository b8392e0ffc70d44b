/* Images of every size come whole and in part, however the server sends them.  From one that never
 * sends parts, what comes before the part is read and dropped. */
#include "web.h"

#include <stdlib.h>
#include <string.h>

static gs_store *store;

/* By one connection, and by several at once. */
static void every_size(const char *connections)
{
    gs_registry *reg = web_registry("http_connections", connections, NULL);
    static const size_t sizes[] = { 0, 1, 4095, 64 * KiB + 1, 3 * MiB + 5, 40 * MiB + 7 };
    for (size_t i = 0; i < (small_run() ? 4 : 6); i++) {
        uint8_t *data = new_data(sizes[i], RANDOM_DATA);
        check_context("%zu bytes by %s connections", sizes[i], connections);
        serve("image", data, sizes[i]);
        check_transfers(default_store(reg), plain("/image"), data, sizes[i]);
        check_transfers(default_store(reg), plain("/no-range/image"), data, sizes[i]);
        free(data);
    }
    gs_registry_free(reg);
}

/* Sent in chunks, without a length: the bytes come, but how many is not known before. */
static void without_length(const uint8_t *data, size_t len)
{
    struct sink sink = { 0 };
    check_context("a server that names no length");
    if (OK(gs_get(store, plain("/unknown/image"), sink_write, &sink, NULL, ERR)))
        CHECK_BYTES(data, len, sink.data, sink.len);
    sink_free(&sink);
}

/* Nobody asked for compressed bytes, and none come. */
static void compressing(size_t len)
{
    uint8_t *zeros = new_data(len, ZERO_DATA);
    check_context("a server that compresses");
    serve("zeros", zeros, len);
    check_transfers(store, plain("/gzip/zeros"), zeros, len);
    CHECK_INT(0, requests_with("/gzip/", "encoding=gzip"));
    free(zeros);
}

static void without_head(const uint8_t *data, size_t len)
{
    check_context("a server that refuses HEAD");
    check_transfers(store, plain("/no-head/image"), data, len);
}

/* Names and queries go as they are written, as signed URLs need it. */
static void names(const uint8_t *data, size_t len)
{
    static const char *const names[][2] = {
        { "a b", "/a%20b" }, { "a b", "/a b" }, { "\xc3\xa9t\xc3\xa9", "/%C3%A9t%C3%A9" },
        { "\xc3\xa9t\xc3\xa9", "/\xc3\xa9t\xc3\xa9" }, { "100%", "/100%25" }, { "q?", "/q%3F" },
        { "~tilde+plus", "/%7Etilde+plus" },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        check_context("the path %s", names[i][1]);
        serve(names[i][0], data, len);
        check_image(store, plain(names[i][1]), data, len);
    }
    check_context("a signed URI");
    check_image(store, plain(text("/signed/image?%s", nginx("NGINX_QUERY"))), data, len);
    FAILS(GS_FORBIDDEN, gs_get(store, plain("/signed/image?token=wrong"), sink_write, NULL, NULL, ERR));
    CHECK_LACKS("wrong", failure.message);
}

/* The server was asked for nothing but the image: no cookie of an earlier answer came back. */
static void no_cookies(void)
{
    check_context("cookies");
    CHECK(requests_with("GET /image", "cookie=- ") > 1);
    CHECK_INT(0, requests_with("cookie=seen", ""));
}

int main(void)
{
    gs_registry *reg = web_registry(NULL);
    size_t       len = small_run() ? 100 * KiB : 2 * MiB + 3;
    uint8_t     *data = new_data(len, RANDOM_DATA);
    store = default_store(reg);

    every_size("1");
    every_size("4");
    serve("image", data, len);
    without_length(data, len);
    compressing(len);
    without_head(data, len);
    names(data, len);
    no_cookies();

    free(data);
    gs_registry_free(reg);
    return check_result();
}
