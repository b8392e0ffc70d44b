/* What an add sends, and what it leaves in the bucket. */
#include "s3.h"

#include <stdlib.h>
#include <string.h>

static struct faults *faults;
static gs_registry   *registry;
static gs_store      *store;

static void open_with(const struct setting *settings)
{
    gs_registry_free(registry);
    registry = s3_registry(faults_url(faults, "s3"), settings);
    store = default_store(registry);
}

static unsigned count(const char *method, const char *part)
{
    return faults_count(faults, text("s3 %s ", method), part);
}

/* Adds and removes an image; how many requests of what kind that took is in the log. */
static void requests_of(size_t len, bool known)
{
    const char *id = new_id(), *uri = NULL, *before = holdings();
    uint8_t    *data = new_data(len, RANDOM_DATA);
    faults_clear(faults);
    check_context("%zu bytes, %s", len, known ? "announced" : "not announced");
    if (!CHECK(add(store, id, data, len, known, &uri) == GS_OK))
        return;
    CHECK_STR(uri_of(faults_url(faults, "s3"), env("S3_BUCKET"), id), uri);
    const char *log = faults_log(faults);
    check_image(store, uri, data, len);
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR(before, holdings());
    /* The bucket and the key are looked for before anything is sent. */
    CHECK(strncmp(log, "s3 HEAD ", strlen("s3 HEAD ")) == 0);
    CHECK_HAS(text("\ns3 HEAD /%s/%s 404", env("S3_BUCKET"), id), log);
    free(data);
}

static void requests(void)
{
    static const struct { size_t len; bool known; unsigned puts, parts; } rows[] = {
        { 0, true, 1, 0 },
        { 0, false, 1, 0 },
        { 5120, true, 1, 0 },
        { 5120, false, 1, 0 },
        { 6 * MiB - 1, true, 1, 0 },
        { 6 * MiB, true, 0, 2 },
        { PART - 1, false, 1, 0 },
        { PART, false, 0, 1 },
        { PART + 1, false, 0, 2 },
        { 16 * MiB, true, 0, 4 },
        { 16 * MiB, false, 0, 4 },
    };
    open_with(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows && (!small_run() || rows[i].len < MiB); i++) {
        requests_of(rows[i].len, rows[i].known);
        CHECK_INT(rows[i].puts + rows[i].parts, count("PUT", ""));
        CHECK_INT(rows[i].puts, count("PUT", "if-none-match"));
        CHECK_INT(rows[i].parts, count("PUT", "partNumber="));
        CHECK_INT(rows[i].parts ? 1 : 0, count("POST", "?uploads"));
        CHECK_INT(rows[i].parts ? 1 : 0, count("POST", "<CompleteMultipartUpload"));
    }
}

/* With a threshold of 0 every image but an empty one is stored in parts. */
static void always_in_parts(void)
{
    open_with(SETTINGS({ NULL, "s3_store_large_object_size", "0" }));
    requests_of(0, true);
    CHECK_INT(0, count("POST", ""));
    requests_of(0, false);
    CHECK_INT(0, count("POST", ""));
    requests_of(1, true);
    CHECK_INT(1, count("PUT", "partNumber=1"));
    requests_of(1, false);
    CHECK_INT(1, count("PUT", "partNumber=1"));
}

/* Known answers: the digests of the parts, and the tag that they give the object. */
static void tags(void)
{
    const char *id = new_id(), *uri = NULL;
    uint8_t    *data = malloc(16 * MiB);
    MUST(data != NULL);
    memset(data, '*', 16 * MiB);
    open_with(SETTINGS({ NULL, "s3_store_large_object_chunk_size", "6" }));
    if (!small_run() && CHECK(add(store, id, data, 16 * MiB, true, &uri) == GS_OK)) {
        CHECK_STR("\"ef82c5ec1b7801d7d5aff727f34b3dcd-3\"", header_of(id, "etag"));
        OK(gs_delete(store, uri, NULL, ERR));
    }
    if (!small_run() && CHECK(add(store, id, data, 9 * MiB, false, &uri) == GS_OK)) {
        CHECK_STR("\"ab4431c5a36dc357ef7d5be21788d0ab-2\"", header_of(id, "etag"));
        OK(gs_delete(store, uri, NULL, ERR));
    }
    if (CHECK(add(store, id, data, 5120, true, &uri) == GS_OK)) {
        CHECK_STR("\"c2e5db72bd7fd153f53ede5da5a06de3\"", header_of(id, "etag"));
        OK(gs_delete(store, uri, NULL, ERR));
    }
    free(data);
}

/* Each option does what it says to requests. */
static void options(void)
{
    static const struct { const struct setting settings[3]; const char *method, *sent; bool is_sent; } rows[] = {
        { { { 0 } }, "PUT", "x-amz-checksum", false },
        { { { 0 } }, "PUT", "content-md5", false },
        { { { 0 } }, "PUT", "UNSIGNED-PAYLOAD", false },
        { { { 0 } }, "GET", "x-amz-checksum-mode", false },
        { { { NULL, "s3_store_request_checksum_calculation", "when_supported" } }, "PUT", "x-amz-checksum", false },
        { { { NULL, "s3_store_request_checksum_calculation", "when_supported" },
            { NULL, "s3_store_enable_data_integrity_protection", "true" } }, "PUT", "\"x-amz-checksum-crc32\": \"", true },
        { { { NULL, "s3_store_response_checksum_validation", "when_supported" },
            { NULL, "s3_store_enable_data_integrity_protection", "true" } }, "GET", "\"x-amz-checksum-mode\": \"ENABLED\"", true },
        { { { NULL, "s3_store_content_md5", "true" } }, "PUT", "\"content-md5\": \"", true },
        { { { NULL, "s3_store_payload_signing", "never" } }, "PUT", "UNSIGNED-PAYLOAD", true },
        { { { NULL, "s3_store_storage_class", "STANDARD" } }, "PUT", "\"x-amz-storage-class\": \"STANDARD\"", true },
        { { { NULL, "s3_store_acl", "private" } }, "PUT", "\"x-amz-acl\": \"private\"", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        open_with(rows[i].settings);
        requests_of(5120, true);
        CHECK_INT(rows[i].is_sent, count(rows[i].method, rows[i].sent) > 0);
        if (!small_run() && strcmp(rows[i].method, "PUT") == 0) {
            requests_of(PART + 5120, false);
            CHECK_INT(rows[i].is_sent, count(strstr(rows[i].sent, "class") || strstr(rows[i].sent, "acl") ? "POST" : "PUT", rows[i].sent) > 0);
        }
    }
}

/* Encryption needs a server that has keys; ours must at least ask for it. */
static void encryption(void)
{
    uint8_t *data = new_data(5120, RANDOM_DATA);
    open_with(SETTINGS({ NULL, "s3_store_server_side_encryption", "aws:kms" }, { NULL, "s3_store_kms_key_id", "key-1" }));
    faults_rule(faults, "PUT * 1 status=400 body=\"<Error><Code>NoKms</Code><RequestId>r-1</RequestId></Error>\"");
    check_context("a key service");
    CHECK(add(store, new_id(), data, 5120, true, NULL) == GS_FAILED);
    CHECK_HAS("400 NoKms (request r-1)", failure.message);
    CHECK_INT(1, count("PUT", "\"x-amz-server-side-encryption\": \"aws:kms\""));
    CHECK_INT(1, count("PUT", "\"x-amz-server-side-encryption-aws-kms-key-id\": \"key-1\""));
    faults_clear(faults);
    free(data);
}

static void buckets(void)
{
    const char *bucket = text("%s-other", env("S3_BUCKET")), *uri = NULL;
    uint8_t    *data = new_data(5120, RANDOM_DATA);
    check_context("a bucket that is not there");
    open_with(SETTINGS({ NULL, "s3_store_bucket", bucket }));
    CHECK(add(store, new_id(), data, 5120, true, NULL) == GS_FAILED);
    CHECK_HAS(bucket, failure.message);
    CHECK_HAS("s3_store_create_bucket_on_put", failure.message);
    CHECK_STR("BackendException", failure.name);

    check_context("a bucket that is made");
    open_with(SETTINGS({ NULL, "s3_store_bucket", bucket }, { NULL, "s3_store_create_bucket_on_put", "true" }));
    faults_clear(faults);
    if (CHECK(add(store, new_id(), data, 5120, true, &uri) == GS_OK)) {
        check_image(store, uri, data, 5120);
        OK(gs_delete(store, uri, NULL, ERR));
    }
    CHECK_INT(0, count("PUT", "LocationConstraint"));
    tool("remove %s", bucket);

    check_context("a bucket that cannot be made");
    faults_rule(faults, "PUT *-other/ 1 status=409 body=\"<Error><Code>BucketAlreadyExists</Code></Error>\"");
    faults_rule(faults, "PUT *-other 1 status=409 body=\"<Error><Code>BucketAlreadyExists</Code></Error>\"");
    CHECK(add(store, new_id(), data, 5120, true, NULL) == GS_FAILED);
    CHECK_STR("BadStoreConfiguration", failure.name);
    CHECK_HAS("BucketAlreadyExists", failure.message);

    check_context("a bucket in a region");
    open_with(SETTINGS({ NULL, "s3_store_bucket", bucket }, { NULL, "s3_store_create_bucket_on_put", "true" },
                       { NULL, "s3_store_region_name", "eu-north-9" }));
    faults_rule(faults, "HEAD *-other* 1 status=404");
    faults_rule(faults, "PUT *-other* 1 status=403");
    CHECK(add(store, new_id(), data, 5120, true, NULL) == GS_FORBIDDEN);
    CHECK_INT(1, count("PUT", "<LocationConstraint>eu-north-9</LocationConstraint>"));
    CHECK_INT(1, count("PUT", "/eu-north-9/s3/aws4_request"));
    faults_clear(faults);

    check_context("a bucket whose name no host can have");
    open_with(SETTINGS({ NULL, "s3_store_bucket_url_format", "virtual" }, { NULL, "s3_store_bucket", "not.dns.compliant" }));
    CHECK(add(store, new_id(), data, 5120, true, NULL) == GS_BAD_CONFIG);
    CHECK_HAS("not.dns.compliant", failure.message);
    CHECK_STR("", faults_log(faults));
    free(data);
}

struct nested { struct source source; const char *id; };

/* A source that another image is added by meanwhile, of the same id. */
static int64_t read_and_add(void *user, uint8_t *buf, size_t len)
{
    struct nested *nested = user;
    if (nested->source.calls == 0)
        CHECK(add(store, nested->id, nested->source.data, 1, true, NULL) == GS_DUPLICATE);
    return source_read(&nested->source, buf, len);
}

/* An id that is taken is refused before its source is read. */
static void duplicates(void)
{
    const char   *id = new_id(), *uri = NULL;
    uint8_t      *data = new_data(5120, RANDOM_DATA);
    struct source source = { .data = data, .len = 5120 };
    gs_image     *image = NULL;
    open_with(NULL);
    check_context("an id that is taken");
    CHECK(add(store, id, data, 5120, true, &uri) == GS_OK);
    FAILS(GS_DUPLICATE, gs_add(store, id, 5120, source_read, &source, NULL, &image, ERR));
    CHECK_INT(0, source.calls);
    check_image(store, uri, data, 5120);

    check_context("an id that is being added");
    struct nested nested = { .source = { .data = data, .len = 5120 }, .id = new_id() };
    OK(gs_add(store, nested.id, 5120, read_and_add, &nested, NULL, &image, ERR));
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_image_get_info(image, &info);
    check_image(store, info.uri, data, 5120);
    OK(gs_delete(store, info.uri, NULL, ERR));
    gs_image_free(image);

    /* Another was faster: a look before the last request finds it, or the server keeps the condition. */
    static const char *const seen[] = { "HEAD */%s 1 status=404", "HEAD */%s 1-2 status=404" };
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
        check_context("an id that is taken meanwhile, %s", seen[i]);
        faults_clear(faults);
        faults_rule(faults, seen[i], id);
        CHECK(add(store, id, data, 100, true, NULL) == GS_DUPLICATE);
        CHECK_INT(i, count("PUT", "if-none-match"));
        check_image(store, uri, data, 5120);
        /* Not every server keeps the condition of the last request of several. */
        if (small_run() || i > 0)
            continue;
        uint8_t *large = new_data(7 * MiB, RANDOM_DATA);
        faults_clear(faults);
        faults_rule(faults, seen[i], id);
        CHECK(add(store, id, large, 7 * MiB, true, NULL) == GS_DUPLICATE);
        CHECK_INT(0, count("POST", "if-none-match"));
        check_image(store, uri, data, 5120);
        free(large);
    }
    faults_clear(faults);
    check_context("an id that is taken, of a server without conditions");
    faults_rule(faults, "HEAD */%s 1-2 status=404", id);
    faults_rule(faults, "PUT */%s 1 status=501 body=\"<Error><Code>NotImplemented</Code></Error>\"", id);
    CHECK(add(store, id, data, 100, true, NULL) == GS_DUPLICATE);
    check_image(store, uri, data, 5120);
    OK(gs_delete(store, uri, NULL, ERR));

    faults_clear(faults);
    check_context("a server without conditions");
    faults_rule(faults, "PUT */%s 1 status=501 body=\"<Error><Code>NotImplemented</Code></Error>\"", id);
    CHECK(add(store, id, data, 5120, true, &uri) == GS_OK);
    check_image(store, uri, data, 5120);
    OK(gs_delete(store, uri, NULL, ERR));
    faults_clear(faults);
    free(data);
}

/* Every id that a URI can lead back to. */
static void odd_ids(void)
{
    uint8_t *data = new_data(5120, RANDOM_DATA);
    open_with(NULL);
    static const char *const odd[] = { "a b", "100%", "a+b:c=d&e;f", "\303\251", "..." };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        const char *uri = NULL;
        check_context("the id \"%s\"", odd[i]);
        if (CHECK(add(store, odd[i], data, 5120, true, &uri) == GS_OK)) {
            check_image(store, uri, data, 5120);
            OK(gs_delete(store, uri, NULL, ERR));
        }
    }
    free(data);
}

/* Parts that the memory does not hold are sent as they come, those of unknown length cannot be. */
static void streamed_parts(void)
{
    static const struct { const char *signing, *sent; } rows[] = {
        { "auto", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" }, { "never", "UNSIGNED-PAYLOAD" },
    };
    static const size_t lengths[] = { PART - 1, PART, PART + 1, PART + 65535, PART + 65536, PART + 65537, 3 * PART + 7 };
    const struct setting little = { NULL, "transfer_memory", "8" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !small_run(); i++) {
        open_with(SETTINGS(little, { NULL, "s3_store_payload_signing", rows[i].signing }));
        /* Ends of chunks matter to what is signed alone. */
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j += i ? 3 : 1) {
            unsigned parts = (unsigned)((lengths[j] + PART - 1) / PART);
            requests_of(lengths[j], true);
            CHECK_INT(parts, count("PUT", "partNumber="));
            CHECK_INT(parts, count("PUT", rows[i].sent));
        }
    }
}

static void memory(void)
{
    uint8_t *data = new_data(2 * PART, RANDOM_DATA);
    open_with(SETTINGS({ NULL, "transfer_memory", "8" }));
    faults_clear(faults);
    check_context("parts of unknown length, larger than the memory");
    CHECK(add(store, new_id(), "", 0, false, NULL) == GS_BAD_CONFIG);
    CHECK_HAS("transfer_memory", failure.message);
    CHECK_STR("", faults_log(faults));
    if (on_rgw()) {
        streamed_parts();
    } else if (!small_run()) {
        /* Keystone keeps the secret from Swift, which then cannot check what is signed piece by piece. */
        const char *before = holdings();
        check_context("signed parts of a server that does not know the secret");
        CHECK(add(store, new_id(), data, 2 * PART, true, NULL) == GS_FAILED);
        CHECK_HAS("501", failure.message);
        CHECK_HAS("transfer_memory", failure.message);
        CHECK_HAS("s3_store_payload_signing", failure.message);
        CHECK_STR(before, holdings());
        setenv("S3_ACCESS_KEY", env("SWIFT_S3_ACCESS_KEY"), 1);
        setenv("S3_SECRET_KEY", env("SWIFT_S3_SECRET_KEY"), 1);
        tool("make %s", env("S3_BUCKET"));
        streamed_parts();
        tool("remove %s", env("S3_BUCKET"));
        setenv("S3_ACCESS_KEY", env("SWIFT_S3_KEYSTONE_ACCESS_KEY"), 1);
        setenv("S3_SECRET_KEY", env("SWIFT_S3_KEYSTONE_SECRET_KEY"), 1);
    }
    if (!small_run()) {
        open_with(SETTINGS({ NULL, "transfer_memory", "16" }));
        requests_of(16 * MiB, false);
        CHECK_INT(4, count("PUT", "partNumber="));
    }
    free(data);
}

int main(void)
{
    faults = s3_faults();
    const char *before = holdings();
    requests();
    always_in_parts();
    tags();
    options();
    encryption();
    buckets();
    duplicates();
    odd_ids();
    memory();
    check_context("after everything");
    CHECK_STR(before, holdings());
    gs_registry_free(registry);
    faults_stop(faults);
    return check_result();
}
