/* S3 behind nginx, by TLS and by a proxy: the server is trusted by the certificates of s3_store_cacert, or unseen with s3_store_insecure, or
 * not at all; what goes through TLS is not signed once more. */
#include "s3.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *data;

static void trusted(const char *key, const char *value)
{
    const size_t lengths[] = { 0, 5120, PART + 100 };
    gs_registry *reg = s3_registry(env("TLS_URL"), SETTINGS({ NULL, key, value }));
    for (size_t i = 0; i < (small_run() ? 2 : 3); i++) {
        const char *uri = NULL, *id = new_id();
        check_context("%zu bytes, %s = %s", lengths[i], key, value);
        if (!CHECK(add(default_store(reg), id, data, lengths[i], false, &uri) == GS_OK))
            continue;
        CHECK_STR(text("s3+%s/%s/%s", env("TLS_URL"), env("S3_BUCKET"), id), uri);
        check_image(default_store(reg), uri, data, lengths[i]);
        OK(gs_delete(default_store(reg), uri, NULL, ERR));
    }
    gs_registry_free(reg);
}

static void distrusted(const char *url, const char *key, const char *value)
{
    gs_registry *reg = s3_registry(url, SETTINGS({ NULL, key, value }));
    check_context("%s, %s = %s", url, key, value);
    CHECK(add(default_store(reg), new_id(), data, 5120, true, NULL) != GS_OK);
    CHECK_HAS("certificate", failure.message);
    CHECK_LACKS(env("S3_SECRET_KEY"), failure.message);
    CHECK(!failure.retryable);
    gs_registry_free(reg);
}

static unsigned lines_with(const char *method, const char *word)
{
    size_t   len;
    unsigned count = 0;
    char    *log = read_file(env("TLS_LOG"), &len), *rest = log, *line;
    while ((line = strsep(&rest, "\n")) != NULL)
        count += strncmp(line, method, strlen(method)) == 0 && strstr(line, word) != NULL;
    free(log);
    return count;
}

/* A bucket that is a part of the host's name, which only the proxy can resolve. */
static void by_host(void)
{
    const size_t lengths[] = { 5120, PART + 100 };
    gs_registry *reg = s3_registry("http://localhost", SETTINGS({ NULL, "s3_store_bucket_url_format", "virtual" },
                                                              { NULL, "s3_store_proxy", env("PROXY_URL") }));
    for (size_t i = 0; i < (small_run() ? 1 : 2); i++) {
        const char *uri = NULL, *id = new_id();
        check_context("%zu bytes, the bucket named by the host", lengths[i]);
        if (!CHECK(add(default_store(reg), id, data, lengths[i], false, &uri) == GS_OK))
            continue;
        CHECK_STR(text("s3://localhost/%s/%s", env("S3_BUCKET"), id), uri);
        CHECK_HAS(text("object %s %zu ", id, lengths[i]), holdings());
        check_image(default_store(reg), uri, data, lengths[i]);
        OK(gs_delete(default_store(reg), uri, NULL, ERR));
        CHECK(lines_with("PUT", text(" /%s", id)) > 0);
        CHECK_INT(0, lines_with("PUT", text("/%s/%s", env("S3_BUCKET"), id)));
    }
    gs_registry_free(reg);
}

int main(void)
{
    data = new_data(PART + 100, RANDOM_DATA);
    const char *before = holdings();
    trusted("s3_store_cacert", env("TLS_CA"));
    check_context("what was sent by TLS");
    CHECK(lines_with("PUT", "UNSIGNED-PAYLOAD") > 0);
    CHECK_INT(lines_with("PUT", ""), lines_with("PUT", "UNSIGNED-PAYLOAD") + lines_with("PUT", "e3b0c44298fc1c14"));
    trusted("s3_store_insecure", "true");
    unsigned unsigned_before = lines_with("PUT", "UNSIGNED-PAYLOAD");
    gs_registry *careful = s3_registry(env("TLS_URL"), SETTINGS({ NULL, "s3_store_cacert", env("TLS_CA") },
                                                               { NULL, "s3_store_payload_signing", "always" }));
    const char  *uri = NULL;
    check_context("what is signed by TLS");
    CHECK(add(default_store(careful), new_id(), data, 5120, true, &uri) == GS_OK);
    OK(gs_delete(default_store(careful), uri, NULL, ERR));
    CHECK_INT(unsigned_before, lines_with("PUT", "UNSIGNED-PAYLOAD"));
    gs_registry_free(careful);
    distrusted(env("TLS_URL"), "s3_store_retries", "0");
    distrusted(env("TLS_WRONG_HOST_URL"), "s3_store_cacert", env("TLS_CA"));
    by_host();
    CHECK_STR(before, holdings());
    free(data);
    return check_result();
}
