/* Processes that are killed while they remove an image, or stopped while they add one: nobody else is harmed, and
 * adding and deleting the id again leaves nothing. */
#include "gate.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEN = 5000, TRIES = 300 };

static gs_registry *reg;
static gs_store    *store;
static uint8_t     *data;

static void check_nothing_is_left(void)
{
    CHECK_STR("", objects());
    CHECK_STR("", output("glance trash ls images"));
}

/* Who stops for so long that he is taken for dead does no harm when he goes on. */
static void stopped_adders(void)
{
    static const char *const features[] = { "1", "61" };
    enum { COUNT = sizeof features / sizeof *features };
    struct adder adders[COUNT];
    size_t       len = 8 * MiB;
    uint8_t     *large = new_data(len, RANDOM_DATA);
    for (int i = 0; i < COUNT; i++) {
        const char *conf = conf_with(text("features%d", i), text("s/^\\[global\\]/&\\nrbd_default_features = %s/", features[i]));
        adders[i] = start_adder(text("stopped%d", i), conf, large, len, len / 2);
        kill(adders[i].pid, SIGSTOP);
    }
    for (int i = 0; i < COUNT; i++) {
        const char *id = text("stopped%d", i);
        check_context("an add that was stopped, features %s", features[i]);
        while (RETURNS(add(store, id, data, LEN, true)) == GS_DUPLICATE)
            usleep(100000);
        check_image(store, uri_of(id), data, LEN);
        kill(adders[i].pid, SIGCONT);
        MUST(write(adders[i].tells, "x", 1) == 1);
        CHECK_INT(0, end_of(adders[i]));
        check_image(store, uri_of(id), data, LEN);
        OK(gs_delete(store, uri_of(id), NULL, ERR));
    }
    check_nothing_is_left();
    free(large);
}

/* With many objects, removed one after another: removing it takes a while. */
static const char *slow_conf(void)
{
    return conf_with("slow", "s/^\\[global\\]/&\\nrbd_concurrent_management_ops = 1/");
}

static void add_large(const char *id, gs_store *to)
{
    enum { OBJECTS = 400 };
    const char *path = text("%s/large", new_dir());
    gs_image   *image = NULL;
    FILE       *file = fopen(path, "w+");
    MUST(file != NULL && ftruncate(fileno(file), (off_t)OBJECTS * MiB) == 0);
    for (off_t i = 0; i < OBJECTS; i++)
        MUST(pwrite(fileno(file), "x", 1, i * MiB) == 1);
    MUST(OK(gs_add_fd(to, id, (uint64_t)OBJECTS * MiB, fileno(file), NULL, &image, ERR)));
    gs_image_free(image);
    fclose(file);
}

static pid_t start_delete(const char *id)
{
    int   ready[2];
    char  byte;
    pid_t child;
    MUST(pipe(ready) == 0);
    child = fork();
    MUST(child >= 0);
    if (child == 0) {
        uint64_t     size;
        gs_registry *own = rbd_registry("rbd_store_ceph_conf", slow_conf(), NULL);
        check_forget();
        OK(gs_get_size(default_store(own), uri_of(id), NULL, &size, ERR));
        MUST(write(ready[1], "x", 1) == 1);
        _exit(RETURNS(gs_delete(default_store(own), uri_of(id), NULL, ERR)) != GS_OK);
    }
    MUST(read(ready[0], &byte, 1) == 1);
    close(ready[0]), close(ready[1]);
    return child;
}

/* What there was of the id goes by no more than adding and deleting it. */
static void check_is_reclaimed(const char *id)
{
    gs_status status = GS_IN_USE;
    for (int i = 0; i < TRIES && status != GS_OK && status != GS_NOT_FOUND; i++, usleep(100000))
        status = RETURNS(gs_delete(store, text("rbd://%s", id), NULL, ERR));
    CHECK(status == GS_OK || status == GS_NOT_FOUND);
    for (int i = 0; i < TRIES && strstr(output("glance trash ls images"), id); i++, usleep(100000)) {
        MUST(OK(add(store, id, data, LEN, true)));
        OK(gs_delete(store, uri_of(id), NULL, ERR));
    }
    MUST(OK(add(store, id, data, LEN, true)));
    check_image(store, uri_of(id), data, LEN);
    OK(gs_delete(store, uri_of(id), NULL, ERR));
}

/* At the moment when the image has no name any more, and at some others. */
static void kill_deletes(const char *ids[], int count)
{
    uint64_t     size;
    gs_registry *thin = rbd_registry("rbd_thin_provisioning", "true", NULL);
    for (int i = 0; i < count; i++) {
        ids[i] = text("deleted%d", i);
        add_large(ids[i], default_store(thin));
        pid_t child = start_delete(ids[i]);
        check_context("a delete that is killed, %d", i);
        if (i > 0)
            usleep((useconds_t)i * 8000);
        else
            while (RETURNS(gs_get_size(store, uri_of(ids[0]), NULL, &size, ERR)) != GS_NOT_FOUND)
                ;
        kill(child, SIGKILL);
        wait_for(child);
    }
    gs_registry_free(thin);
}

/* Adds whose source fails, killed while they clean up. */
static void kill_aborts(const char *ids[], int count)
{
    size_t   len = 32 * MiB;
    uint8_t *large = new_data(len, RANDOM_DATA);
    for (int i = 0; i < count; i++) {
        ids[i] = text("aborted%d", i);
        struct adder adder = start_adder(ids[i], slow_conf(), large, len, len / 2);
        close(adder.tells);
        usleep((useconds_t)i * 8000);
        kill(adder.pid, SIGKILL);
        close(adder.hears);
        wait_for(adder.pid);
    }
    free(large);
}

static void killed_removals(void)
{
    enum { DELETES = 4, ABORTS = 3 };
    const char *ids[DELETES + ABORTS];
    kill_deletes(ids, DELETES);
    kill_aborts(ids + DELETES, ABORTS);
    for (int i = 0; i < DELETES + ABORTS; i++) {
        check_context("what was killed in its removal: %s", ids[i]);
        check_is_reclaimed(ids[i]);
    }
    check_nothing_is_left();
}

int main(void)
{
    data = new_data(LEN, RANDOM_DATA);
    reg = rbd_registry(NULL);
    store = default_store(reg);
    stopped_adders();
    killed_removals();
    gs_registry_free(reg);
    free(data);
    return check_result();
}
