/* After fork() the child's handles are the parent's: every call answers
 * GS_FORKED at once and *_free is safe; the child opens its own registry, from
 * a configuration made before if it likes. The parent notices nothing. */
#include "testing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char  *dir;
static gs_config   *cfg;
static gs_registry *reg;
static gs_store    *store;
static const char  *uri;
static gs_reader   *reader;
static gs_location *location;
static gs_image    *image;
static gs_cancel   *token;

/* Runs in a child that has to come back by itself: a hang ends by SIGALRM. */
static void in_child(const char *name, void (*function)(void))
{
    fflush(NULL);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        alarm(60);
        check_forget();
        check_context("%s", name);
        function();
        fflush(NULL);
        _exit(check_result());
    }
    check_context("the child for %s", name);
    CHECK_INT(0, wait_for(child));
}

static void inherited_handles(void)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    struct sink   sink = { 0 };
    gs_store     *found = NULL;
    gs_location  *parsed = NULL;
    gs_image     *added = NULL;
    gs_reader    *opened = NULL;
    uint64_t      size;
    uint8_t       byte;
    size_t        count;
    FAILS(GS_FORKED, gs_registry_resolve(reg, uri, &found, ERR));
    CHECK_HAS("fork", failure.message);
    FAILS(GS_FORKED, gs_location_parse(reg, NULL, uri, &parsed, ERR));
    FAILS(GS_FORKED, gs_location_parse(reg, store, uri, &parsed, ERR));
    FAILS(GS_FORKED, gs_add(store, "new", 3, source_read, &source, NULL, &added, ERR));
    FAILS(GS_FORKED, gs_add_fd(store, "new", 0, 0, NULL, &added, ERR));
    FAILS(GS_FORKED, gs_copy(store, "new", store, uri, NULL, &added, ERR));
    FAILS(GS_FORKED, gs_get(store, uri, sink_write, &sink, NULL, ERR));
    FAILS(GS_FORKED, gs_get_fd(store, uri, 1, NULL, ERR));
    FAILS(GS_FORKED, gs_get_size(store, uri, NULL, &size, ERR));
    FAILS(GS_FORKED, gs_examine(store, uri, NULL, &added, ERR));
    FAILS(GS_FORKED, gs_delete(store, uri, NULL, ERR));
    FAILS(GS_FORKED, gs_set_acls(store, uri, false, NULL, NULL, NULL, ERR));
    FAILS(GS_FORKED, gs_reader_open(store, uri, NULL, &opened, ERR));
    FAILS(GS_FORKED, gs_reader_pread(reader, &byte, 1, 0, &count, ERR));
    CHECK_INT(0, source.calls);
    CHECK_INT(0, sink.calls);
}

static void inherited_frees(void)
{
    gs_cancel_free(token);
    gs_location_free(location);
    gs_image_free(image);
    gs_reader_free(reader);
    gs_registry_free(reg);
    gs_config_free(cfg);
}

static void own_registry(void)
{
    gs_registry *own = file_registry(dir);
    check_image(default_store(own), uri, "abc", 3);
    const char *child = add_bytes(default_store(own), "child", "from the child", 14);
    check_image(default_store(own), child, "from the child", 14);
    gs_registry_free(own);
    inherited_frees();
}

static void inherited_config(void)
{
    gs_registry *own = NULL;
    MUST(OK(gs_registry_open(cfg, &own, ERR)));
    check_image(default_store(own), uri, "abc", 3);
    gs_registry_free(own);
}

static void inherited_token(void)
{
    gs_registry *own = file_registry(dir);
    gs_opts      opts = GS_OPTS_INIT;
    uint64_t     size;
    opts.cancel = token;
    FAILS(GS_FORKED, gs_get_size(default_store(own), uri, &opts, &size, ERR));
    gs_registry_free(own);
}

/* A child of the child, and a registry of the child in it. */
static void grandchild(void)
{
    gs_registry *own = file_registry(dir);
    gs_store    *own_store = default_store(own);
    fflush(NULL);
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        uint64_t size;
        check_forget();
        FAILS(GS_FORKED, gs_get_size(own_store, uri, NULL, &size, ERR));
        FAILS(GS_FORKED, gs_get_size(store, uri, NULL, &size, ERR));
        gs_registry_free(own);
        _exit(check_result());
    }
    CHECK_INT(0, wait_for(pid));
    check_image(own_store, uri, "abc", 3);
    gs_registry_free(own);
}

/* ---- A child that cancels, while the parent's call runs ------------------ */

struct parent_call { int fd; pthread_t thread; };

static void *add_from_pipe(void *user)
{
    struct parent_call *call = user;
    gs_opts             opts = GS_OPTS_INIT;
    gs_image           *added = NULL;
    gs_image_info       info = GS_IMAGE_INFO_INIT;
    check_context("the parent's add while a child triggers its copy of the token");
    opts.cancel = token;
    if (OK(gs_add_fd(store, "piped", GS_SIZE_UNKNOWN, call->fd, &opts, &added, ERR))) {
        gs_image_get_info(added, &info);
        CHECK_SIZE(MiB + 3, info.size);
        OK(gs_delete(store, info.uri, NULL, ERR));
        gs_image_free(added);
    }
    return NULL;
}

static void trigger_and_free(void)
{
    gs_cancel_trigger(token);
    inherited_frees();
}

static void cancel_in_child(void)
{
    static uint8_t     some[MiB];
    struct parent_call call;
    int                ends[2];
    MUST(pipe(ends) == 0);
    call.fd = ends[0];
    call.thread = start(add_from_pipe, &call);
    /* More than a pipe holds: when all is written the add is at work. */
    for (size_t done = 0; done < sizeof some;) {
        ssize_t count = write(ends[1], some + done, sizeof some - done);
        MUST(count > 0);
        done += (size_t)count;
    }
    in_child("gs_cancel_trigger", trigger_and_free);
    MUST(write(ends[1], "abc", 3) == 3);
    close(ends[1]);
    join(call.thread);
    close(ends[0]);
}

/* Registries opened and freed before the fork leave nothing that hurts. */
static void after_a_closed_registry(void)
{
    gs_registry_free(file_registry(dir));
    in_child("a registry closed before the fork", own_registry);
    OK(gs_delete(store, text("file://%s/child", dir), NULL, ERR));
}

int main(void)
{
    dir = new_dir();
    cfg = config_of(SETTINGS({ "glance_store", "stores", "file" },
                             { "glance_store", "filesystem_store_datadir", dir }));
    MUST(OK(gs_registry_open(cfg, &reg, ERR)));
    store = default_store(reg);
    token = gs_cancel_new();
    uri = add_bytes(store, "image", "abc", 3);
    MUST(OK(gs_copy(store, "copy", store, uri, NULL, &image, ERR)));
    MUST(OK(gs_reader_open(store, uri, NULL, &reader, ERR)));
    MUST(OK(gs_location_parse(reg, store, uri, &location, ERR)));
    const char *before = listing(dir);

    in_child("inherited handles", inherited_handles);
    in_child("*_free of inherited handles", inherited_frees);
    in_child("a configuration made before", inherited_config);
    in_child("a token made before", inherited_token);
    in_child("a child of the child", grandchild);
    CHECK_STR(before, listing(dir));
    in_child("a registry of its own", own_registry);
    check_context("the parent afterwards");
    check_image(store, text("file://%s/child", dir), "from the child", 14);
    OK(gs_delete(store, text("file://%s/child", dir), NULL, ERR));
    cancel_in_child();
    after_a_closed_registry();

    check_context("the parent afterwards");
    uint8_t byte;
    size_t  count;
    OK(gs_reader_pread(reader, &byte, 1, 2, &count, ERR));
    CHECK_INT('c', byte);
    check_image(store, uri, "abc", 3);
    CHECK_STR(before, listing(dir));
    inherited_frees();
    return check_result();
}
