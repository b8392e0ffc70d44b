/* Gets, readers, sizes and deletes on bad days. What comes is the image, byte by
 * byte, or an error: never a mix, never less in silence. */
#include "account.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEN = 3 * UNIT + 5, OVERCOME = -1 };

static struct account account;
static const char    *container;
static struct faults *faults;
static uint8_t       *data;

struct bad_day {
    const char *why;
    int         wanted;
    int         http_status;
    const char *rule; /* @ stands for the image's name */
};

static const struct bad_day bad_gets[] = {
    { "503 once", OVERCOME, 0, "GET */@* 1 status=503" },
    { "500 twice", OVERCOME, 0, "GET */@* 1-2 status=500" },
    { "429 with Retry-After", OVERCOME, 0, "GET */@* 1 status=429 header=\"Retry-After: 1\"" },
    { "the token has ended", OVERCOME, 0, "GET */@* 1 request-header=\"X-Auth-Token: ended\"" },
    { "cut as it begins", OVERCOME, 0, "GET */@* 1 cut=request" },
    { "cut before the first byte", OVERCOME, 0, "GET */@* 1 cut-answer=0" },
    { "cut in the middle", OVERCOME, 0, "GET */@* 1 cut-answer=1500000" },
    { "cut again and again", OVERCOME, 0, "GET */@* 1-2 cut-answer=300000" },
    { "cut before the last byte", OVERCOME, 0, "GET */@* 1 cut-answer=3072004" },

    { "503 for ever", GS_UNAVAILABLE, 503, "GET */@* * status=503" },
    { "cut for ever", GS_UNAVAILABLE, 0, "GET */@* * cut-answer=0" },
    { "401 for ever", GS_NOT_AUTHENTICATED, 401, "GET */@* * status=401" },
    { "403", GS_FORBIDDEN, 403, "GET */@* * status=403" },
    { "404", GS_NOT_FOUND, 404, "GET */@* * status=404" },
};

static const char *with_name(const char *rule, const char *name)
{
    const char *at = strchr(rule, '@');
    return text("%.*s%s%s", (int)(at - rule), rule, name, at + 1);
}

static const char *uri_of(const char *name)
{
    return text("swift+http://demo%%3Ademo:demopass@%s/%s/%s", strstr(keystone_through(faults), "//") + 2, container, name);
}

static gs_registry *registry(void)
{
    return spoilt_registry(faults, container, SETTINGS({ "glance_store", "swift_store_retries", "2" }));
}

static void check_bad_get(const struct bad_day *day, const char *name)
{
    gs_registry *reg = registry();
    struct sink  sink = { 0 };
    const char  *before = contents(&account, container);
    check_context("%s, %s", day->why, name);
    faults_rule(faults, "%s", with_name(day->rule, name));
    gs_status status = RETURNS(gs_get(default_store(reg), uri_of(name), sink_write, &sink, NULL, ERR));
    CHECK_STR(status_name(day->wanted == OVERCOME ? GS_OK : day->wanted), status_name(status));
    if (status == GS_OK)
        CHECK_BYTES(data, LEN, sink.data, sink.len);
    else if (day->http_status)
        CHECK_INT(day->http_status, failure.http_status);
    CHECK(sink.len == 0 || memcmp(data, sink.data, sink.len) == 0);
    /* It goes on where it was cut. */
    if (strcmp(day->why, "cut in the middle") == 0)
        CHECK_INT(1, (int)faults_count(faults, text("swift GET /v1/AUTH_%s/%s/%s 206", swift("SWIFT_PROJECT_ID"), container, name), "\"bytes="));
    sink_free(&sink);
    faults_clear(faults);
    CHECK_STR(before, contents(&account, container));
    gs_registry_free(reg);
}

/* swift_store_retry_get_count is for gets: nothing else is tried again by it. */
static void retried_gets(void)
{
    gs_registry *reg = spoilt_registry(faults, container, SETTINGS({ "glance_store", "swift_store_retries", "0" },
                                                                   { "glance_store", "swift_store_retry_get_count", "2" }));
    struct sink  sink = { 0 };
    uint64_t     size = 0;
    check_context("gets are retried, and nothing else");
    faults_rule(faults, "GET */plain 1 status=503");
    faults_rule(faults, "GET */plain 2 cut-answer=1500000");
    if (OK(gs_get(default_store(reg), uri_of("plain"), sink_write, &sink, NULL, ERR)))
        CHECK_BYTES(data, LEN, sink.data, sink.len);
    faults_rule(faults, "HEAD */plain 1 status=503");
    FAILS(GS_UNAVAILABLE, gs_get_size(default_store(reg), uri_of("plain"), NULL, &size, ERR));
    faults_rule(faults, "PUT */fresh 1 status=503");
    try_add(default_store(reg), "fresh", data, 100, 100, GS_UNAVAILABLE);
    sink_free(&sink);
    faults_clear(faults);
    gs_registry_free(reg);
}

/* ---- An image that changes under the reader ------------------------------------------------ */

static void *replace_it(void *user)
{
    uint8_t *other = new_data(LEN, ZERO_DATA);
    faults_await(faults, "half");
    put_object(&account, container, user, NULL, other, LEN);
    faults_release(faults, "half");
    free(other);
    return NULL;
}

/* The first connection is cut where another image has taken the place of the first. */
static void replaced_image(void)
{
    gs_registry *reg = registry();
    struct sink  sink = { 0 };
    check_context("an image that is replaced while it is read");
    faults_rule(faults, "GET */plain 1 hold=half at=1500000 cut-answer=1500000");
    pthread_t thread = start(replace_it, (void *)"plain");
    gs_status status = RETURNS(gs_get(default_store(reg), uri_of("plain"), sink_write, &sink, NULL, ERR));
    join(thread);
    CHECK(status != GS_OK);
    CHECK(sink.len < LEN);
    CHECK(sink.len == 0 || memcmp(data, sink.data, sink.len) == 0);
    sink_free(&sink);
    faults_clear(faults);
    put_object(&account, container, "plain", NULL, data, LEN);
    gs_registry_free(reg);
}

/* A manifest whose segment is gone is no image of the promised length. */
static void lost_segment(void)
{
    gs_registry *reg = registry();
    struct sink  sink = { 0 };
    const char  *uri = try_add(default_store(reg), "lost", data, LEN, LEN, GS_OK);
    uint64_t     size = 0;
    gs_opts      opts = GS_OPTS_INIT;
    gs_image    *image = NULL;
    check_context("an image that has lost a segment");
    OK(gs_examine(default_store(reg), uri, NULL, &image, ERR));
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_image_get_info(image, &info);
    const char *checksum = text("%s", info.checksum);
    gs_image_free(image);
    delete_object(&account, container, "lost-00002");
    OK(gs_get_size(default_store(reg), uri, NULL, &size, ERR));
    CHECK_SIZE(LEN - UNIT, size);
    opts.expect_checksum = checksum;
    FAILS(GS_VERIFY_FAILED, gs_get(default_store(reg), uri, sink_write, &sink, &opts, ERR));
    sink_free(&sink);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    check_absent(default_store(reg), uri);
    gs_registry_free(reg);
}

/* ---- Random reads and sizes ------------------------------------------------------------------- */

static void random_reads(void)
{
    gs_registry   *reg = registry();
    gs_reader     *reader = NULL;
    static uint8_t got[100000];
    size_t         count = 0;
    check_context("random reads on a bad day");
    MUST(OK(gs_reader_open(default_store(reg), uri_of("dynamic"), NULL, &reader, ERR)));
    faults_rule(faults, "GET */dynamic 1 status=503");
    faults_rule(faults, "GET */dynamic 2 cut-answer=1000");
    faults_rule(faults, "GET */dynamic 4 request-header=\"X-Auth-Token: ended\"");
    const size_t offsets[] = { UNIT - 50000, 0, 2 * UNIT, LEN - 100000 };
    for (size_t i = 0; i < 4; i++)
        if (OK(gs_reader_pread(reader, got, sizeof got, offsets[i], &count, ERR)))
            CHECK_BYTES(data + offsets[i], sizeof got, got, count);
    gs_reader_free(reader);
    faults_clear(faults);
    gs_registry_free(reg);
}

static const struct bad_day bad_sizes[] = {
    { "503 once", OVERCOME, 0, "HEAD */@ 1 status=503" },
    { "the token has ended", OVERCOME, 0, "HEAD */@ 1 request-header=\"X-Auth-Token: ended\"" },
    { "cut", OVERCOME, 0, "HEAD */@ 1 cut=answer" },
    { "the server does not add up so many segments", OVERCOME, 0, "HEAD */@ * answer-header=Content-Length:" },
    { "503 for ever", GS_UNAVAILABLE, 503, "HEAD */@ * status=503" },
    { "403", GS_FORBIDDEN, 403, "HEAD */@ * status=403" },
    { "404", GS_NOT_FOUND, 404, "HEAD */@ * status=404" },
};

static void sizes(void)
{
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        gs_registry *reg = registry();
        uint64_t     size = 4711;
        check_context("the size, %s", bad_sizes[i].why);
        faults_rule(faults, "%s", with_name(bad_sizes[i].rule, "dynamic"));
        gs_status status = RETURNS(gs_get_size(default_store(reg), uri_of("dynamic"), NULL, &size, ERR));
        CHECK_STR(status_name(bad_sizes[i].wanted == OVERCOME ? GS_OK : bad_sizes[i].wanted), status_name(status));
        CHECK_SIZE(status == GS_OK ? LEN : 4711, size);
        faults_clear(faults);
        gs_registry_free(reg);
    }
}

/* ---- Deletes -------------------------------------------------------------------------------------- */

static const struct bad_day bad_deletes[] = {
    { "a segment is answered 503 once", OVERCOME, 0, "DELETE */@-00002* 1 status=503" },
    { "a segment's answer is lost", OVERCOME, 0, "DELETE */@-00002* 1 cut=answer" },
    { "the manifest is answered 503 once", OVERCOME, 0, "DELETE */@ 1 status=503" },
    { "the manifest's answer is lost", OVERCOME, 0, "DELETE */@ 1 cut=answer" },
    { "the listing is answered 503 once", OVERCOME, 0, "GET *prefix=@* 1 status=503" },
    { "the token ends in between", OVERCOME, 0, "DELETE */@-00003* 1 request-header=\"X-Auth-Token: ended\"" },
    { "a segment is answered 503 for ever", GS_UNAVAILABLE, 503, "DELETE */@-00002* * status=503" },
    { "all is forbidden", GS_FORBIDDEN, 403, "DELETE */@* * status=403" },
};

static void deletes(void)
{
    for (size_t i = 0; i < sizeof bad_deletes / sizeof *bad_deletes; i++) {
        gs_registry *reg = registry();
        const char  *id = new_id(), *uri = try_add(default_store(reg), id, data, LEN, LEN, GS_OK);
        check_context("a delete, %s", bad_deletes[i].why);
        faults_rule(faults, "%s", with_name(bad_deletes[i].rule, id));
        gs_status status = RETURNS(gs_delete(default_store(reg), uri, NULL, ERR));
        CHECK_STR(status_name(bad_deletes[i].wanted == OVERCOME ? GS_OK : bad_deletes[i].wanted), status_name(status));
        if (bad_deletes[i].http_status)
            CHECK_INT(bad_deletes[i].http_status, failure.http_status);
        faults_clear(faults);
        /* What could not be removed can still be found, and removed later. */
        if (status != GS_OK)
            OK(gs_delete(default_store(reg), uri, NULL, ERR));
        CHECK_LACKS(id, names_in(&account, container));
        gs_registry_free(reg);
    }
}

static void *let_both_go(void *user)
{
    faults_await(faults, "one");
    faults_await(faults, "two");
    faults_release(faults, "one");
    faults_release(faults, "two");
    return user;
}

static void parallel_deletes(void)
{
    gs_registry *reg = registry();
    const char  *id = new_id(), *uri = try_add(default_store(reg), id, data, LEN, LEN, GS_OK);
    check_context("a delete of several segments at a time");
    faults_rule(faults, "DELETE */%s-00001 1 hold=one at=request", id);
    faults_rule(faults, "DELETE */%s-00002 1 hold=two at=request", id);
    pthread_t thread = start(let_both_go, NULL);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    join(thread);
    CHECK_INT(5, (int)faults_count(faults, "swift DELETE", id));
    CHECK_LACKS(id, names_in(&account, container));
    faults_clear(faults);
    gs_registry_free(reg);
}

static void *be_slow(void *user)
{
    faults_await(faults, "slow");
    usleep(200000);
    faults_release(faults, "slow");
    return user;
}

/* What one connection brings slowly is brought by several, each for another range of the same image; one
 * that breaks is resumed, and the others go on. */
static void parallel_gets(void)
{
    enum { SLOW = 16 * MiB };
    uint8_t     *slow = new_data(SLOW, RANDOM_DATA);
    gs_registry *reg = spoilt_registry(faults, container, SETTINGS({ "glance_store", "swift_store_large_object_chunk_size", "4" },
                                                                    { "glance_store", "transfer_memory", "16" }));
    const char  *id = new_id(), *uri = try_add(default_store(reg), id, slow, SLOW, SLOW, GS_OK);
    const char  *gets = text("swift GET /v1/AUTH_%s/%s/%s 206", swift("SWIFT_PROJECT_ID"), container, id);
    for (int is_cut = 0; is_cut < 2; is_cut++) {
        struct sink sink = { 0 };
        check_context("a get by several connections%s", is_cut ? ", of which one is cut" : "");
        faults_clear(faults);
        faults_rule(faults, "GET */%s 1 hold=slow at=500000", id);
        if (is_cut)
            faults_rule(faults, "GET */%s 3 cut-answer=100000", id);
        pthread_t thread = start(be_slow, NULL);
        if (OK(gs_get(default_store(reg), uri, sink_write, &sink, NULL, ERR)))
            CHECK_BYTES(slow, SLOW, sink.data, sink.len);
        join(thread);
        CHECK(faults_count(faults, gets, "\"bytes=") > 1);
        CHECK_INT((int)faults_count(faults, gets, "\"bytes="), (int)faults_count(faults, gets, "if-range"));
        sink_free(&sink);
    }
    faults_clear(faults);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    free(slow);
    gs_registry_free(reg);
}

/* How long a page is, is the server's to say; one that gives the same page for ever is not believed. */
static void listings_in_pages(void)
{
    gs_registry *reg = registry();
    const char  *id = new_id(), *uri = try_add(default_store(reg), id, data, LEN, LEN, GS_OK);
    const char  *page = text("status=200 body='[{\"name\":\"%s-00001\",\"bytes\":%d,\"hash\":\"\"}]'", id, UNIT);
    check_context("a delete, the same page of a listing for ever");
    faults_rule(faults, "GET *prefix=%s-* * %s", id, page);
    FAILS(GS_FAILED, gs_delete(default_store(reg), uri, NULL, ERR));
    faults_clear(faults);
    CHECK_HAS(id, names_in(&account, container));
    check_context("a delete, a listing in pages");
    faults_rule(faults, "GET *prefix=%s-*marker= 1 %s", id, page);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    CHECK_LACKS(id, names_in(&account, container));
    faults_clear(faults);
    gs_registry_free(reg);
}

int main(void)
{
    account = demo_account();
    container = new_container(&account);
    faults = swift_faults();
    data = new_data(LEN, RANDOM_DATA);
    gs_registry *reg = registry();
    MUST(try_add(default_store(reg), "dynamic", data, LEN, LEN, GS_OK));
    gs_registry_free(reg);
    put_object(&account, container, "plain", NULL, data, LEN);
    for (size_t i = 0; i < sizeof bad_gets / sizeof *bad_gets; i++)
        /* What this program leaves out, the one with sanitizers runs. */
        check_bad_get(&bad_gets[i], (i + small_run()) % 2 ? "dynamic" : "plain");
    retried_gets();
    replaced_image();
    lost_segment();
    random_reads();
    sizes();
    deletes();
    parallel_deletes();
    listings_in_pages();
    if (!small_run())
        parallel_gets();
    free(data);
    faults_stop(faults);
    return check_result();
}
