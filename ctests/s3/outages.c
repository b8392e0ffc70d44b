/* Bad days: whatever the server and the network do, a call ends with one clear
 * error or with the image, and the bucket holds what it held. */
#include "s3.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LARGE = 2 * PART + 100, SMALL = 5000 };

static struct faults *faults;
static gs_registry   *registry;
static gs_store      *store;
static uint8_t       *data;
static const char    *before;

static void spoil(const char *rule)
{
    faults_clear(faults);
    faults_rule(faults, "%s", rule);
}

/* ---- Adds that get over it ---------------------------------------------------- */

static void survived(size_t len, const char *rule)
{
    const char *uri = NULL;
    if (small_run() && len == LARGE)
        return;
    spoil(rule);
    check_context("%zu bytes although: %s", len, rule);
    if (!CHECK(add(store, new_id(), data, len, true, &uri) == GS_OK)) {
        fprintf(stderr, "%s\n", failure.message);
        return;
    }
    faults_clear(faults);
    check_image(store, uri, data, len);
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR(before, holdings());
}

static void passing_faults(void)
{
    static const struct { size_t len; const char *rule; } rows[] = {
        { SMALL, "HEAD * 1 status=503" },
        { SMALL, "HEAD * 1 cut=request" },
        { SMALL, "HEAD * 2 cut=answer" },
        { SMALL, "PUT * 1 status=503 body=<Error><Code>SlowDown</Code></Error>" },
        { SMALL, "PUT * 1 status=400 body=<Error><Code>RequestTimeout</Code></Error>" },
        { SMALL, "PUT * 1 status=400 body=<Error><Code>BadDigest</Code></Error>" },
        { SMALL, "PUT * 1 cut=request" },
        { SMALL, "PUT * 1 cut-request=100" },
        /* The image is there, and the answer is not: the second attempt finds it taken, by ourselves. */
        { SMALL, "PUT * 1 cut=answer" },
        { SMALL, "PUT * 1 answer-status=500" },
        { LARGE, "PUT *partNumber=* 1 status=503 body=<Error><Code>SlowDown</Code></Error>" },
        { LARGE, "PUT *partNumber=2* 1 status=400 body=<Error><Code>RequestTimeout</Code></Error>" },
        { LARGE, "PUT *partNumber=1* 1 cut=request" },
        { LARGE, "PUT *partNumber=2* 1 cut-request=1000000" },
        { LARGE, "PUT *partNumber=3* 1 cut-request=50" },
        { LARGE, "PUT *partNumber=2* 1 cut=answer" },
        { LARGE, "PUT *partNumber=2* 1 answer-header='ETag: \"d41d8cd98f00b204e9800998ecf8427e\"'" },
        { LARGE, "POST *uploads* 1 status=503 body=<Error><Code>SlowDown</Code></Error>" },
        /* An upload has begun that nobody knows of. */
        { LARGE, "POST *uploads* 1 cut=answer" },
        { LARGE, "POST *uploads* 1 answer-status=500" },
        { LARGE, "POST *uploadId* 1 status=503 body=<Error><Code>SlowDown</Code></Error>" },
        { LARGE, "POST *uploadId* 1 status=200 body=<Error><Code>InternalError</Code></Error>" },
        { LARGE, "POST *uploadId* 1 cut=request" },
        { LARGE, "POST *uploadId* 1 cut=answer" },
        { LARGE, "POST *uploadId* 1 answer-status=500" },
        { LARGE, "POST *uploadId* 1 cut-answer=20" },
        { LARGE, "POST *uploadId* 1 answer-body=<CompleteMultipartUploadRes" },
        /* Somebody else is at it, and gives up. */
        { SMALL, "PUT * 1 status=409 body=<Error><Code>ConditionalRequestConflict</Code></Error>" },
        { LARGE, "POST *uploadId* 1 status=409 body=<Error><Code>OperationAborted</Code></Error>" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        survived(rows[i].len, rows[i].rule);
}

/* ---- Adds that fail -------------------------------------------------------------- */

static void defeated(size_t len, const char *rule, gs_status status, const char *words)
{
    const char *id = new_id();
    if (small_run() && len == LARGE)
        return;
    spoil(rule);
    check_context("%zu bytes: %s", len, rule);
    gs_status got = add(store, id, data, len, true, NULL);
    CHECK_STR(status_name(status), status_name(got));
    CHECK_HAS(words, failure.message);
    CHECK_HAS(id, failure.message);
    faults_clear(faults);
    CHECK_STR(before, holdings());
}

static void lasting_faults(void)
{
    static const struct { size_t len; const char *rule; gs_status status; const char *words; } rows[] = {
        { SMALL, "HEAD * 1 status=403", GS_FORBIDDEN, "403" },
        { SMALL, "HEAD * * status=503", GS_UNAVAILABLE, "503" },
        { SMALL, "HEAD * * cut=request", GS_UNAVAILABLE, "" },
        { SMALL, "HEAD * 2 status=403", GS_FORBIDDEN, "403" },
        { SMALL, "PUT * * status=403 header='x-amz-request-id: r-7' body=<Error><Code>AccessDenied</Code></Error>", GS_FORBIDDEN,
          "403 AccessDenied (request r-7)" },
        { SMALL, "PUT * * status=403 body=<Error><Code>QuotaExceeded</Code></Error>", GS_STORAGE_FULL, "QuotaExceeded" },
        { SMALL, "PUT * * status=507", GS_STORAGE_FULL, "507" },
        { SMALL, "PUT * * status=413 body=<Error><Code>EntityTooLarge</Code></Error>", GS_STORAGE_FULL, "EntityTooLarge" },
        { SMALL, "PUT * * status=409 body=<Error><Code>Whatever</Code></Error>", GS_FAILED, "409 Whatever" },
        { SMALL, "PUT * * status=409 body=<Error><Code>ConditionalRequestConflict</Code></Error>", GS_UNAVAILABLE, "ConditionalRequestConflict" },
        { SMALL, "PUT * * status=404 body=<Error><Code>NoSuchBucket</Code></Error>", GS_NOT_FOUND, "NoSuchBucket" },
        { SMALL, "PUT * * status=503 body=<Error><Code>SlowDown</Code></Error>", GS_UNAVAILABLE, "503 SlowDown" },
        { SMALL, "PUT * * cut=request", GS_UNAVAILABLE, "" },
        { SMALL, "PUT * * answer-header='ETag: \"d41d8cd98f00b204e9800998ecf8427e\"'", GS_FAILED, "other data than was sent" },
        { SMALL, "PUT * * status=400 body=<Error><Code>Bad<Code>", GS_FAILED, "400" },
        { LARGE, "POST *uploads* * status=403 body=<Error><Code>AccessDenied</Code></Error>", GS_FORBIDDEN, "AccessDenied" },
        { LARGE, "POST *uploads* * status=200 body=<Initiate><UploadId></UploadId></Initiate>", GS_FAILED, "UploadId" },
        { LARGE, "POST *uploads* * status=200 body=<Initiate><UploadId>2", GS_FAILED, "cannot be understood" },
        /* An upload has begun, and the answer does not tell which. */
        { LARGE, "POST *uploads* * answer-body=<Initiate><UploadId></UploadId></Initiate>", GS_FAILED, "UploadId" },
        { LARGE, "POST *uploads* * answer-body=<Initiate><UploadId>2", GS_FAILED, "cannot be understood" },
        { LARGE, "POST *uploads* * cut=answer", GS_UNAVAILABLE, "" },
        { LARGE, "PUT *partNumber=2* * answer-header=ETag:", GS_FAILED, "no ETag" },
        { LARGE, "PUT *partNumber=1* * status=403 body=<Error><Code>AccessDenied</Code></Error>", GS_FORBIDDEN, "part 1: " },
        { LARGE, "PUT *partNumber=2* * cut=request", GS_UNAVAILABLE, "part 2: " },
        { LARGE, "PUT *partNumber=2* * cut-request=70000", GS_UNAVAILABLE, "part 2: " },
        { LARGE, "PUT *partNumber=3* * cut=answer", GS_UNAVAILABLE, "part 3: " },
        { LARGE, "PUT *partNumber=2* * status=404 body=<Error><Code>NoSuchUpload</Code></Error>", GS_FAILED, "somebody else" },
        { LARGE, "PUT *partNumber=2* * answer-header='ETag: \"d41d8cd98f00b204e9800998ecf8427e\"'", GS_FAILED, "other data" },
        { LARGE, "POST *uploadId* * status=400 body=<Error><Code>InvalidPart</Code></Error>", GS_FAILED, "400 InvalidPart" },
        { LARGE, "POST *uploadId* * status=200 body=<Error><Code>InternalError</Code></Error>", GS_UNAVAILABLE, "InternalError" },
        { LARGE, "POST *uploadId* * status=200 body=<CompleteMultipartUploadRes", GS_FAILED, "cannot be understood" },
        { LARGE, "POST *uploadId* * cut=request", GS_UNAVAILABLE, "" },
        { LARGE, "POST *uploadId* * status=503 body=<Error><Code>SlowDown</Code></Error>", GS_UNAVAILABLE, "SlowDown" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        defeated(rows[i].len, rows[i].rule, rows[i].status, rows[i].words);
}

/* Parts that the memory does not hold are sent as they come: again before they have begun, not afterwards. */
static void streams(void)
{
    static const struct { const char *rule; gs_status status; const char *words; } rows[] = {
        { "PUT *partNumber=2* 1 status=503 early=1", GS_OK, "" },
        { "PUT *partNumber=3* 1 status=400 early=1 body=<Error><Code>RequestTimeout</Code></Error>", GS_UNAVAILABLE, "part 3: " },
        { "PUT *partNumber=2* * status=403 early=1 body=<Error><Code>AccessDenied</Code></Error>", GS_FORBIDDEN, "part 2: " },
        { "PUT *partNumber=2* 1 cut-request=1000000", GS_UNAVAILABLE, "part 2: " },
        { "PUT *partNumber=3* 1 cut-request=50", GS_UNAVAILABLE, "part 3: " },
        { "PUT *partNumber=2* 1 cut=answer", GS_UNAVAILABLE, "part 2: " },
        { "PUT *partNumber=1* 1 answer-status=500", GS_UNAVAILABLE, "part 1: " },
        { "PUT *partNumber=3* 1 answer-header='ETag: \"d41d8cd98f00b204e9800998ecf8427e\"'", GS_FAILED, "other data than was sent" },
        { "PUT *partNumber=1* 1 answer-header=ETag:", GS_FAILED, "ETag" },
        /* Before it has anything. */
        { "PUT *partNumber=2* * status=200 early=1 header='ETag: \"d41d8cd98f00b204e9800998ecf8427e\"'", GS_FAILED, "before it had all of part 2" },
    };
    gs_registry *little = s3_registry(faults_url(faults, "s3"), SETTINGS({ NULL, "transfer_memory", "8" },
        { NULL, "s3_store_payload_signing", on_rgw() ? "auto" : "never" }));
    gs_store    *usual = store;
    store = default_store(little);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == GS_OK)
            survived(LARGE, rows[i].rule);
        else
            defeated(LARGE, rows[i].rule, rows[i].status, rows[i].words);
    store = usual;
    gs_registry_free(little);
}

/* What is left where the keys allow less, and that the first error is the one that is told. */
static void poor_rights(void)
{
    const char *uri = NULL;
    if (small_run())
        return;
    check_context("who may not list parts");
    spoil("PUT *partNumber=2* * status=403 body=<Error><Code>AccessDenied</Code></Error>");
    faults_rule(faults, "GET *uploadId* * status=403");
    CHECK(add(store, new_id(), data, LARGE, true, NULL) == GS_FORBIDDEN);
    CHECK_HAS("part 2: ", failure.message);
    faults_clear(faults);
    CHECK_STR(before, holdings());

    check_context("who may not list uploads");
    spoil("POST *uploads* 1 answer-status=500");
    faults_rule(faults, "GET *uploads* * status=403");
    CHECK(add(store, new_id(), data, LARGE, true, &uri) == GS_OK);
    faults_clear(faults);
    check_image(store, uri, data, LARGE);
    OK(gs_delete(store, uri, NULL, ERR));
    /* That of the answer that was lost; the other one was completed. */
    const char *left = holdings();
    CHECK_HAS("upload ", left);
    CHECK(strchr(left, '\n') == left + strlen(left) - 1);
    tool("abort %s", env("S3_BUCKET"));

    check_context("who may not abort, of an object that was made");
    spoil("POST *uploadId* * answer-status=400");
    faults_rule(faults, "DELETE *uploadId* * status=403");
    CHECK(add(store, new_id(), data, LARGE, true, NULL) == GS_FAILED);
    faults_clear(faults);
    CHECK_STR(before, holdings());
    faults_clear(faults);
}

/* Of a bucket that keeps versions a failed add leaves none, and a delete leaves the image's. */
static void versions(void)
{
    const char *bucket = text("%s-versions", env("S3_BUCKET")), *uri = NULL;
    tool("make %s", bucket);
    tool("keep-versions %s", bucket);
    gs_registry *keeping = s3_registry(faults_url(faults, "s3"), SETTINGS({ NULL, "s3_store_bucket", bucket }));
    check_context("a bucket that keeps versions, an add that fails");
    /* The image is stored, and nobody learns of it before it is given up. */
    spoil("PUT * * cut=answer");
    faults_rule(faults, "HEAD */%s/* 3 status=403", bucket);
    CHECK(add(default_store(keeping), new_id(), data, SMALL, true, NULL) != GS_OK);
    CHECK(faults_count(faults, "s3 DELETE ", "versionId=") > 0);
    faults_clear(faults);
    CHECK_STR("", tool("list %s", bucket));

    check_context("a bucket that keeps versions, a delete");
    if (CHECK(add(default_store(keeping), new_id(), data, SMALL, true, &uri) == GS_OK)) {
        uint64_t size = 0;
        OK(gs_delete(default_store(keeping), uri, NULL, ERR));
        FAILS(GS_NOT_FOUND, gs_get_size(default_store(keeping), uri, NULL, &size, ERR));
        CHECK_HAS(" DeleteMarker", tool("list %s", bucket));
        CHECK_HAS(" Version", tool("list %s", bucket));
    }
    gs_registry_free(keeping);
    tool("remove %s", bucket);
}

/* Answers that are meant to harm. */
static void hostile_answers(void)
{
    char *deep = malloc(40000), *end = deep;
    MUST(deep != NULL);
    for (int i = 0; i < 10000; i++)
        end += sprintf(end, "<a>");
    write_file(text("%s/deep", new_dir()), deep, 30000);
    defeated(LARGE, text("POST *uploads* * status=200 body=%s", deep), GS_FAILED, "deep");
    defeated(LARGE, "POST *uploads* * status=200 body='<!DOCTYPE a [<!ENTITY b \"bb\">]><a>&b;</a>'", GS_FAILED, "document type");
    defeated(LARGE, "POST *uploads* * status=200 body='<a>&b;</a>'", GS_FAILED, "entity");
    defeated(SMALL, text("PUT * * status=400 body=%s", deep), GS_FAILED, "400");
    free(deep);
}

/* A part that got lost between its answer and the last request. */
static void lost_part(void)
{
    if (small_run())
        return;
    spoil("PUT *partNumber=2* * status=200 header='ETag: \"00000000000000000000000000000000-1\"'");
    check_context("a part that the server has lost");
    CHECK(add(store, new_id(), data, LARGE, true, NULL) == GS_FAILED);
    CHECK_HAS("InvalidPart", failure.message);
    faults_clear(faults);
    CHECK_STR(before, holdings());
}

/* ---- Reads ---------------------------------------------------------------------- */

static void reads(void)
{
    static const char *const passing[] = {
        "GET * 1 cut-answer=1000", "GET * 1 cut-answer=100", "GET * 1 cut=request", "GET * 1 status=503", "HEAD * 1 status=500",
    };
    static const struct { const char *rule; gs_status status; const char *words; } lasting[] = {
        { "GET * * status=403 body=<Error><Code>AccessDenied</Code><RequestId>r-9</RequestId></Error>", GS_FORBIDDEN,
          "403 AccessDenied (request r-9)" },
        { "HEAD * * status=403", GS_FORBIDDEN, "403" },
        { "HEAD * * status=404", GS_NOT_FOUND, "has no object" },
        { "GET * * status=503 body=<Error><Code>SlowDown</Code></Error>", GS_UNAVAILABLE, "503 SlowDown" },
        { "GET * * cut-answer=0", GS_UNAVAILABLE, "" },
        { "GET * 2- answer-header='ETag: \"other\"'", GS_FAILED, "changed" },
    };
    const char *uri = add_bytes(store, new_id(), data, SMALL), *held = holdings();
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        spoil(passing[i]);
        check_context("a get although: %s", passing[i]);
        check_image(store, uri, data, SMALL);
    }
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++) {
        struct sink sink = { 0 };
        spoil(lasting[i].rule);
        /* The image changes while a broken download is resumed. */
        if (strstr(lasting[i].rule, "2-"))
            faults_rule(faults, "GET * 1 cut-answer=1000");
        check_context("a get: %s", lasting[i].rule);
        FAILS(lasting[i].status, gs_get(store, uri, sink_write, &sink, NULL, ERR));
        CHECK_HAS(lasting[i].words, failure.message);
        sink_free(&sink);
    }
    spoil("DELETE * 1 status=503");
    check_context("a delete");
    OK(gs_delete(store, uri, NULL, ERR));
    faults_clear(faults);
    CHECK(strcmp(held, before) != 0);
    CHECK_STR(before, holdings());
    uri = add_bytes(store, new_id(), data, SMALL);
    spoil("DELETE * * status=403 body=<Error><Code>AccessDenied</Code></Error>");
    FAILS(GS_FORBIDDEN, gs_delete(store, uri, NULL, ERR));
    faults_clear(faults);
    check_image(store, uri, data, SMALL);
    OK(gs_delete(store, uri, NULL, ERR));
}

/* What comes is compared with the server's checksum of the whole image, where that is asked for. */
static void checksums(void)
{
    static const struct { const char *range, *headers[2]; gs_status status; } rows[] = {
        { NULL, { "x-amz-checksum-crc32: AAAAAA==" }, GS_FAILED },
        { NULL, { "x-amz-checksum-sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "x-amz-checksum-type: FULL_OBJECT" }, GS_FAILED },
        { NULL, { "x-amz-checksum-crc32: AAAAAA==", "x-amz-checksum-type: COMPOSITE" }, GS_OK },
        { NULL, { "x-amz-checksum-crc32: AAAAAA==-2" }, GS_OK },
        { "a range", { "x-amz-checksum-crc32: AAAAAA==" }, GS_OK },
    };
    gs_registry *careful = s3_registry(faults_url(faults, "s3"), SETTINGS(
        { NULL, "s3_store_enable_data_integrity_protection", "true" }, { NULL, "s3_store_response_checksum_validation", "when_supported" }));
    const char *uri = add_bytes(store, new_id(), data, SMALL);
    check_image(default_store(careful), uri, data, SMALL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gs_opts opts = GS_OPTS_INIT;
        if (rows[i].range)
            opts.offset = 10;
        faults_clear(faults);
        faults_rule(faults, "HEAD * * answer-header=\"%s\" answer-header=\"%s\"", rows[i].headers[0],
                    rows[i].headers[1] ? rows[i].headers[1] : "x-amz-none: 1");
        for (int j = 0; j < 2; j++) {
            struct sink sink = { .first = opts.offset };
            check_context("a get with %s, %s", rows[i].headers[0], j ? "which nobody asked for" : "which is compared");
            gs_status status = RETURNS(gs_get(default_store(j ? registry : careful), uri, sink_write, &sink, &opts, ERR));
            CHECK_STR(status_name(j ? GS_OK : rows[i].status), status_name(status));
            if (status != GS_OK)
                CHECK_HAS("other bytes came", failure.message);
            sink_free(&sink);
        }
    }
    faults_clear(faults);
    OK(gs_delete(store, uri, NULL, ERR));
    gs_registry_free(careful);
}

/* ---- Region, clock, keys ----------------------------------------------------------- */

static const char *http_date(time_t time)
{
    char date[64];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&time));
    return text("%s", date);
}

/* A server whose clock differs is asked again in its time, and the true one as well. */
static void clocks(void)
{
    const char *uri = add_bytes(store, new_id(), data, SMALL);
    faults_clear(faults);
    faults_rule(faults, "HEAD * 1 status=403 header=\"Date: %s\"", http_date(time(NULL) + 7200));
    check_context("another clock");
    uint64_t size = 0;
    OK(gs_get_size(store, uri, NULL, &size, ERR));
    CHECK_SIZE(SMALL, size);
    CHECK_INT(3, faults_count(faults, "s3 HEAD ", ""));
    faults_clear(faults);
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_INT(1, faults_count(faults, "s3 HEAD ", ""));
}

static void regions(void)
{
    const char  *uri = add_bytes(store, new_id(), data, SMALL);
    gs_registry *elsewhere = s3_registry(faults_url(faults, "s3"), SETTINGS({ NULL, "s3_store_region_name", "eu-west-9" }));
    faults_clear(faults);
    faults_rule(faults, "HEAD */* 1 status=400");
    faults_rule(faults, "GET *location* 1 status=400 body=<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-east-1</Region></Error>");
    check_context("another region");
    check_image(default_store(elsewhere), uri, data, SMALL);
    CHECK(faults_count(faults, "s3 GET ", "/us-east-1/s3/") > 0);
    /* It was learnt for good. */
    faults_clear(faults);
    check_image(default_store(elsewhere), uri, data, SMALL);
    CHECK_INT(0, faults_count(faults, "s3 ", "/eu-west-9/s3/"));
    gs_registry_free(elsewhere);

    check_context("a redirect to somebody else");
    faults_clear(faults);
    faults_rule(faults, "HEAD * * status=307 header=\"Location: http://evil.invalid/\"");
    uint64_t size = 0;
    FAILS(GS_FAILED, gs_get_size(store, uri, NULL, &size, ERR));
    CHECK_HAS("307", failure.message);
    faults_clear(faults);
    OK(gs_delete(store, uri, NULL, ERR));
}

static void wrong_keys(void)
{
    static const char *const options[] = { "s3_store_access_key", "s3_store_secret_key" };
    const char *uri = add_bytes(store, new_id(), data, SMALL);
    for (size_t i = 0; i < 2; i++) {
        gs_registry *other = s3_registry(env("S3_URL"), SETTINGS({ NULL, options[i], "wrong-key+" }));
        uint64_t     size = 0;
        check_context("a wrong %s", options[i]);
        FAILS(GS_FORBIDDEN, gs_get_size(default_store(other), uri, NULL, &size, ERR));
        CHECK_LACKS("wrong-key+", failure.message);
        CHECK(add(default_store(other), new_id(), data, SMALL, true, NULL) == GS_FORBIDDEN);
        FAILS(GS_FORBIDDEN, gs_delete(default_store(other), uri, NULL, ERR));
        gs_registry_free(other);
    }
    OK(gs_delete(store, uri, NULL, ERR));
}

static void unreachable(void)
{
    gs_registry *nowhere = s3_registry("http://127.0.0.1:1", SETTINGS({ NULL, "s3_store_retries", "1" }));
    check_context("a server that is not there");
    CHECK(add(default_store(nowhere), new_id(), data, SMALL, true, NULL) == GS_UNAVAILABLE);
    CHECK_HAS("127.0.0.1", failure.message);
    gs_registry_free(nowhere);
}

int main(void)
{
    faults = s3_faults();
    registry = s3_registry(faults_url(faults, "s3"), NULL);
    store = default_store(registry);
    data = new_data(LARGE, RANDOM_DATA);
    before = holdings();
    passing_faults();
    lasting_faults();
    streams();
    poor_rights();
    if (on_rgw())
        versions();
    hostile_answers();
    lost_part();
    reads();
    checksums();
    clocks();
    regions();
    wrong_keys();
    unreachable();
    check_context("after everything");
    CHECK_STR(before, holdings());
    gs_registry_free(registry);
    faults_stop(faults);
    free(data);
    return check_result();
}
