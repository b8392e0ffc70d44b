/* Which hosts locations may reach, when the configuration limits them. */
#include "web.h"

#include <string.h>

static void denied(void)
{
    gs_registry *reg = web_registry("http_denied_addresses", "loopback, private", NULL);
    const char  *port = strrchr(nginx("NGINX_URL"), ':');
    const char  *hosts[] = { "127.0.0.1", "localhost", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0" };
    unsigned     before = requests_with("/image", "");
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        check_context("the host %s", hosts[i]);
        check_refused(default_store(reg), text("http://%s%s/image", hosts[i], port), GS_FORBIDDEN, 0);
        CHECK_HAS("http_denied_addresses", failure.message);
    }
    CHECK_INT(before, requests_with("/image", ""));
    gs_registry_free(reg);
}

/* A redirect leads no further than a location may. */
static void denied_by_redirect(void)
{
    gs_registry *reg = web_registry("http_allowed_hosts", "127.0.0.1",
                                    "https_ca_certificates_file", nginx("NGINX_CA"), NULL);
    check_context("a redirect to a host that is not allowed");
    check_image(default_store(reg), plain("/image"), "abc", 3);
    check_refused(default_store(reg), plain("/secure/image"), GS_FORBIDDEN, 0);
    CHECK_HAS("localhost", failure.message);
    gs_registry_free(reg);
}

static void allowed(void)
{
    gs_registry *reg = web_registry("http_denied_addresses", "private, 10.0.0.0/8, 192.0.2.1", NULL);
    check_context("addresses that are not denied");
    check_image(default_store(reg), plain("/image"), "abc", 3);
    gs_registry_free(reg);
}

static void wrong_values(void)
{
    static const char *const values[] = { "loopbak", "10.0.0.0/33", "10.0.0", "::1/129" };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct setting settings[] = {
            { "glance_store", "stores", "http" },
            { "glance_store", "default_store", "http" },
            { "glance_store", "http_denied_addresses", values[i] },
            { NULL, NULL, NULL },
        };
        check_context("http_denied_addresses = %s", values[i]);
        CHECK_INT(GS_BAD_CONFIG, try_open(settings));
        CHECK_HAS("http_denied_addresses", failure.message);
        CHECK_HAS(values[i], failure.message);
    }
}

int main(void)
{
    serve("image", "abc", 3);
    denied();
    denied_by_redirect();
    allowed();
    wrong_values();
    return check_result();
}
