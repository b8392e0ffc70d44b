/* A copy within one server moves no byte through here, unless somebody has to see them. */
#include "s3.h"

#include <stdlib.h>
#include <string.h>

enum { LARGE = PART + 7 * KiB };

static struct faults *faults;
static gs_registry   *registry;
static gs_store      *store;

static gs_status copy(gs_store *from, const char *id, const char *uri, uint32_t flags, const char *hash_name, const char **copied)
{
    gs_opts       opts = GS_OPTS_INIT;
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    opts.flags = flags;
    opts.hash_name = hash_name;
    gs_status status = RETURNS(gs_copy(store, id, from, uri, &opts, &image, ERR));
    gs_image_get_info(image, &info);
    if (status == GS_OK)
        *copied = text("%s", info.uri);
    gs_image_free(image);
    return status;
}

static void copied(size_t len)
{
    const char *before = holdings(), *uri = NULL, *second = NULL;
    uint8_t    *data = new_data(len, RANDOM_DATA);
    MUST(add(store, new_id(), data, len, true, &uri) == GS_OK);

    check_context("%zu bytes, at the server", len);
    faults_clear(faults);
    if (CHECK(copy(store, new_id(), uri, GS_NO_CHECKSUM, NULL, &second) == GS_OK)) {
        CHECK_INT(0, faults_count(faults, "s3 GET ", ""));
        /* Swift takes the condition for one of the source, and is asked again, at last without it. */
        CHECK_INT(on_rgw() ? 1 : 3, faults_count(faults, "s3 PUT ", "x-amz-copy-source"));
        check_image(store, second, data, len);
        OK(gs_delete(store, second, NULL, ERR));
    }
    check_context("%zu bytes, whose digest is wanted", len);
    faults_clear(faults);
    if (CHECK(copy(store, new_id(), uri, 0, "sha256", &second) == GS_OK)) {
        CHECK_INT(0, faults_count(faults, "s3 PUT ", "x-amz-copy-source"));
        check_image(store, second, data, len);
        OK(gs_delete(store, second, NULL, ERR));
    }
    check_context("%zu bytes, from another bucket with its own keys in the location", len);
    const char  *secret = env("S3_SECRET_KEY"), *host = strstr(uri, "://") + 3;
    gs_registry *other = s3_registry(faults_url(faults, "s3"), SETTINGS({ NULL, "s3_store_bucket", "elsewhere" }));
    faults_clear(faults);
    const char *with_keys = text("s3://%s:%s@%s", env("S3_ACCESS_KEY"), secret, host);
    if (CHECK(copy(default_store(other), new_id(), with_keys, GS_NO_CHECKSUM, NULL, &second) == GS_OK)) {
        /* Swift takes the condition for one of the source, and is asked again, at last without it. */
        CHECK_INT(on_rgw() ? 1 : 3, faults_count(faults, "s3 PUT ", "x-amz-copy-source"));
        check_image(store, second, data, len);
        OK(gs_delete(store, second, NULL, ERR));
    }
    gs_registry_free(other);
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR(before, holdings());
    free(data);
}

static void refused(void)
{
    const char *uri = NULL, *second = NULL, *taken = new_id();
    uint8_t    *data = new_data(100, RANDOM_DATA);
    MUST(add(store, taken, data, 100, true, &uri) == GS_OK);
    const char *held = holdings();
    check_context("onto an id that is taken");
    CHECK(copy(store, taken, uri, GS_NO_CHECKSUM, NULL, &second) == GS_DUPLICATE);

    check_context("of an image that changes meanwhile");
    faults_rule(faults, "HEAD */%s 1 answer-header='ETag: \"d41d8cd98f00b204e9800998ecf8427e\"'", taken);
    CHECK(copy(store, new_id(), uri, GS_NO_CHECKSUM, NULL, &second) != GS_OK);
    CHECK_STR(held, holdings());

    static const char *const rules[] = {
        "PUT * * status=200 body=<Error><Code>InternalError</Code></Error>",
        "PUT * * status=403 body=<Error><Code>AccessDenied</Code></Error>",
        "PUT * * cut=answer",
        "PUT * * cut=request",
        "PUT * * answer-body=<CopyObjectRes",
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        faults_clear(faults);
        faults_rule(faults, "%s", rules[i]);
        check_context("%s", rules[i]);
        gs_status status = copy(store, new_id(), uri, GS_NO_CHECKSUM, NULL, &second);
        faults_clear(faults);
        /* A copy whose answer was lost, or makes no sense, is known by its name. */
        CHECK((status == GS_OK) == (strstr(rules[i], "answer-body") || (on_rgw() && strstr(rules[i], "cut=answer"))));
        if (status == GS_OK)
            OK(gs_delete(store, second, NULL, ERR));
        CHECK_STR(held, holdings());
    }
    OK(gs_delete(store, uri, NULL, ERR));
    free(data);
}

/* More than 5 GiB are copied in parts: the proxy says that there is so much. */
static void in_parts(void)
{
    const char *uri = NULL, *second = NULL, *id = new_id();
    const unsigned long long size = 5ULL * 1024 * MiB + 1;
    uint8_t    *data = new_data(100, RANDOM_DATA);
    MUST(add(store, id, data, 100, true, &uri) == GS_OK);
    const char *held = holdings();
    static const char *const rules[] = {
        "PUT *partNumber* * status=200 body='<CopyPartResult><ETag>\"e\"</ETag></CopyPartResult>'",
        "PUT *partNumber=4* * status=200 body='<Error><Code>InternalError</Code></Error>'",
    };
    for (size_t i = 0; i < 2; i++) {
        faults_clear(faults);
        faults_rule(faults, "HEAD */%s 1 answer-header=\"Content-Length: %llu\"", id, size);
        faults_rule(faults, "%s", rules[1 - i]);
        faults_rule(faults, "%s", rules[0]);
        check_context("in parts: %s", rules[1 - i]);
        /* The server knows nothing of these parts. */
        CHECK(copy(store, new_id(), uri, GS_NO_CHECKSUM, NULL, &second) != GS_OK);
        CHECK_HAS(i ? "InvalidPart" : "part 4: ", failure.message);
        if (i) {
            CHECK_INT(11, faults_count(faults, "s3 PUT ", "x-amz-copy-source-range"));
            CHECK_INT(1, faults_count(faults, "s3 PUT ", "bytes=0-536870911"));
            CHECK_INT(1, faults_count(faults, "s3 PUT ", text("bytes=5368709120-%llu", size - 1)));
        }
        faults_clear(faults);
        CHECK_STR(held, holdings());
    }
    OK(gs_delete(store, uri, NULL, ERR));
    free(data);
}

int main(void)
{
    faults = s3_faults();
    registry = s3_registry(faults_url(faults, "s3"), NULL);
    store = default_store(registry);
    const char *before = holdings();
    copied(0);
    copied(5000);
    if (!small_run())
        copied(LARGE);
    refused();
    in_parts();
    check_context("after everything");
    CHECK_STR(before, holdings());
    gs_registry_free(registry);
    faults_stop(faults);
    return check_result();
}
