/* Adds on bad days: servers that refuse, answer wrong things, break off or fall
 * silent. What passes is overcome; what stays is one clear error, after which
 * the account holds exactly what it held before. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

enum { LEN = 3 * UNIT + 5, PROCESSES = 4, OVERCOME = -1, EITHER = -2 };

static struct account account;
static const char    *container;
static struct faults *faults;
static uint8_t       *data;
/* Whether an image is one object that is too large to be held in memory. */
static bool is_streamed;

struct bad_day {
    const char *why;
    int         wanted; /* a status, OVERCOME or EITHER */
    int         http_status;
    const char *rules[2]; /* @ stands for the image's id */
};

/* Images in segments. Two retries are made. */
static const struct bad_day segmented[] = {
    { "a segment is answered 503 once", OVERCOME, 0, { "PUT */@-00002 1 status=503 body=busy" } },
    { "a segment is answered 500 twice", OVERCOME, 0, { "PUT */@-00002 1-2 status=500" } },
    { "every segment is answered 503 once", OVERCOME, 0, { "PUT */@-0000[13] 1-2 status=503", "PUT */@-0000[24] 1-2 status=503" } },
    { "a segment is answered 429 with Retry-After", OVERCOME, 0, { "PUT */@-00001 1 status=429 header=\"Retry-After: 1\"" } },
    { "a segment is answered 408", OVERCOME, 0, { "PUT */@-00004 1 status=408" } },
    { "a segment is answered 498", OVERCOME, 0, { "PUT */@-00004 1 status=498" } },
    { "a segment is refused before it is sent", OVERCOME, 0, { "PUT */@-00002 1 status=503 early=1" } },
    { "the connection is cut as a segment begins", OVERCOME, 0, { "PUT */@-00001 1 cut=request" } },
    { "the connection is cut in a segment", OVERCOME, 0, { "PUT */@-00002 1-2 cut-request=500000" } },
    { "the connection is cut after a segment's last byte", OVERCOME, 0, { "PUT */@-00004 1 cut-request=5" } },
    { "a segment's answer is lost", OVERCOME, 0, { "PUT */@-00003 1 cut=answer" } },
    { "the manifest is answered 503 once", OVERCOME, 0, { "PUT */@ 1 status=503" } },
    { "the manifest's answer is lost", OVERCOME, 0, { "PUT */@ 1 cut=answer" } },
    { "the token ends in mid-upload", OVERCOME, 0, { "PUT */@-00003 1 request-header=\"X-Auth-Token: ended\"" } },
    { "the listing lags", OVERCOME, 0, { "GET *prefix=@-* 2 status=200 body=[]" } },
    { "the token ends before the listing", OVERCOME, 0, { "GET *prefix=@-* 2 status=401" } },
    { "the token ends before the manifest", OVERCOME, 0, { "PUT */@ 1 status=401" } },
    { "Keystone is answered 503 once", OVERCOME, 0, { "POST keystone:* 1 status=503" } },
    { "Keystone's answer is lost", OVERCOME, 0, { "POST keystone:* 1 cut=answer" } },
    { "segments are answered 507 in bursts", OVERCOME, 0, { "PUT */@-0000[13] 1-2 status=507", "PUT */@-0000[24] 1-2 status=507" } },
    { "segments are answered 500 and 498 in bursts", OVERCOME, 0, { "PUT */@-0000[13] 1-2 status=500", "PUT */@-0000[24] 1-2 status=498" } },
    { "a segment's answer has a wrong ETag once", OVERCOME, 0, { "PUT */@-00002 1 answer-header=\"Etag: 0123456789abcdef0123456789abcdef\"" } },
    { "a segment is answered 422 once", GS_FAILED, 422, { "PUT */@-00002 1 status=422" } },

    { "a segment is too large for the account", GS_STORAGE_FULL, 413, { "PUT */@-00002 * status=413" } },
    { "the manifest is too large for the account", GS_STORAGE_FULL, 413, { "PUT */@ * status=413" } },
    { "the server has no room", GS_STORAGE_FULL, 507, { "PUT */@-00003 * status=507" } },
    { "a segment is forbidden", GS_FORBIDDEN, 403, { "PUT */@-00002 * status=403" } },
    { "the manifest is forbidden", GS_FORBIDDEN, 403, { "PUT */@ * status=403" } },
    { "no token is good enough", GS_NOT_AUTHENTICATED, 401, { "PUT */@-0000* * request-header=\"X-Auth-Token: bad\"" } },
    { "Keystone refuses", GS_NOT_AUTHENTICATED, 401, { "POST keystone:* * status=401" } },
    { "Keystone is away", GS_UNAVAILABLE, 0, { "* keystone:* * cut=request" } },
    { "Keystone is overloaded", GS_UNAVAILABLE, 503, { "* keystone:* * status=503" } },
    { "Keystone talks nonsense", GS_FAILED, 0, { "POST keystone:* * answer-body=\"{\\\"token\\\": []}\"" } },
    { "Keystone gives no token", GS_FAILED, 0, { "POST keystone:* * answer-header=X-Subject-Token:" } },
    { "a segment is answered 503 for ever", GS_UNAVAILABLE, 503, { "PUT */@-00002 * status=503" } },
    { "a segment is answered 500 for ever", GS_UNAVAILABLE, 500, { "PUT */@-00002 * status=500" } },
    { "the server is away but for the clean-up", GS_UNAVAILABLE, 0, { "PUT */@-00004 * cut=request" } },
    { "a segment's answers are lost", GS_UNAVAILABLE, 0, { "PUT */@-00004 * cut=answer" } },
    { "the manifest is answered 503 for ever", GS_UNAVAILABLE, 503, { "PUT */@ * status=503" } },
    { "a segment is answered 422 for ever", GS_FAILED, 422, { "PUT */@-00002 * status=422" } },
    { "a segment's answer has a wrong ETag", GS_FAILED, 0, { "PUT */@-00002 * answer-header=\"Etag: 0123456789abcdef0123456789abcdef\"" } },
    { "the clean-up is answered 503 once", GS_STORAGE_FULL, 413, { "PUT */@-00004 * status=413", "DELETE */@-00001* 1 status=503" } },
    { "the clean-up is cut once", GS_STORAGE_FULL, 413, { "PUT */@-00004 * status=413", "DELETE */@-00001* 1 cut=answer" } },
    { "the clean-up's token has ended", GS_STORAGE_FULL, 413, { "PUT */@-00004 * status=413", "DELETE */@-00001* 1 request-header=\"X-Auth-Token: ended\"" } },
};

/* Images of one object. */
static const struct bad_day plain[] = {
    { "503 once", OVERCOME, 0, { "PUT */@ 1 status=503" } },
    { "the connection is cut", OVERCOME, 0, { "PUT */@ 1 cut-request=5000" } },
    { "the answer is lost", OVERCOME, 0, { "PUT */@ 1 cut=answer" } },
    { "the token has ended", OVERCOME, 0, { "PUT */@ 1 request-header=\"X-Auth-Token: ended\"" } },
    { "429 with Retry-After", OVERCOME, 0, { "PUT */@ 1 status=429 header=\"Retry-After: 1\"" } },
    { "another has the id", GS_DUPLICATE, 0, { "PUT */@ * status=409" } },
    { "another has the id just now", GS_DUPLICATE, 0, { "PUT */@ * status=412" } },
    { "too large", GS_STORAGE_FULL, 413, { "PUT */@ * status=413" } },
    { "forbidden", GS_FORBIDDEN, 403, { "PUT */@ * status=403" } },
    { "503 for ever", GS_UNAVAILABLE, 503, { "PUT */@ * status=503" } },
    { "another ETag", GS_FAILED, 0, { "PUT */@ * answer-header=\"Etag: 0123456789abcdef0123456789abcdef\"" } },
    { "422", GS_FAILED, 422, { "PUT */@ * status=422" } },
};

/* A static manifest is put with a query. */
static const char *with_id(const char *rule, const char *id, const char *manifest)
{
    const char *at = strchr(rule, '@');
    bool        with_query = at && strncmp(rule, "PUT */@ ", 8) == 0 && strcmp(manifest, "slo") == 0;
    return at ? text("%.*s%s%s%s", (int)(at - rule), rule, id, with_query ? "[?]*" : "", at + 1) : rule;
}

static gs_registry *registry(const char *manifest)
{
    return spoilt_registry(faults, container, SETTINGS({ "glance_store", "swift_store_retries", "2" },
                                                       { "glance_store", "swift_store_manifest", manifest },
                                                       { "glance_store", "swift_store_large_object_size", is_streamed ? "5000" : "1" },
                                                       { "glance_store", "transfer_memory", is_streamed ? "8" : "64" }));
}

static void check_outcome(gs_store *store, const struct bad_day *day, gs_status status, gs_image *image, size_t len, const char *before)
{
    gs_image_info info = GS_IMAGE_INFO_INIT;
    if (day->wanted == OVERCOME)
        CHECK_STR("GS_OK", status_name(status));
    else if (day->wanted != EITHER)
        CHECK_STR(status_name(day->wanted), status_name(status));
    if (status == GS_OK) {
        gs_image_get_info(image, &info);
        check_image(store, info.uri, data, len);
        OK(gs_delete(store, info.uri, NULL, ERR));
    } else {
        CHECK(image == NULL);
        CHECK_LACKS("demopass", failure.message);
        if (day->http_status)
            CHECK_INT(day->http_status, failure.http_status);
    }
    faults_settle(faults);
    CHECK_STR(before, contents(&account, container));
}

static void check_bad_day(const struct bad_day *day, size_t len, bool announced, const char *manifest)
{
    struct source source = { .data = data, .len = len, .piece = 65537 };
    gs_image     *image = NULL;
    const char   *id = new_id(), *before = contents(&account, container);
    /* A store of its own: no token is left from the day before. */
    gs_registry *reg = registry(manifest);
    gs_store    *store = default_store(reg);
    for (size_t i = 0; i < 2 && day->rules[i]; i++)
        faults_rule(faults, "%s", with_id(day->rules[i], id, manifest));
    check_context("%s, %zu bytes, %s, %s", day->why, len, announced ? "announced" : "not announced", manifest);
    gs_status status = RETURNS(gs_add(store, id, announced ? len : GS_SIZE_UNKNOWN, source_read, &source, NULL, &image, ERR));
    if (status == GS_OK)
        faults_clear(faults);
    check_outcome(store, day, status, image, len, before);
    gs_image_free(image);
    faults_clear(faults);
    gs_registry_free(reg);
}

static void bad_days(size_t share)
{
    for (size_t i = share; i < sizeof segmented / sizeof *segmented; i += PROCESSES) {
        /* What this program leaves out, the one with sanitizers runs. */
        bool is_static = (i + small_run()) % 2;
        check_bad_day(&segmented[i], LEN, i / 2 % 2 == 0, is_static ? "slo" : "dlo");
    }
    for (size_t i = share; i < sizeof plain / sizeof *plain; i += PROCESSES)
        check_bad_day(&plain[i], 100000, true, "dlo");
}

/* What is sent as it comes is not complete before it is known to be right: the server never has it. */
static void streamed_in_vain(size_t len)
{
    struct source source = { .data = data, .len = len };
    gs_registry  *reg = registry("dlo");
    gs_image     *image = NULL;
    gs_opts       opts = GS_OPTS_INIT;
    const char   *id = new_id(), *before = contents(&account, container);
    check_context("sent as it comes, with another checksum than was expected");
    opts.expect_checksum = "0123456789abcdef0123456789abcdef";
    FAILS(GS_VERIFY_FAILED, gs_add(default_store(reg), id, len, source_read, &source, &opts, &image, ERR));
    faults_settle(faults);
    CHECK_INT(1, faults_count(faults, "swift PUT", id));
    CHECK_INT(0, faults_count(faults, "swift PUT", text("/%s 201", id)));
    CHECK_STR(before, contents(&account, container));
    faults_clear(faults);
    gs_registry_free(reg);
}

/* Images that are sent as they come: no retry can have their bytes again. */
static void streamed(void)
{
    static const struct bad_day days[] = {
        { "sent as it comes", OVERCOME, 0, { NULL } },
        { "the connection is cut", GS_UNAVAILABLE, 0, { "PUT */@ * cut-request=5000000" } },
        { "the answer is lost", EITHER, 0, { "PUT */@ * cut=answer" } },
        { "the answer has a wrong ETag", GS_FAILED, 0, { "PUT */@ * answer-header=\"Etag: 0123456789abcdef0123456789abcdef\"" } },
        { "the account is full", GS_STORAGE_FULL, 413, { "PUT */@ * answer-status=413" } },
    };
    uint8_t *kept = data;
    size_t   len = 20 * MiB;
    data = new_data(len, RANDOM_DATA);
    is_streamed = true;
    for (size_t i = 0; i < sizeof days / sizeof *days; i++)
        check_bad_day(&days[i], len, true, "dlo");
    streamed_in_vain(len);
    is_streamed = false;
    free(data);
    data = kept;
}

/* ---- Others who work on the same account at the same time ------------------------------ */

struct other { const char *id; void (*act)(const char *id); };

static void *act_there(void *user)
{
    struct other *other = user;
    faults_await(faults, "here");
    other->act(other->id);
    faults_release(faults, "here");
    return NULL;
}

static void take_the_name(const char *id)
{
    put_object(&account, container, id, NULL, "another's", 9);
}

/* With all segments that begin so, whosever they are. */
static void finish_first(const char *id)
{
    put_object(&account, container, id, text("X-Object-Manifest: %s/%s-\r\n", container, id), NULL, 0);
}

static void lose_a_segment(const char *id)
{
    delete_object(&account, container, text("%s-00002", id));
}

/* The same bytes, but not ours to keep or to remove. */
static void replace_a_segment(const char *id)
{
    put_object(&account, container, text("%s-00002", id), NULL, data + UNIT, UNIT);
}

static void join_the_segments(const char *id)
{
    put_object(&account, container, text("%s-00009", id), NULL, "another's", 9);
}

/* Acts while one of the requests that these rules are for is held. */
static void with_another(const char *manifest, const char *id, const char *const held[2], void (*act)(const char *id), gs_status *status)
{
    struct other  other = { .id = id, .act = act };
    struct source source = { .data = data, .len = LEN };
    gs_image     *image = NULL;
    gs_registry  *reg = registry(manifest);
    for (size_t i = 0; i < 2; i++)
        faults_rule(faults, "%s hold=here at=request", with_id(held[i], id, "dlo"));
    pthread_t thread = start(act_there, &other);
    *status = RETURNS(gs_add(default_store(reg), id, LEN, source_read, &source, NULL, &image, ERR));
    join(thread);
    CHECK(image == NULL);
    gs_image_free(image);
    faults_clear(faults);
    gs_registry_free(reg);
}

static void company(const char *manifest)
{
    static const char *const at_manifest[2] = { "PUT */@ 1", "PUT */@[?]* 1" };
    /* The first listing is that of what was there before. */
    static const char *const at_listing[2] = { "GET *prefix=@-* 2", "GET *nowhere=@ 1" };
    gs_status   status;
    const char *id = new_id();
    check_context("another takes the id before the manifest is there, %s", manifest);
    with_another(manifest, id, at_manifest, take_the_name, &status);
    CHECK_STR("GS_DUPLICATE", status_name(status));
    CHECK_STR(text("%s\n", id), names_in(&account, container));
    struct reply reply = request_ok("GET", object_url(&account, container, id), account.header, NULL, 0);
    CHECK_STR("another's", reply.body);
    reply_free(&reply);
    delete_object(&account, container, id);

    id = new_id();
    check_context("another finishes before the manifest is there, %s", manifest);
    with_another(manifest, id, at_manifest, finish_first, &status);
    CHECK_STR("GS_DUPLICATE", status_name(status));
    CHECK_STR(text("%s\n", id), names_in(&account, container));
    delete_object(&account, container, id);

    check_context("a segment is lost before the manifest is there, %s", manifest);
    with_another(manifest, new_id(), at_manifest, lose_a_segment, &status);
    CHECK(status != GS_OK);
    CHECK_STR("", names_in(&account, container));

    check_context("a segment is lost before the segments are looked for, %s", manifest);
    with_another(manifest, new_id(), at_listing, lose_a_segment, &status);
    CHECK_STR("GS_FAILED", status_name(status));
    CHECK_HAS("not there any more", failure.message);
    CHECK_STR("", names_in(&account, container));

    id = new_id();
    check_context("another has stored the same segment in the same moment, %s", manifest);
    with_another(manifest, id, at_listing, replace_a_segment, &status);
    CHECK_STR("GS_DUPLICATE", status_name(status));
    CHECK_STR(text("%s-00002\n", id), names_in(&account, container));
    delete_object(&account, container, text("%s-00002", id));
    if (strcmp(manifest, "slo") == 0)
        return;

    id = new_id();
    check_context("another object would become a part of the image");
    with_another(manifest, id, at_listing, join_the_segments, &status);
    CHECK_STR("GS_DUPLICATE", status_name(status));
    CHECK_STR(text("%s-00009\n", id), names_in(&account, container));
    delete_object(&account, container, text("%s-00009", id));
}

/* ---- Lists of lists ------------------------------------------------------------------------ */

/* A server that takes few segments in a list makes the library nest its lists. */
static void nested_lists(void)
{
    static const struct bad_day days[] = {
        { "lists of lists", OVERCOME, 0, { "GET swift:/info 1 status=200 body='{\"slo\":{\"max_manifest_segments\":2}}'" } },
        { "a list in a list is refused", GS_FAILED, 400, { "GET swift:/info 1 status=200 body='{\"slo\":{\"max_manifest_segments\":2}}'",
                                                           "PUT *-slo-00002[?]* * status=400" } },
    };
    for (size_t i = 0; i < sizeof days / sizeof *days; i++)
        check_bad_day(&days[i], LEN, i == 0, "slo");
}

/* Servers delete so many segments by one request, and no more: they say so in a report or by the status. What is
 * in lists of lists goes list by list. */
static void long_lists(void)
{
    static const char *const refusals[] = {
        "DELETE */@[?]* 1 status=200 body='{\"Response Status\":\"400 Bad Request\",\"Errors\":[]}'",
        "DELETE */@[?]* 1 status=400",
        "DELETE */@-slo-00001[?]* 1 status=400",
        "DELETE */@-slo-00002[?]* 1 status=503",
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        gs_registry *reg = registry("slo");
        bool         is_nested = strstr(refusals[i], "slo") != NULL;
        const char  *id = new_id(), *before = contents(&account, container);
        check_context("more segments than the server deletes at once, %zu", i);
        if (is_nested)
            faults_rule(faults, "GET swift:/info 1 status=200 body='{\"slo\":{\"max_manifest_segments\":3}}'");
        const char *uri = try_add(default_store(reg), id, data, LEN, LEN, GS_OK), *names = names_in(&account, container);
        if (is_nested)
            CHECK_HAS(text("%s-slo-00002", id), names);
        else
            CHECK_LACKS("-slo-", names);
        faults_rule(faults, "%s", with_id(refusals[i], id, "slo"));
        OK(gs_delete(default_store(reg), uri, NULL, ERR));
        /* It would delete the uppermost list first. */
        CHECK_INT(is_nested ? 0 : 1, (int)faults_count(faults, "swift DELETE", text("/%s?multipart-manifest", id)));
        CHECK_STR(before, contents(&account, container));
        faults_clear(faults);
        gs_registry_free(reg);
    }
}

static int run_share(size_t share)
{
    account = demo_account();
    container = new_container(&account);
    faults = swift_faults();
    data = new_data(LEN, RANDOM_DATA);
    bad_days(share);
    switch (share) {
    case 0: company("dlo"); break;
    case 1: company("slo"); break;
    case 2: nested_lists(); long_lists(); break;
    default: streamed();
    }
    free(data);
    faults_stop(faults);
    return check_result();
}

int main(void)
{
    return in_processes(PROCESSES, run_share);
}
