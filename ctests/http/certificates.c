/* TLS: trusted by the configured CA alone, unless the configuration asks for no checks. */
#include "web.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *data;
static size_t   len;

static void trusted(void)
{
    gs_registry *reg = web_registry("https_ca_certificates_file", nginx("NGINX_CA"), NULL);
    gs_store    *store = default_store(reg);
    check_context("the CA's file");
    check_transfers(store, tls("/image"), data, len);
    check_context("a certificate for another host");
    check_refused(store, text("%s/image", nginx("NGINX_WRONG_HOST_URL")), GS_UNAVAILABLE, 0);
    CHECK_HAS("certificate", failure.message);
    gs_registry_free(reg);
}

static void not_trusted(void)
{
    gs_registry *reg = web_registry("http_retries", "0", NULL);
    check_context("no CA's file");
    check_refused(default_store(reg), tls("/image"), GS_UNAVAILABLE, 0);
    CHECK_HAS("certificate", failure.message);
    CHECK_INT(0, requests_with("/image", ""));
    gs_registry_free(reg);
}

static void insecure(void)
{
    gs_registry *reg = web_registry("https_insecure", "true", NULL);
    check_context("https_insecure");
    check_transfers(default_store(reg), tls("/image"), data, len);
    check_image(default_store(reg), text("%s/image", nginx("NGINX_WRONG_HOST_URL")), data, len);
    gs_registry_free(reg);

    reg = web_registry("https_insecure", "true", "https_ca_certificates_file", nginx("NGINX_CA"), NULL);
    check_context("https_insecure together with the CA's file, which wins");
    check_image(default_store(reg), tls("/image"), data, len);
    check_refused(default_store(reg), text("%s/image", nginx("NGINX_WRONG_HOST_URL")), GS_UNAVAILABLE, 0);
    gs_registry_free(reg);
}

/* Variables that the environment may have for other programs change nothing. */
static void environment(void)
{
    check_context("the environment");
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    setenv("CURL_CA_BUNDLE", "/dev/null", 1);
    setenv("REQUESTS_CA_BUNDLE", "/dev/null", 1);
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    trusted();
}

static gs_status open_status(const char *path)
{
    const struct setting settings[] = {
        { "glance_store", "stores", "http" },
        { "glance_store", "default_store", "http" },
        { "glance_store", "https_ca_certificates_file", path },
        { NULL, NULL, NULL },
    };
    return try_open(settings);
}

static void bad_files(void)
{
    const char *text_file = text("%s/no-certificate", new_dir());
    write_file(text_file, "hello\n", 6);
    check_context("a CA's file without a certificate");
    CHECK_INT(GS_BAD_CONFIG, open_status(text_file));
    CHECK_HAS("https_ca_certificates_file", failure.message);
    check_context("a CA's file that is not there");
    CHECK_INT(GS_BAD_CONFIG, open_status("/nonexistent/ca.pem"));
    CHECK_HAS("/nonexistent/ca.pem", failure.message);
}

int main(void)
{
    len = small_run() ? 100 * KiB : 20 * MiB + 1;
    data = new_data(len, RANDOM_DATA);
    serve("image", data, len);

    not_trusted();
    trusted();
    insecure();
    environment();
    bad_files();

    free(data);
    return check_result();
}
