/* Segments are sent while they are filled, and the next one's request waits for its first byte: a source that
 * stands still, fails or is killed in between harms nothing, and a segment is sent again once it is whole. */
#include "account.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The library asks for a buffer's worth and sends it: a source that is asked for more has sent what it gave. */
enum { BUFFER = MiB, SEGMENT = 3 * UNIT, LEN = 3 * SEGMENT + 5, MOST_STOPS = 2 };

static struct account account;
static const char    *container;
static struct faults *faults;
static uint8_t       *data;

static gs_registry *registry(const char *manifest, const char *uploads)
{
    return spoilt_registry(faults, container, SETTINGS({ "glance_store", "swift_store_manifest", manifest },
                                                       { "glance_store", "swift_store_retries", "2" },
                                                       { "glance_store", "swift_store_large_object_chunk_size", "3" },
                                                       { "glance_store", "swift_store_segment_uploads", uploads }));
}

struct stop { size_t at; int64_t (*act)(void); };

/* Acts where it has given so many bytes and is asked for more; goes on if that returns 0, and returns it otherwise. */
struct halting { struct source source; struct stop stops[MOST_STOPS]; };

static int64_t read_halting(void *user, uint8_t *buf, size_t len)
{
    struct halting *halting = user;
    for (size_t i = 0; i < MOST_STOPS; i++) {
        struct stop stop = halting->stops[i];
        if (stop.act && halting->source.at == stop.at) {
            halting->stops[i].act = NULL;
            int64_t result = stop.act();
            if (result != 0)
                return result;
        }
    }
    return source_read(&halting->source, buf, len);
}

/* What the stops of the add at hand need to know. */
static struct { gs_store *store; const char *id, *segment; unsigned puts; gs_cancel *cancel; } now;

/* What lines of the log begin with that tell of PUTs of the segment. */
static const char *put_of(const char *segment)
{
    return text("swift PUT %s-%s", strstr(object_url(&account, container, now.id), "/v1/"), segment);
}

static unsigned puts_of(const char *segment)
{
    return faults_count(faults, put_of(segment), "");
}

/* How often the segment was stored by a request with such a header. */
static unsigned stored(const char *segment, const char *header)
{
    return faults_count(faults, text("%s 201", put_of(segment)), header);
}

static void come_by(const char *hold)
{
    faults_await(faults, hold);
    faults_release(faults, hold);
}

/* Longer than the pause before a first retry: that and the pause before a second one. */
static void let_retries_begin(void)
{
    const char *id = new_id();
    faults_rule(faults, "PUT */%s 1-2 status=503", id);
    const char *uri = try_add(now.store, id, data, 10, 10, GS_OK);
    OK(gs_delete(now.store, uri, NULL, ERR));
}

static gs_status add(bool announced, size_t len, struct stop first, struct stop second, const char **uri)
{
    struct halting halting = { .source = { .data = data, .len = len }, .stops = { first, second } };
    gs_opts        opts = GS_OPTS_INIT;
    gs_image      *image = NULL;
    gs_image_info  info = GS_IMAGE_INFO_INIT;
    opts.cancel = now.cancel;
    gs_status status = RETURNS(gs_add(now.store, now.id, announced ? LEN : GS_SIZE_UNKNOWN, read_halting, &halting, &opts, &image, ERR));
    CHECK((image != NULL) == (status == GS_OK));
    if (image)
        gs_image_get_info(image, &info);
    *uri = image ? text("%s", info.uri) : NULL;
    gs_image_free(image);
    return status;
}

static void begin(gs_registry *reg)
{
    now.store = default_store(reg);
    now.id = new_id();
    now.segment = "00001";
    now.cancel = NULL;
}

/* It was added in full, and is deleted. */
static void check_added(gs_status status, const char *uri, size_t len)
{
    CHECK_STR("GS_OK", status_name(status));
    faults_clear(faults);
    if (uri) {
        check_image(now.store, uri, data, len);
        OK(gs_delete(now.store, uri, NULL, ERR));
    }
    CHECK_STR("", names_in(&account, container));
}

/* ---- When requests begin --------------------------------------------------------------- */

static int64_t await_first(void)
{
    come_by("one");
    return 0;
}

static int64_t await_second(void)
{
    come_by("two");
    return 0;
}

static int64_t await_both(void)
{
    come_by("one");
    return await_second();
}

static void begun_requests(void)
{
    static const struct stop none = { 0, NULL };
    gs_registry *reg = registry("dlo", "4");
    const char  *uri;
    check_context("the requests of an image whose size is known");
    begin(reg);
    faults_rule(faults, "PUT */%s-00001 1 hold=one at=within after=%d", now.id, BUFFER);
    faults_rule(faults, "PUT */%s-00002 1 hold=two at=within after=0", now.id);
    gs_status status = add(true, LEN, (struct stop){ BUFFER, await_both }, none, &uri);
    CHECK_INT(0, faults_count(faults, "swift PUT", "chunked"));
    CHECK_INT(3, faults_count(faults, "swift PUT", text("\"content-length\": \"%d\"", SEGMENT)));
    CHECK_INT(4, puts_of(""));
    check_added(status, uri, LEN);

    check_context("the requests of an image whose size is not known");
    begin(reg);
    faults_rule(faults, "PUT */%s-00001 1 hold=one at=within after=%d", now.id, BUFFER);
    faults_rule(faults, "PUT */%s-00002 1 hold=two at=within after=%d", now.id, 4 * BUFFER - SEGMENT);
    status = add(false, LEN, (struct stop){ BUFFER, await_first }, (struct stop){ 4 * BUFFER, await_second }, &uri);
    CHECK_INT(4, puts_of(""));
    CHECK_INT(1, stored("00001", "\"transfer-encoding\": \"chunked\""));
    CHECK_INT(1, stored("00002", "\"transfer-encoding\": \"chunked\""));
    check_added(status, uri, LEN);
    gs_registry_free(reg);
}

/* The first segment is held, the source in the second one. */
static int64_t count_puts(void)
{
    faults_await(faults, "one");
    let_retries_begin();
    now.puts = puts_of("");
    faults_release(faults, "one");
    return 0;
}

static void bounded_requests(void)
{
    for (unsigned most = 1; most <= 3; most++) {
        for (int announced = 0; announced <= 1; announced++) {
            gs_registry *reg = registry("dlo", text("%u", most));
            const char  *uri;
            check_context("%u segments at a time, %s", most, announced ? "announced" : "not announced");
            begin(reg);
            faults_rule(faults, "PUT */%s-00001 1 hold=one at=answer", now.id);
            gs_status status = add(announced, LEN, (struct stop){ 4 * BUFFER, count_puts }, (struct stop){ 0, NULL }, &uri);
            /* Of an unknown image nobody knows whether a third segment comes. */
            CHECK_INT(announced || most < 3 ? most : 2, now.puts);
            check_added(status, uri, LEN);
            gs_registry_free(reg);
        }
    }
}

/* ---- Sources that stand still ------------------------------------------------------------- */

struct interruption {
    const char *why;
    const char *segment;
    const char *rule;
    unsigned    puts; /* of the segment, while the source stands still */
};

static int64_t stand_still(void)
{
    come_by("one");
    let_retries_begin();
    now.puts = puts_of(now.segment);
    return 0;
}

static void interruptions(void)
{
    static const struct interruption all[] = {
        { "a segment is answered 408", "00001", "1 hold=one at=within after=1048576 status=408", 1 },
        /* As by a Swift whose socket times out before its proxy does. */
        { "a segment is answered 499", "00001", "1 hold=one at=within after=1048576 status=499", 1 },
        { "a segment is answered 507", "00001", "1 hold=one at=within after=1048576 status=507", 1 },
        /* It is asked for with another token at once. */
        { "a segment is answered 401", "00001", "1 hold=one at=within after=1048576 status=401", 2 },
        /* The connection was used before: for what one knows, the server had closed it before it came to the request. */
        { "a segment is cut", "00001", "1 hold=one at=within after=1048576 cut=within", 2 },
        { "a segment is cut twice", "00001", "1-2 hold=one at=within after=1048576 cut=within", 2 },
        { "the next segment is answered 408", "00002", "1 hold=one at=within after=0 status=408", 1 },
        { "the next segment is answered 507", "00002", "1 hold=one at=within after=0 status=507", 1 },
        { "the next segment is cut", "00002", "1 hold=one at=within after=0 cut=within", 1 },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        /* Of an unknown image nobody knows whether a next segment comes. */
        bool is_known = i % 2 || strcmp(all[i].segment, "00002") == 0;
        for (int announced = is_known; announced <= (is_known || i == 0); announced++) {
            gs_registry *reg = registry(i % 2 ? "slo" : "dlo", "4");
            const char  *uri;
            now.segment = all[i].segment;
            check_context("%s, %s", all[i].why, announced ? "announced" : "not announced");
            begin(reg);
            faults_rule(faults, "PUT */%s-%s %s", now.id, all[i].segment, all[i].rule);
            gs_status status = add(announced, LEN, (struct stop){ BUFFER, stand_still }, (struct stop){ 0, NULL }, &uri);
            CHECK_INT(all[i].puts, now.puts);
            CHECK_INT(strstr(all[i].rule, "1-2") ? 3 : 2, puts_of(all[i].segment));
            CHECK_INT(strstr(all[i].rule, "1-2") ? 6 : 5, puts_of("0000"));
            /* What is sent once it is whole has a length, known before or not. */
            if (all[i].puts == 1)
                CHECK_INT(1, stored(all[i].segment, text("\"content-length\": \"%d\"", SEGMENT)));
            check_added(status, uri, LEN);
            gs_registry_free(reg);
        }
    }
}

/* ---- Adds that fail while a segment grows ---------------------------------------------------- */

static int64_t fail(void)
{
    return -EIO;
}

static int64_t cancel(void)
{
    gs_cancel_trigger(now.cancel);
    return 0;
}

static void failing_sources(void)
{
    static const struct { const char *why; gs_status wanted; int64_t (*act)(void); size_t at, len; } all[] = {
        { "the source fails", GS_CALLBACK, fail, 2 * BUFFER, LEN },
        { "the source fails as a segment begins", GS_CALLBACK, fail, 3 * BUFFER, LEN },
        { "the source ends", GS_SIZE_MISMATCH, NULL, 0, 2 * BUFFER },
        { "the source ends one byte early", GS_SIZE_MISMATCH, NULL, 0, LEN - 1 },
        { "the source ends behind a segment", GS_SIZE_MISMATCH, NULL, 0, SEGMENT },
        { "the add is cancelled", GS_CANCELLED, cancel, 2 * BUFFER, LEN },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (int announced = all[i].wanted == GS_SIZE_MISMATCH; announced <= 1; announced++) {
            gs_registry *reg = registry((i + (size_t)announced) % 2 ? "slo" : "dlo", "4");
            const char  *uri;
            check_context("%s, %s", all[i].why, announced ? "announced" : "not announced");
            begin(reg);
            now.cancel = gs_cancel_new();
            MUST(now.cancel != NULL);
            faults_rule(faults, "PUT */%s-00001 1 hold=one at=within after=%d", now.id, BUFFER);
            faults_rule(faults, "PUT */%s-00002 1 hold=two at=within after=0", now.id);
            gs_status status = add(announced, all[i].len, (struct stop){ BUFFER, announced ? await_both : await_first },
                                   (struct stop){ all[i].at, all[i].act }, &uri);
            CHECK_STR(status_name(all[i].wanted), status_name(status));
            CHECK_LACKS("connection", failure.message);
            CHECK_LACKS("part", failure.message);
            faults_release(faults, "two");
            faults_settle(faults);
            CHECK_STR("", names_in(&account, container));
            gs_cancel_free(now.cancel);
            faults_clear(faults);
            gs_registry_free(reg);
        }
    }
}

/* Answers before the end of a segment that say that none is wanted. */
static void refusals(void)
{
    static const struct { int status; gs_status wanted; unsigned puts; } all[] = { { 413, GS_STORAGE_FULL, 1 }, { 507, GS_STORAGE_FULL, 3 } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (int announced = 0; announced <= 1; announced++) {
            gs_registry *reg = registry(announced ? "slo" : "dlo", "4");
            const char  *uri;
            check_context("a segment is answered %d before its end, %s", all[i].status, announced ? "announced" : "not announced");
            begin(reg);
            faults_rule(faults, "PUT */%s-00001 1 hold=one at=within after=%d status=%d", now.id, BUFFER, all[i].status);
            faults_rule(faults, "PUT */%s-00001 * status=%d", now.id, all[i].status);
            gs_status status = add(announced, LEN, (struct stop){ BUFFER, stand_still }, (struct stop){ 0, NULL }, &uri);
            CHECK_STR(status_name(all[i].wanted), status_name(status));
            CHECK_INT(all[i].status, failure.http_status);
            CHECK_INT(all[i].puts, puts_of("00001"));
            faults_settle(faults);
            CHECK_STR("", names_in(&account, container));
            faults_clear(faults);
            gs_registry_free(reg);
        }
    }
}

/* ---- Killed processes --------------------------------------------------------------------------- */

static int64_t never_return(void)
{
    while (true)
        pause();
    return 0;
}

static void kill_an_adder(bool announced)
{
    faults_rule(faults, "PUT */%s-00002 1 hold=two at=within after=%d", now.id, 4 * BUFFER - SEGMENT);
    fflush(NULL);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        const char *uri;
        now.store = default_store(registry("dlo", "4"));
        add(announced, LEN, (struct stop){ 4 * BUFFER, never_return }, (struct stop){ 0, NULL }, &uri);
        _exit(3);
    }
    faults_await(faults, "two");
    MUST(kill(child, SIGKILL) == 0);
    CHECK_INT(128 + SIGKILL, wait_for(child));
    faults_clear(faults);
}

/* What was not sent to its end is nothing, whatever its framing. */
static void killed_adders(void)
{
    const char *ids[] = { new_id(), new_id(), new_id(), new_id() };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        check_context("a process that is killed in its second segment, %s", i % 2 ? "announced" : "not announced");
        now.id = ids[i];
        kill_an_adder(i % 2);
        CHECK_STR(text("%s-00001\n", now.id), names_in(&account, container));
        gs_registry *reg = registry("dlo", "4");
        now.store = default_store(reg);
        const char *other = new_id();
        const char *uri = try_add(now.store, i < 2 ? now.id : other, data, LEN, LEN, GS_OK);
        MUST(uri != NULL);
        if (i >= 2) {
            FAILS(GS_NOT_FOUND, gs_delete(now.store, text("%.*s%s", (int)(strlen(uri) - strlen(other)), uri, now.id), NULL, ERR));
            CHECK_LACKS(now.id, names_in(&account, container));
        }
        check_added(GS_OK, uri, LEN);
        gs_registry_free(reg);
    }
}

/* ---- Sizes, and holes ----------------------------------------------------------------------------- */

static void sizes(void)
{
    static const size_t lens[] = { 0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT - 1, 2 * SEGMENT, 2 * SEGMENT + 1, 2 * SEGMENT };
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        /* The last one, whose size tells that no third segment follows. */
        bool announced = i + 1 == sizeof lens / sizeof *lens;
        gs_registry *reg = registry(i % 2 ? "slo" : "dlo", "4");
        check_context("%zu bytes, %s", lens[i], announced ? "announced" : "not announced");
        begin(reg);
        const char *uri = try_add(now.store, now.id, data, lens[i], announced ? lens[i] : GS_SIZE_UNKNOWN, GS_OK);
        unsigned segments = (unsigned)((lens[i] + SEGMENT - 1) / SEGMENT);
        if (lens[i] > SEGMENT)
            CHECK_INT(segments, puts_of("0000"));
        CHECK_LACKS(text("%s-%05u\n", now.id, segments + 1), names_in(&account, container));
        check_added(GS_OK, uri, lens[i]);
        gs_registry_free(reg);
    }
}

/* With a hole that ends, and one that begins, within a segment. */
static void holes(void)
{
    uint8_t *kept = data;
    data = calloc(1, LEN);
    MUST(data != NULL);
    memcpy(data + MiB, kept, MiB);
    memcpy(data + 2 * SEGMENT - 5, kept, 10);
    const char *path = text("%s/image", new_dir());
    int         fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    MUST(fd >= 0 && ftruncate(fd, LEN) == 0);
    MUST(pwrite(fd, data + MiB, MiB, MiB) == MiB && pwrite(fd, data + 2 * SEGMENT - 5, 10, 2 * SEGMENT - 5) == 10);
    for (int announced = 0; announced <= 1; announced++) {
        gs_registry  *reg = registry("dlo", "2");
        gs_image     *image = NULL;
        gs_image_info info = GS_IMAGE_INFO_INIT;
        check_context("holes, %s", announced ? "announced" : "not announced");
        begin(reg);
        faults_rule(faults, "PUT */%s-0000[123] 1-2 cut=within after=1000000", now.id);
        MUST(lseek(fd, 0, SEEK_SET) == 0);
        OK(gs_add_fd(now.store, now.id, announced ? LEN : GS_SIZE_UNKNOWN, fd, NULL, &image, ERR));
        MUST(image != NULL);
        gs_image_get_info(image, &info);
        check_added(GS_OK, text("%s", info.uri), LEN);
        gs_image_free(image);
        gs_registry_free(reg);
    }
    close(fd);
    free(data);
    data = kept;
}

int main(void)
{
    account = demo_account();
    container = new_container(&account);
    faults = swift_faults();
    data = new_data(LEN, RANDOM_DATA);
    begun_requests();
    bounded_requests();
    interruptions();
    failing_sources();
    refusals();
    killed_adders();
    sizes();
    holes();
    free(data);
    faults_stop(faults);
    return check_result();
}
