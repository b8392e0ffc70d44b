/* Processes that are killed, or stopped for long, between any two steps of an add or a delete: nobody else is
 * harmed, and adding or deleting the id again leaves nothing. */
#include "gate.h"
#include "steps.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEN = 5000, TRIES = 400 };

static gs_registry *reg;
static gs_store    *store;
static uint8_t     *data, *other;

static void check_nothing_is_left(void)
{
    CHECK_STR("", objects());
    CHECK_STR("", output("glance trash ls images"));
}

enum task { ADD, ABORT, DELETE };

static int64_t read_and_fail(void *user, uint8_t *buf, size_t len)
{
    int64_t count = source_read(user, buf, len);
    return count > 0 ? count : -1;
}

static gs_status run(gs_store *own, enum task task, const char *id)
{
    struct source source = { .data = data, .len = LEN };
    gs_image     *image = NULL;
    switch (task) {
    case ADD: return RETURNS(add(own, id, data, LEN, true));
    case ABORT: return RETURNS(gs_add(own, id, GS_SIZE_UNKNOWN, read_and_fail, &source, NULL, &image, ERR));
    default: return RETURNS(gs_delete(own, uri_of(id), NULL, ERR));
    }
}

/* Returns when the process has stopped there, and holds nothing up any more. */
static pid_t stopped(enum task task, const char *id, struct moment moment)
{
    int   status;
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        check_forget();
        gs_registry *own = rbd_registry(NULL);
        stop_at(moment);
        _exit(run(default_store(own), task, id));
    }
    MUST(waitpid(child, &status, WUNTRACED) == child);
    CHECK(WIFSTOPPED(status));
    MUST(succeeds("%s/end_locks.sh", ceph("CEPH_TESTS")));
    return child;
}

static gs_status add_at_last(const char *id, const uint8_t *image)
{
    gs_status status = GS_DUPLICATE;
    for (int i = 0; i < TRIES && status == GS_DUPLICATE; i++, usleep(100000))
        status = RETURNS(add(store, id, image, LEN, true));
    return status;
}

static gs_status delete_at_last(const char *uri)
{
    gs_status status = GS_IN_USE;
    for (int i = 0; i < TRIES && status == GS_IN_USE; i++, usleep(100000))
        status = RETURNS(gs_delete(store, uri, NULL, ERR));
    return status;
}

/* ---- Killed ---------------------------------------------------------------------- */

static const struct kill_row { enum task task; struct moment moment; bool whole; } kills[] = {
    { ADD, { "rbd_create4", true }, false },
    { ADD, { "rbd_open", true }, false },
    { ADD, { "rbd_metadata_set", true }, false },
    { ADD, { "rbd_resize", true }, false },
    { ADD, { "rbd_snap_create", true }, false },
    { ADD, { "rbd_snap_protect", true }, false },
    { ADD, { "rbd_metadata_remove", true }, true },
    { ABORT, { "rbd_trash_move", false }, false },
    { ABORT, { "rbd_trash_remove", false }, false },
    { DELETE, { "rbd_snap_unprotect", true }, true },
    { DELETE, { "rbd_metadata_set", true }, false },
    { DELETE, { "rbd_trash_move", true }, false },
    { DELETE, { "rbd_snap_remove", true }, false },
    { DELETE, { "rbd_trash_remove", true }, false },
};
enum { KILLS = sizeof kills / sizeof *kills };

static const char *killed_id(int i, bool adds)
{
    return text("killed%d-%s", i, adds ? "add" : "delete");
}

static void kill_all(void)
{
    for (int i = 0; i < 2 * KILLS; i++) {
        const struct kill_row *row = &kills[i / 2];
        const char            *id = killed_id(i / 2, i % 2);
        check_context("a process that is to be killed %s %s, %s", row->moment.after ? "after" : "before", row->moment.function, id);
        if (row->task == DELETE)
            MUST(OK(add(store, id, data, LEN, true)));
        pid_t child = stopped(row->task, id, row->moment);
        kill(child, SIGKILL);
        CHECK_INT(128 + SIGKILL, wait_for(child));
    }
}

/* No more is done about the id than adding it, or deleting it. */
static void check_is_reclaimed(const char *id, bool whole, bool adds)
{
    uint64_t size;
    if (whole) {
        check_image(store, uri_of(id), data, LEN);
        FAILS(GS_DUPLICATE, add(store, id, other, LEN, true));
    } else {
        FAILS(GS_NOT_FOUND, gs_get_size(store, text("rbd://%s", id), NULL, &size, ERR));
    }
    if (adds && !whole) {
        MUST(add_at_last(id, other) == GS_OK);
        check_image(store, uri_of(id), other, LEN);
    }
    gs_status status = delete_at_last(text("rbd://%s", id));
    CHECK(status == GS_OK || (status == GS_NOT_FOUND && !whole && !adds));
    for (int i = 0; i < TRIES && strstr(output("glance trash ls images"), id); i++, usleep(100000))
        run(store, adds ? ABORT : DELETE, id);
    CHECK_LACKS(id, output("glance trash ls images"));
}

static void killed(void)
{
    for (int i = 0; i < 2 * KILLS; i++) {
        const struct kill_row *row = &kills[i / 2];
        check_context("killed %s %s: %s", row->moment.after ? "after" : "before", row->moment.function, killed_id(i / 2, i % 2));
        check_is_reclaimed(killed_id(i / 2, i % 2), row->whole, i % 2);
    }
}

/* ---- Stopped, for so long that others take what it has begun -------------------------- */

/* Not before an image is marked: the mark makes a header again where the image has gone meanwhile. */
static const struct stop_row { enum task task; struct moment moment; } stops[] = {
    { ADD, { "rbd_create4", true } },
    { ADD, { "rbd_open", true } },
    { ADD, { "rbd_resize", false } },
    { ADD, { "rbd_snap_create", false } },
    { ADD, { "rbd_metadata_remove", false } },
    { ABORT, { "rbd_trash_move", false } },
    { DELETE, { "rbd_snap_unprotect", false } },
    { DELETE, { "rbd_metadata_set", false } },
    { DELETE, { "rbd_trash_move", false } },
    { DELETE, { "rbd_trash_remove", false } },
};
enum { STOPS = sizeof stops / sizeof *stops };

static const char *stopped_id(int i)
{
    return text("stopped%d", i);
}

static void stop_all(pid_t children[])
{
    for (int i = 0; i < STOPS; i++) {
        check_context("a process that is to stop %s %s", stops[i].moment.after ? "after" : "before", stops[i].moment.function);
        if (stops[i].task == DELETE)
            MUST(OK(add(store, stopped_id(i), data, LEN, true)));
        children[i] = stopped(stops[i].task, stopped_id(i), stops[i].moment);
    }
}

/* The image of another is whole while it is stopped, and stays so when it goes on. */
static void go_on(pid_t child, int i)
{
    const char *id = stopped_id(i), *uri = uri_of(id);
    gs_status   status = delete_at_last(uri);
    check_context("a process that went on %s %s", stops[i].moment.after ? "after" : "before", stops[i].moment.function);
    CHECK(status == GS_OK || status == GS_NOT_FOUND);
    MUST(add_at_last(id, other) == GS_OK);
    check_image(store, uri, other, LEN);
    kill(child, SIGCONT);
    CHECK((wait_for(child) == GS_OK) == (stops[i].task == DELETE && strcmp(stops[i].moment.function, "rbd_trash_remove") == 0));
    check_image(store, uri, other, LEN);
    OK(gs_delete(store, uri, NULL, ERR));
}

/* ---- Somebody who is not seen for a moment ---------------------------------------------- */

static void unseen_adder(void)
{
    struct adder adder = start_adder("unseen", ceph("CEPH_GLANCE_CONF"), data, LEN, LEN / 2);
    check_context("who adds an image and just renews its watch");
    hide_watchers_once();
    FAILS(GS_DUPLICATE, add(store, "unseen", other, LEN, true));
    hide_watchers_once();
    FAILS(GS_IN_USE, gs_delete(store, uri_of("unseen"), NULL, ERR));
    MUST(write(adder.tells, "x", 1) == 1);
    CHECK_INT(1, end_of(adder));
    check_image(store, uri_of("unseen"), data, LEN);
    OK(gs_delete(store, uri_of("unseen"), NULL, ERR));
}

int main(void)
{
    pid_t children[STOPS];
    data = new_data(LEN, RANDOM_DATA);
    other = new_data(LEN, RANDOM_DATA);
    reg = rbd_registry(NULL);
    store = default_store(reg);
    kill_all();
    stop_all(children);
    unseen_adder();
    killed();
    for (int i = 0; i < STOPS; i++)
        go_on(children[i], i);
    check_nothing_is_left();
    gs_registry_free(reg);
    free(data);
    free(other);
    return check_result();
}
