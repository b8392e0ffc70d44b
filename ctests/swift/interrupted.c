/* Calls that are cancelled, time out or are killed while a server keeps them
 * waiting, in every phase: they end at once, and leave what was there before. */
#include "account.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEN = 3 * UNIT + 5, PROCESSES = 8 };

static struct account account;
static const char    *container;
static struct faults *faults;
static uint8_t       *data;
static gs_cancel     *token;

static const char *const add_phases[] = {
    "POST keystone:* 1 hold=here at=request",
    "POST keystone:* 1 hold=here at=answer",
    "HEAD */@ 1 hold=here at=request",
    "GET *prefix=@-* 1 hold=here at=answer",
    "GET *prefix=@-* 2 hold=here at=request",
    "PUT */@-00001 1 hold=here at=request",
    "PUT */@-00001 1 hold=here at=answer",
    "PUT */@-00004 1 hold=here at=request",
    "PUT */@-00004 1 hold=here at=answer",
};

enum { ADD_PHASES = sizeof add_phases / sizeof *add_phases, FIRST_OVERDUE = 2 };

static const char *const get_phases[] = {
    "POST keystone:* 1 hold=here at=answer",
    "GET */@* 1 hold=here at=request",
    "GET */@* 1 hold=here at=answer",
    "GET */@* 1 hold=here at=1500000",
};

static const char *with_id(const char *rule, const char *id)
{
    const char *at = strchr(rule, '@');
    return at ? text("%.*s%s%s", (int)(at - rule), rule, id, at + 1) : rule;
}

static gs_registry *registry(const char *manifest)
{
    return spoilt_registry(faults, container, SETTINGS({ "glance_store", "swift_store_manifest", manifest }));
}

static void *cancel_there(void *user)
{
    (void)user;
    faults_await(faults, "here");
    gs_cancel_trigger(token);
    return NULL;
}

static void cancelled_add(const char *manifest, const char *phase)
{
    struct source source = { .data = data, .len = LEN };
    gs_registry  *reg = registry(manifest);
    gs_image     *image = NULL;
    gs_opts       opts = GS_OPTS_INIT;
    const char   *id = new_id(), *before = contents(&account, container);
    check_context("an add cancelled at %s, %s", phase, manifest);
    faults_rule(faults, "%s", with_id(phase, id));
    opts.cancel = token = gs_cancel_new();
    MUST(token != NULL);
    pthread_t thread = start(cancel_there, NULL);
    FAILS(GS_CANCELLED, gs_add(default_store(reg), id, LEN, source_read, &source, &opts, &image, ERR));
    join(thread);
    CHECK(image == NULL);
    /* What was on its way to the server arrives or not; then all is as before. */
    faults_clear(faults);
    CHECK_STR(before, contents(&account, container));
    gs_cancel_free(token);
    gs_registry_free(reg);
}

/* ---- What the server stores late ---------------------------------------------------------- */

static void *cancel_and_let_arrive(void *user)
{
    const char *id = user;
    int         status = 0;
    faults_await(faults, "sent");
    if (token)
        gs_cancel_trigger(token);
    /* By now the add has given it up, has looked for it, and there was none. */
    faults_await(faults, "missed");
    faults_release(faults, "sent");
    while (status != 200) {
        struct reply reply = head_object(&account, container, text("%s-00002", id));
        status = reply.status;
        reply_free(&reply);
    }
    faults_release(faults, "missed");
    return NULL;
}

/* Stored after the add has given it up and looked for it in vain. */
static void late_segment(const char *manifest, gs_status ending)
{
    struct source source = { .data = data, .len = LEN };
    gs_registry  *reg = registry(manifest);
    gs_image     *image = NULL;
    gs_opts       opts = GS_OPTS_INIT;
    const char   *id = new_id(), *before = contents(&account, container);
    check_context("a segment that arrives after its add has ended with %s, %s", status_name(ending), manifest);
    faults_rule(faults, "PUT */%s-00002 1 hold=sent at=body", id);
    faults_rule(faults, "HEAD */%s-00002 1 hold=missed at=answer", id);
    token = ending == GS_CANCELLED ? gs_cancel_new() : NULL;
    opts.cancel = token;
    opts.timeout_ms = token ? 0 : 1500;
    pthread_t thread = start(cancel_and_let_arrive, (void *)id);
    FAILS(ending, gs_add(default_store(reg), id, LEN, source_read, &source, &opts, &image, ERR));
    join(thread);
    CHECK(image == NULL);
    faults_clear(faults);
    CHECK_STR(before, contents(&account, container));
    gs_cancel_free(token);
    gs_registry_free(reg);
}

/* ---- Others ------------------------------------------------------------------------------- */

/* What a killed add has left may be gone or not; nothing says for ever that somebody removes it. */
static void cancelled_clearance(void)
{
    struct source source = { .data = data, .len = LEN };
    gs_registry  *reg = registry("dlo");
    gs_image     *image = NULL;
    gs_opts       opts = GS_OPTS_INIT;
    const char   *id = new_id();
    check_context("an add cancelled while it removes leftovers");
    for (int i = 1; i <= 3; i++)
        put_object(&account, container, text("%s-%05d", id, i), "X-Object-Meta-Glance-Store-Upload: killed\r\n", "stale", 5);
    faults_rule(faults, "DELETE */%s-00002 1 hold=here at=answer", id);
    /* As long as it takes. */
    faults_rule(faults, "DELETE */%s-00000 1 hold=gone at=answer", id);
    opts.cancel = token = gs_cancel_new();
    MUST(token != NULL);
    pthread_t thread = start(cancel_there, NULL);
    FAILS(GS_CANCELLED, gs_add(default_store(reg), id, LEN, source_read, &source, &opts, &image, ERR));
    join(thread);
    faults_release(faults, "here");
    faults_await(faults, "gone");
    faults_clear(faults);
    CHECK_STR("", names_in(&account, container));
    gs_cancel_free(token);
    gs_registry_free(reg);
}

static void *cancel_and_release(void *user)
{
    cancel_there(user);
    faults_release(faults, "here");
    return NULL;
}

/* Once all segments are there and the manifest is on its way, or a small image itself, the image comes into being
 * whatever is said then. */
static void cancelled_too_late(const char *manifest, size_t len)
{
    static const char *const places[] = { "request", "answer" };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct source source = { .data = data, .len = len };
        gs_registry  *reg = registry(manifest);
        gs_image     *image = NULL;
        gs_image_info info = GS_IMAGE_INFO_INIT;
        gs_opts       opts = GS_OPTS_INIT;
        const char   *id = new_id(), *before = contents(&account, container);
        check_context("an add of %zu bytes cancelled while what makes it an image is at %s, %s", len, places[i], manifest);
        faults_rule(faults, "PUT */%s 1 hold=here at=%s", id, places[i]);
        /* A static manifest has a query. */
        faults_rule(faults, "PUT */%s[?]* 1 hold=here at=%s", id, places[i]);
        opts.cancel = token = gs_cancel_new();
        MUST(token != NULL);
        pthread_t thread = start(cancel_and_release, NULL);
        if (OK(gs_add(default_store(reg), id, len, source_read, &source, &opts, &image, ERR))) {
            gs_image_get_info(image, &info);
            check_image(default_store(reg), info.uri, data, len);
            OK(gs_delete(default_store(reg), info.uri, NULL, ERR));
        }
        join(thread);
        gs_image_free(image);
        faults_clear(faults);
        CHECK_STR(before, contents(&account, container));
        gs_cancel_free(token);
        gs_registry_free(reg);
    }
}

static void overdue_add(const char *phase)
{
    struct source source = { .data = data, .len = LEN };
    gs_registry  *reg = registry("dlo");
    gs_image     *image = NULL;
    gs_opts       opts = GS_OPTS_INIT;
    const char   *id = new_id(), *before = contents(&account, container);
    check_context("an add whose time is up at %s", phase);
    faults_rule(faults, "%s", with_id(phase, id));
    /* Held for ever: only the time limit ends it. */
    opts.timeout_ms = 1500;
    FAILS(GS_TIMEOUT, gs_add(default_store(reg), id, LEN, source_read, &source, &opts, &image, ERR));
    CHECK(image == NULL);
    faults_clear(faults);
    CHECK_STR(before, contents(&account, container));
    gs_registry_free(reg);
}

static void cancelled_gets(void)
{
    gs_registry *whole = registry_in(container, NULL);
    const char  *id = new_id(), *stored = try_add(default_store(whole), id, data, LEN, LEN, GS_OK);
    const char  *uri = text("swift+http://demo%%3Ademo:demopass@%s/%s/%s", strstr(keystone_through(faults), "//") + 2, container, id);
    for (size_t i = 0; i < sizeof get_phases / sizeof *get_phases; i++) {
        gs_registry *reg = registry("dlo");
        struct sink  sink = { 0 };
        gs_opts      opts = GS_OPTS_INIT;
        check_context("a get cancelled at %s", get_phases[i]);
        faults_rule(faults, "%s", with_id(get_phases[i], id));
        opts.cancel = token = gs_cancel_new();
        MUST(token != NULL);
        pthread_t thread = start(cancel_there, NULL);
        FAILS(GS_CANCELLED, gs_get(default_store(reg), uri, sink_write, &sink, &opts, ERR));
        join(thread);
        CHECK(sink.len < LEN);
        CHECK(sink.len == 0 || memcmp(data, sink.data, sink.len) == 0);
        sink_free(&sink);
        faults_clear(faults);
        gs_cancel_free(token);
        gs_registry_free(reg);
    }
    OK(gs_delete(default_store(whole), stored, NULL, ERR));
    gs_registry_free(whole);
}

static const char *const delete_phases[] = {
    "HEAD */@ 1 hold=here at=answer",
    "GET *prefix=@-* 1 hold=here at=request",
    "DELETE */@-00002 1 hold=here at=request",
    "DELETE */@-00002 1 hold=here at=answer",
    "DELETE */@ 1 hold=here at=request",
};

/* What a delete has left can be deleted. */
static void cancelled_deletes(void)
{
    gs_registry *whole = registry_in(container, NULL);
    const char  *before = contents(&account, container);
    for (size_t i = 0; i < sizeof delete_phases / sizeof *delete_phases; i++) {
        gs_registry *reg = registry("dlo");
        gs_opts      opts = GS_OPTS_INIT;
        const char  *id = new_id(), *stored = try_add(default_store(whole), id, data, LEN, LEN, GS_OK);
        const char  *uri = text("swift+http://demo%%3Ademo:demopass@%s/%s/%s", strstr(keystone_through(faults), "//") + 2, container, id);
        check_context("a delete cancelled at %s", delete_phases[i]);
        faults_rule(faults, "%s", with_id(delete_phases[i], id));
        opts.cancel = token = gs_cancel_new();
        MUST(token != NULL);
        pthread_t thread = start(cancel_there, NULL);
        FAILS(GS_CANCELLED, gs_delete(default_store(reg), uri, &opts, ERR));
        join(thread);
        faults_clear(faults);
        CHECK_HAS(text("%s\n", id), names_in(&account, container));
        OK(gs_delete(default_store(whole), stored, NULL, ERR));
        CHECK_STR(before, contents(&account, container));
        gs_cancel_free(token);
        gs_registry_free(reg);
    }
    gs_registry_free(whole);
}

/* ---- Killed processes -------------------------------------------------------------------- */

static void add_and_never_return(const char *id, const char *manifest)
{
    struct source source = { .data = data, .len = LEN };
    gs_image     *image = NULL;
    gs_registry  *reg = registry(manifest);
    gs_status     status = RETURNS(gs_add(default_store(reg), id, LEN, source_read, &source, NULL, &image, ERR));
    _exit(status == GS_OK ? 3 : 4);
}

static void kill_an_adder_at(const char *request, const char *id, const char *manifest)
{
    faults_rule(faults, "%s", with_id(request, id));
    fflush(NULL);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0)
        add_and_never_return(id, manifest);
    faults_await(faults, "here");
    MUST(kill(child, SIGKILL) == 0);
    CHECK_INT(128 + SIGKILL, wait_for(child));
    faults_clear(faults);
}

/* Segments remain of a process that is killed while its last one is under way. */
static void kill_an_adder(const char *id, const char *manifest)
{
    kill_an_adder_at("PUT */@-00004 1 hold=here at=request", id, manifest);
    CHECK_LACKS(text("%s\n", id), names_in(&account, container));
}

static void killed_adders(const char *manifest)
{
    const char *before = names_in(&account, container), *id = new_id();
    check_context("a killed add, then one that succeeds, %s", manifest);
    kill_an_adder(id, manifest);
    gs_registry *reg = registry(manifest);
    const char  *uri = try_add(default_store(reg), id, data, 2 * UNIT, 2 * UNIT, GS_OK);
    CHECK_STR(text("%s%s\n%s-00001\n%s-00002\n", before, id, id, id), names_in(&account, container));
    check_image(default_store(reg), uri, data, 2 * UNIT);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    CHECK_STR(before, names_in(&account, container));

    check_context("a killed add, then a delete, %s", manifest);
    kill_an_adder(id, manifest);
    FAILS(GS_NOT_FOUND, gs_delete(default_store(reg), uri, NULL, ERR));
    CHECK_STR(before, names_in(&account, container));

    check_context("a killed add, then one that fails, %s", manifest);
    kill_an_adder(id, manifest);
    try_add(default_store(reg), id, data, 2 * UNIT, 2 * UNIT + 1, GS_SIZE_MISMATCH);
    CHECK_STR(before, names_in(&account, container));

    check_context("an add killed before its image is there, %s", manifest);
    bool is_static = strcmp(manifest, "slo") == 0;
    kill_an_adder_at(is_static ? "PUT */@[?]* 1 hold=here at=request" : "PUT */@ 1 hold=here at=request", id, manifest);
    CHECK_HAS(text("%s-00004", id), names_in(&account, container));
    FAILS(GS_NOT_FOUND, gs_delete(default_store(reg), uri, NULL, ERR));
    CHECK_STR(before, names_in(&account, container));

    check_context("an add killed when its image is there, %s", manifest);
    kill_an_adder_at(is_static ? "PUT */@[?]* 1 hold=here at=answer" : "PUT */@ 1 hold=here at=answer", id, manifest);
    try_add(default_store(reg), id, data, LEN, LEN, GS_DUPLICATE);
    check_image(default_store(reg), uri, data, LEN);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    CHECK_STR(before, names_in(&account, container));
    gs_registry_free(reg);
}

/* ---- All at once --------------------------------------------------------------------------- */

/* What this program leaves out, the one with sanitizers runs. */
static const char *either(const char *plain, const char *small)
{
    return small_run() ? small : plain;
}

static void various(size_t share)
{
    switch (share) {
    case 0: killed_adders(either("dlo", "slo")); break;
    case 1: late_segment(either("slo", "dlo"), GS_CANCELLED); break;
    case 2: late_segment(either("dlo", "slo"), GS_TIMEOUT); break;
    case 3: cancelled_too_late(either("dlo", "slo"), LEN); break;
    case 4: cancelled_too_late("dlo", 1000); break;
    case 5: cancelled_clearance(); break;
    case 6: cancelled_gets(); break;
    case 7: cancelled_deletes(); break;
    default: MUST(!"a case");
    }
}

/* Most of the time an add waits for what it has given up: so several processes share the cases, each with a
 * container and a proxy of its own. */
static int run_share(size_t share)
{
    account = demo_account();
    container = new_container(&account);
    faults = swift_faults();
    data = new_data(LEN, RANDOM_DATA);
    for (size_t i = share; i < ADD_PHASES; i += PROCESSES)
        cancelled_add(either("slo", "dlo"), add_phases[i]);
    for (size_t i = FIRST_OVERDUE + share; i < ADD_PHASES; i += PROCESSES)
        overdue_add(add_phases[i]);
    various(share);
    free(data);
    faults_stop(faults);
    return check_result();
}

int main(void)
{
    return in_processes(PROCESSES, run_share);
}
