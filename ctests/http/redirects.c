/* Redirects: every code, absolute and relative, up to a limit, to where they may lead. */
#include "web.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *data;
static size_t   len;

static void every_kind(gs_store *store)
{
    static const char *const kinds[] = { "absolute", "path", "relative", "scheme" };
    static const int         codes[] = { 301, 302, 303, 307, 308 };
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
        for (size_t code = 0; code < sizeof codes / sizeof *codes; code++) {
            check_context("an %s redirect by %d", kinds[kind], codes[code]);
            check_transfers(store, plain(text("/redirect/%s/%d/image", kinds[kind], codes[code])), data, len);
            const char *signed_path = text("/redirect/%s/%d/signed/image?%s", kinds[kind], codes[code], nginx("NGINX_QUERY"));
            check_image(store, plain(signed_path), data, len);
        }
}

/* A limit of 5 lets 5 answers in a row pass, the last of them the image. */
static void limits(void)
{
    gs_registry *reg = web_registry("http_max_redirects", "5", NULL);
    gs_store    *store = default_store(reg);
    check_context("as many redirects as are allowed");
    check_image(store, plain("/chain/4/image"), data, len);
    check_context("one redirect too many");
    check_refused(store, plain("/chain/5/image"), GS_TOO_MANY_REDIRECTS, 0);
    check_context("a loop");
    unsigned before = requests_with("/loop ", "");
    check_refused(store, plain("/loop"), GS_TOO_MANY_REDIRECTS, 0);
    CHECK(requests_with("/loop ", "") - before <= 4 * 5);
    CHECK_HAS("redirect", failure.message);
    gs_registry_free(reg);
}

static void endings(gs_store *store)
{
    check_context("a redirect to nothing");
    check_refused(store, plain("/redirect/path/302/missing"), GS_NOT_FOUND, 404);
    CHECK_HAS("/redirect/path/302/missing", failure.message);
    check_context("a redirect to a file");
    check_refused(store, plain("/nowhere"), GS_BAD_URI, 0);
    check_context("a redirect to another server");
    check_transfers(store, plain("/elsewhere/image"), data, len);
}

/* Plain to TLS is fine where the certificate is; TLS to plain would give away what TLS hides. */
static void across_tls(void)
{
    gs_registry *reg = web_registry("https_ca_certificates_file", nginx("NGINX_CA"), NULL);
    gs_store    *store = default_store(reg);
    check_context("a redirect to TLS");
    check_transfers(store, plain("/secure/image"), data, len);
    check_context("a redirect away from TLS");
    check_refused(store, tls("/elsewhere/image"), GS_FORBIDDEN, 0);
    gs_registry_free(reg);
}

int main(void)
{
    gs_registry *reg = web_registry(NULL);
    len = small_run() ? 10 * KiB : 200 * KiB;
    data = new_data(len, RANDOM_DATA);
    serve("image", data, len);

    every_kind(default_store(reg));
    limits();
    endings(default_store(reg));
    across_tls();

    free(data);
    gs_registry_free(reg);
    return check_result();
}
