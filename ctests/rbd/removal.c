/* Deleting: snapshots, clones of both kinds, users, trash, and what a killed process left. */
#include "cluster.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static gs_registry *reg;
static gs_store    *store;
static uint8_t     *data;
enum { LEN = 3 * MiB + 5 };

static void add_image(const char *id)
{
    MUST(OK(add(store, id, data, LEN, true)));
}

static bool is_protected(const char *id)
{
    return strstr(without_blanks(output("glance snap ls --format json images/%s", id)), "\"protected\":\"true\"") != NULL;
}

/* ---- Snapshots ---------------------------------------------------------------- */

static void snapshots(void)
{
    static const char *const changes[] = {
        "true",
        "glance snap unprotect images/im@snap",
        "glance snap unprotect images/im@snap; glance snap rm --no-progress images/im@snap",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        for (int is_short = 0; is_short < 2; is_short++) {
            const char *uri = is_short ? "rbd://im" : uri_of("im");
            check_context("%s deleted after: %s", uri, changes[i]);
            add_image("im");
            output("%s", changes[i]);
            OK(gs_delete(store, uri, NULL, ERR));
            FAILS(GS_NOT_FOUND, gs_delete(store, uri, NULL, ERR));
            CHECK_STR("", objects());
            CHECK_STR("", output("glance trash ls images"));
        }
}

/* What has snapshots of others goes to the trash, as with the reference; its name is free. */
static void other_snapshots(void)
{
    add_image("im");
    output("glance snap create images/im@mine 2>/dev/null");
    check_context("an image with a snapshot of its owner's");
    OK(gs_delete(store, uri_of("im"), NULL, ERR));
    CHECK_HAS("im", output("glance trash ls images"));
    FAILS(GS_NOT_FOUND, gs_delete(store, uri_of("im"), NULL, ERR));
    add_image("im");
    check_image(store, uri_of("im"), data, LEN);
    OK(gs_delete(store, uri_of("im"), NULL, ERR));
    output("id=$(glance trash ls images | cut -d' ' -f1); glance snap purge --no-progress --pool images --image-id $id; "
           "glance trash rm --no-progress images/$id");
    CHECK_STR("", objects());
}

/* ---- Clones ------------------------------------------------------------------- */

static void clones_of_the_first_kind(void)
{
    add_image("im");
    output("cinder clone images/im@snap volumes/child --rbd-default-clone-format 1");
    check_context("an image with a clone");
    for (int is_short = 0; is_short < 2; is_short++) {
        FAILS(GS_IN_USE, gs_delete(store, is_short ? "rbd://im" : uri_of("im"), NULL, ERR));
        CHECK_STR("InUseByStore", failure.name);
        CHECK_INT(EBUSY, failure.errnum);
        CHECK_HAS("snap", failure.message);
        CHECK(is_protected("im"));
    }
    check_image(store, uri_of("im"), data, LEN);
    output("cinder rm --no-progress volumes/child");
    OK(gs_delete(store, uri_of("im"), NULL, ERR));
    CHECK_STR("", objects());
}

static void clones_of_the_second_kind(void)
{
    const char *path = text("%s/child", new_dir());
    output("ceph --conf %s osd set-require-min-compat-client mimic 2>/dev/null", ceph("CEPH_ADMIN_CONF"));
    add_image("im");
    output("cinder clone images/im@snap volumes/child --rbd-default-clone-format 2");
    check_context("an image with a clone that needs no protected snapshot");
    OK(gs_delete(store, uri_of("im"), NULL, ERR));
    CHECK_STR("", output("glance ls images"));
    CHECK_HAS("im", output("glance trash ls images"));
    output("cinder export --no-progress volumes/child %s", path);
    size_t   len;
    uint8_t *child = read_file(path, &len);
    CHECK_BYTES(data, LEN, child, len);
    free(child);
    output("cinder rm --no-progress volumes/child; glance trash rm --no-progress images/$(glance trash ls images | cut -d' ' -f1)");
    CHECK_STR("", objects());
}

/* ---- Users -------------------------------------------------------------------- */

static pid_t open_for_writing(const char *image)
{
    int   ready[2];
    char  byte;
    pid_t child;
    MUST(pipe(ready) == 0);
    child = fork();
    MUST(child >= 0);
    if (child == 0) {
        dup2(ready[1], 1);
        close(ready[0]), close(ready[1]);
        execl("/usr/bin/python3", "python3", "-c",
              "import sys, rados, rbd, time\n"
              "cluster = rados.Rados(rados_id='glance', conffile=sys.argv[1]); cluster.connect()\n"
              "image = rbd.Image(cluster.open_ioctx('images'), sys.argv[2])\n"
              "print(flush=True)\n"
              "time.sleep(600)\n",
              ceph("CEPH_GLANCE_CONF"), image, (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    do
        MUST(read(ready[0], &byte, 1) == 1);
    while (byte != '\n');
    close(ready[0]);
    return child;
}

static void users(void)
{
    add_image("im");
    pid_t user = open_for_writing("im");
    for (int is_short = 0; is_short < 2; is_short++) {
        check_context("an image that somebody has open, by its %s location", is_short ? "short" : "long");
        FAILS(GS_IN_USE, gs_delete(store, is_short ? "rbd://im" : uri_of("im"), NULL, ERR));
        CHECK_HAS("127.0.0.1", failure.message);
        CHECK(is_protected("im"));
    }
    check_image(store, uri_of("im"), data, LEN);
    kill(user, SIGKILL);
    wait_for(user);
    check_context("after its user was killed");
    while (RETURNS(gs_delete(store, uri_of("im"), NULL, ERR)) == GS_IN_USE)
        usleep(200000);
    check_absent(store, uri_of("im"));
    CHECK_STR("", objects());
}

/* Whoever reads an image does not keep it; nor does he take it for zeros, or for another of its name. */
struct deleting {
    struct sink sink;
    bool        again; /* whether there is a new image of its name then */
};

static void delete_it(bool again)
{
    OK(gs_delete(store, uri_of("read"), NULL, ERR));
    if (again)
        add_image("read");
}

static int delete_meanwhile(void *user, const uint8_t *piece, size_t len, uint64_t offset)
{
    struct deleting *deleting = user;
    if (offset == 0)
        delete_it(deleting->again);
    return sink_write(&deleting->sink, piece, len, offset);
}

static void read_meanwhile(const uint8_t *image, size_t len, bool again)
{
    struct deleting deleting = { .again = again };
    gs_reader      *reader = NULL;
    uint8_t         byte;
    size_t          count;
    check_context("an image that is deleted%s while it is read", again ? " and added again" : "");
    MUST(OK(add(store, "read", image, len, true)));
    FAILS(GS_NOT_FOUND, gs_get(store, uri_of("read"), delete_meanwhile, &deleting, NULL, ERR));
    CHECK_HAS("deleted while it was read", failure.message);
    sink_free(&deleting.sink);
    if (again)
        OK(gs_delete(store, uri_of("read"), NULL, ERR));
    MUST(OK(add(store, "read", image, len, true)));
    OK(gs_reader_open(store, uri_of("read"), NULL, &reader, ERR));
    delete_it(again);
    FAILS(GS_NOT_FOUND, gs_reader_pread(reader, &byte, 1, len - 1, &count, ERR));
    gs_reader_free(reader);
    if (again)
        OK(gs_delete(store, uri_of("read"), NULL, ERR));
    CHECK_STR("", objects());
}

static void readers(void)
{
    size_t   len = 70 * MiB;
    uint8_t *image = new_data(len, RANDOM_DATA);
    read_meanwhile(image, len, false);
    read_meanwhile(image, len, true);
    free(image);
}

/* ---- Killed processes ----------------------------------------------------------- */

static int64_t never_ending(void *user, uint8_t *buf, size_t len)
{
    size_t *told = user;
    *told += len;
    memset(buf, 1, len);
    if (*told > 20 * MiB) {
        MUST(write(3, "x", 1) == 1);
        pause();
    }
    return (int64_t)len;
}

static void killed_adds(void)
{
    int   ready[2];
    char  byte;
    MUST(pipe(ready) == 0);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        size_t       told = 0;
        gs_image    *image;
        gs_registry *own = rbd_registry(NULL);
        MUST(dup2(ready[1], 3) == 3);
        _exit(gs_add(default_store(own), "killed", GS_SIZE_UNKNOWN, never_ending, &told, NULL, &image, ERR) == GS_OK);
    }
    MUST(read(ready[0], &byte, 1) == 1);
    close(ready[0]), close(ready[1]);
    uint64_t size;
    check_context("an image that is being added");
    FAILS(GS_NOT_FOUND, gs_get_size(store, uri_of("killed"), NULL, &size, ERR));
    FAILS(GS_NOT_FOUND, gs_get_size(store, "rbd://killed", NULL, &size, ERR));
    FAILS(GS_DUPLICATE, add(store, "killed", data, LEN, true));
    CHECK_HAS("being added by 127.0.0.1", failure.message);
    FAILS(GS_IN_USE, gs_delete(store, uri_of("killed"), NULL, ERR));
    kill(child, SIGKILL);
    CHECK_INT(128 + SIGKILL, wait_for(child));
    check_context("an image whose add was killed");
    FAILS(GS_NOT_FOUND, gs_get_size(store, "rbd://killed", NULL, &size, ERR));
    while (RETURNS(add(store, "killed", data, LEN, true)) == GS_DUPLICATE)
        usleep(200000);
    check_image(store, uri_of("killed"), data, LEN);
    OK(gs_delete(store, uri_of("killed"), NULL, ERR));
    CHECK_STR("", objects());
}

int main(void)
{
    data = new_data(LEN, RANDOM_DATA);
    /* Before there are threads that a child would lack. */
    reg = rbd_registry(NULL);
    store = default_store(reg);
    killed_adds();
    snapshots();
    other_snapshots();
    clones_of_the_first_kind();
    clones_of_the_second_kind();
    users();
    readers();
    gs_registry_free(reg);
    free(data);
    return check_result();
}
