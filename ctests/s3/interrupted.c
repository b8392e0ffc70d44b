/* Calls that are cancelled, time out or are killed while the server keeps them
 * waiting, in every phase: they end at once, and leave what was there before. */
#include "s3.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGE = 2 * PART + 100, SMALL = 5000 };

static struct faults *faults;
static gs_registry   *registry;
static gs_store      *store;
static uint8_t       *data;
static const char    *before;
static gs_cancel     *token;

static const char *const add_phases[] = {
    "HEAD * 1 hold=here at=request",
    "HEAD * 2 hold=here at=answer",
    "POST *uploads* 1 hold=here at=request",
    "POST *uploads* 1 hold=here at=answer",
    "PUT *partNumber=1* 1 hold=here at=request",
    "PUT *partNumber=2* 1 hold=here at=answer",
    "PUT *partNumber=3* 1 hold=here at=request",
    "PUT *partNumber=3* 1 hold=here at=answer",
};

static void *cancel_there(void *user)
{
    (void)user;
    faults_await(faults, "here");
    gs_cancel_trigger(token);
    return NULL;
}

static void *cancel_and_release(void *user)
{
    cancel_there(user);
    faults_release(faults, "here");
    return NULL;
}

/* An add in parts that ends in that phase; how is the caller's. */
static void interrupted_add(const char *phase, gs_status status, void *(*interrupt)(void *), uint64_t timeout_ms)
{
    struct source source = { .data = data, .len = LARGE };
    gs_image     *image = NULL;
    gs_opts       opts = GS_OPTS_INIT;
    pthread_t     thread;
    faults_clear(faults);
    faults_rule(faults, "%s", phase);
    opts.cancel = token = gs_cancel_new();
    opts.timeout_ms = timeout_ms;
    MUST(token != NULL);
    if (interrupt)
        thread = start(interrupt, NULL);
    FAILS(status, gs_add(store, new_id(), LARGE, source_read, &source, &opts, &image, ERR));
    CHECK(image == NULL);
    if (interrupt)
        join(thread);
    faults_clear(faults);
    CHECK_STR(before, holdings());
    gs_cancel_free(token);
}

static void cancelled_adds(void)
{
    for (size_t i = 0; i < sizeof add_phases / sizeof *add_phases; i++) {
        /* What began while nobody looked is found again when the server answers. */
        bool is_begin = strstr(add_phases[i], "POST") != NULL;
        check_context("an add cancelled at %s", add_phases[i]);
        interrupted_add(add_phases[i], GS_CANCELLED, is_begin ? cancel_and_release : cancel_there, 0);
    }
}

static void overdue_adds(void)
{
    for (size_t i = 4; i < sizeof add_phases / sizeof *add_phases; i++) {
        check_context("an add whose time is up at %s", add_phases[i]);
        interrupted_add(add_phases[i], GS_TIMEOUT, NULL, 1000);
    }
}

/* Once all data is there and the last request is on its way, the image comes into being whatever is said then. */
static void cancelled_too_late(void)
{
    static const struct { size_t len; const char *phase; } rows[] = {
        { SMALL, "PUT * 1 hold=here at=request" },
        { SMALL, "PUT * 1 hold=here at=answer" },
        { LARGE, "POST *uploadId* 1 hold=here at=request" },
        { LARGE, "POST *uploadId* 1 hold=here at=answer" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct source source = { .data = data, .len = rows[i].len };
        gs_image     *image = NULL;
        gs_image_info info = GS_IMAGE_INFO_INIT;
        gs_opts       opts = GS_OPTS_INIT;
        check_context("an add of %zu bytes cancelled at %s", rows[i].len, rows[i].phase);
        faults_clear(faults);
        faults_rule(faults, "%s", rows[i].phase);
        opts.cancel = token = gs_cancel_new();
        MUST(token != NULL);
        pthread_t thread = start(cancel_and_release, NULL);
        if (OK(gs_add(store, new_id(), source.len, source_read, &source, &opts, &image, ERR))) {
            gs_image_get_info(image, &info);
            check_image(store, info.uri, data, source.len);
            OK(gs_delete(store, info.uri, NULL, ERR));
        }
        join(thread);
        gs_image_free(image);
        faults_clear(faults);
        CHECK_STR(before, holdings());
        gs_cancel_free(token);
    }
}

static void cancelled_gets(void)
{
    static const char *const phases[] = {
        "HEAD * 1 hold=here at=request", "GET * 1 hold=here at=request", "GET * 1 hold=here at=answer", "GET * 1 hold=here at=1500000",
    };
    const char *uri = add_bytes(store, new_id(), data, LARGE);
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        struct sink sink = { 0 };
        gs_opts     opts = GS_OPTS_INIT;
        check_context("a get cancelled at %s", phases[i]);
        faults_clear(faults);
        faults_rule(faults, "%s", phases[i]);
        opts.cancel = token = gs_cancel_new();
        MUST(token != NULL);
        pthread_t thread = start(cancel_there, NULL);
        FAILS(GS_CANCELLED, gs_get(store, uri, sink_write, &sink, &opts, ERR));
        join(thread);
        sink_free(&sink);
        gs_cancel_free(token);
    }
    faults_clear(faults);
    OK(gs_delete(store, uri, NULL, ERR));
}

/* A killed process leaves an upload, which the next add of the image removes when it is old enough. */
static void killed(void)
{
    const char *id = new_id(), *uri = NULL;
    check_context("a process that is killed");
    /* Older still, and of another image. */
    tool("begin %s %s-longer", env("S3_BUCKET"), id);
    faults_clear(faults);
    faults_rule(faults, "PUT *partNumber=3* 1 hold=here at=request");
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "interrupted", faults_url(faults, "s3"), id, (char *)NULL);
        _exit(1);
    }
    faults_await(faults, "here");
    kill(child, SIGKILL);
    CHECK_INT(128 + SIGKILL, wait_for(child));
    faults_clear(faults);
    CHECK_HAS(text("upload %s", id), holdings());

    check_context("an add after a process was killed");
    gs_registry *patient = s3_registry(env("S3_URL"), SETTINGS({ NULL, "s3_store_stale_upload_age", "3600" }));
    CHECK(add(default_store(patient), id, data, SMALL, true, &uri) == GS_OK);
    OK(gs_delete(default_store(patient), uri, NULL, ERR));
    CHECK_HAS(text("upload %s ", id), holdings());
    gs_registry_free(patient);
    /* Times are told in whole seconds. */
    gs_registry *strict = s3_registry(env("S3_URL"), SETTINGS({ NULL, "s3_store_stale_upload_age", "1" }));
    while (strstr(holdings(), text("upload %s ", id))) {
        CHECK(add(default_store(strict), id, data, SMALL, true, &uri) == GS_OK);
        OK(gs_delete(default_store(strict), uri, NULL, ERR));
    }
    /* That of the other image stays. */
    CHECK_HAS(text("upload %s-longer", id), holdings());
    gs_registry_free(strict);
}

/* What the killed process does. */
static int add_and_hang(const char *url, const char *id)
{
    gs_registry *reg = s3_registry(url, NULL);
    data = new_data(LARGE, RANDOM_DATA);
    return add(default_store(reg), id, data, LARGE, true, NULL);
}

int main(int count, char **arguments)
{
    if (count == 3)
        return add_and_hang(arguments[1], arguments[2]);
    faults = s3_faults();
    registry = s3_registry(faults_url(faults, "s3"), NULL);
    store = default_store(registry);
    data = new_data(LARGE, RANDOM_DATA);
    before = holdings();
    cancelled_adds();
    overdue_adds();
    cancelled_too_late();
    cancelled_gets();
    killed();
    gs_registry_free(registry);
    faults_stop(faults);
    free(data);
    return check_result();
}
