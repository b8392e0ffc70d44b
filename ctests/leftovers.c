/* What a killed process leaves: nothing where the file system has unnamed files;
 * elsewhere a .gs-*.part file, which the next registry removes, unless a living
 * process still writes it. */
#include "testing.h"

#include <dirent.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *dir;
static uint8_t    *data;
static size_t      len;

/* The name of the only .gs-*.part file; NULL: there is none. */
static const char *part_file(void)
{
    const char *found = NULL;
    DIR        *entries = opendir(dir);
    MUST(entries != NULL);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        if (fnmatch(".gs-*.part", entry->d_name, 0) == 0) {
            CHECK(found == NULL);
            found = text("%s", entry->d_name);
        }
    closedir(entries);
    return found;
}

static int64_t read_and_die(void *user, uint8_t *buf, size_t size)
{
    struct source *source = user;
    if (source->at > len / 2)
        raise(SIGKILL);
    return source_read(source, buf, size);
}

static void killed_in_mid_add(void)
{
    fflush(NULL);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        struct source source = { .data = data, .len = len, .piece = 4096 };
        gs_image     *image = NULL;
        check_forget();
        gs_registry  *reg = file_registry(dir);
        (void)!gs_add(default_store(reg), "killed", len, read_and_die, &source, NULL, &image, NULL);
        _exit(1);
    }
    CHECK_INT(128 + SIGKILL, wait_for(child));
}

static void with_unnamed_files(void)
{
    check_context("killed while writing an unnamed file");
    killed_in_mid_add();
    CHECK_STR("", listing(dir));
}

/* ---- Named files ------------------------------------------------------------------ */

static void removed_at_the_next_open(void)
{
    check_context("killed while writing a named file");
    killed_in_mid_add();
    CHECK(part_file() != NULL);
    CHECK(!exists(text("%s/killed", dir)));
    gs_registry_free(file_registry(dir));
    CHECK_STR("", listing(dir));
}

/* Registries that open while an add is at work: in this process, in another. */
struct watched { struct source source; const char *part; };

static int64_t read_while_others_open(void *user, uint8_t *buf, size_t size)
{
    struct watched *watched = user;
    if (watched->source.calls == 1) {
        watched->part = part_file();
        CHECK(watched->part != NULL);
        CHECK(!exists(text("%s/alive", dir)));
        gs_registry_free(file_registry(dir));
        CHECK(part_file() != NULL);
        fflush(NULL);
        pid_t child = fork();
        MUST(child >= 0);
        if (child == 0) {
            check_forget();
            gs_registry_free(file_registry(dir));
            _exit(check_result());
        }
        CHECK_INT(0, wait_for(child));
        CHECK(part_file() != NULL);
    }
    return source_read(&watched->source, buf, size);
}

static const char *survives_while_written(void)
{
    struct watched watched = { .source = { .data = data, .len = len, .piece = len / 3 } };
    gs_registry   *reg = file_registry(dir);
    gs_image      *image = NULL;
    check_context("a part file that a living process writes");
    OK(gs_add(default_store(reg), "alive", len, read_while_others_open, &watched, NULL, &image, ERR));
    CHECK(part_file() == NULL);
    check_image(default_store(reg), text("file://%s/alive", dir), data, len);
    OK(gs_delete(default_store(reg), text("file://%s/alive", dir), NULL, ERR));
    CHECK_STR("", listing(dir));
    gs_image_free(image);
    gs_registry_free(reg);
    return watched.part;
}

static int64_t read_and_fail(void *user, uint8_t *buf, size_t size)
{
    struct source *source = user;
    return source->at > len / 2 ? -5 : source_read(source, buf, size);
}

static void failures_leave_nothing(void)
{
    struct source source = { .data = data, .len = len, .piece = 4096 };
    gs_registry  *reg = file_registry(dir);
    gs_image     *image = NULL;
    check_context("failures with named files");
    FAILS(GS_CALLBACK, gs_add(default_store(reg), "failed", len, read_and_fail, &source, NULL, &image, ERR));
    CHECK_STR("", listing(dir));
    source.at = 0;
    FAILS(GS_SIZE_MISMATCH, gs_add(default_store(reg), "failed", len - 1, source_read, &source, NULL, &image, ERR));
    CHECK_STR("", listing(dir));
    source.at = 0;
    const char *uri = add_bytes(default_store(reg), "taken", "abc", 3);
    FAILS(GS_DUPLICATE, gs_add(default_store(reg), "taken", len, source_read, &source, NULL, &image, ERR));
    check_image(default_store(reg), uri, "abc", 3);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    CHECK_STR("", listing(dir));
    gs_registry_free(reg);
}

/* 16 adds of one id: the link at the end decides here too. */
static pthread_barrier_t all_are_reading;

struct rival { pthread_t thread; struct source source; gs_status status; };

static int64_t read_together(void *user, uint8_t *buf, size_t size)
{
    struct rival *rival = user;
    if (rival->source.calls == 0)
        pthread_barrier_wait(&all_are_reading);
    return source_read(&rival->source, buf, size);
}

static gs_store *contested;

static void *compete(void *user)
{
    struct rival *rival = user;
    gs_image     *image = NULL;
    rival->status = RETURNS(gs_add(contested, "contested", len, read_together, rival, NULL, &image, ERR));
    gs_image_free(image);
    return NULL;
}

static void one_winner(void)
{
    enum { RIVALS = 16 };
    struct rival rivals[RIVALS];
    gs_registry *reg = file_registry(dir);
    int          winners = 0;
    check_context("%d adds of one id with named files", RIVALS);
    contested = default_store(reg);
    pthread_barrier_init(&all_are_reading, NULL, RIVALS);
    for (int i = 0; i < RIVALS; i++) {
        rivals[i] = (struct rival){ .source = { .data = data, .len = len } };
        rivals[i].thread = start(compete, &rivals[i]);
    }
    for (int i = 0; i < RIVALS; i++) {
        join(rivals[i].thread);
        winners += rivals[i].status == GS_OK;
        CHECK(rivals[i].status == GS_OK || rivals[i].status == GS_DUPLICATE);
    }
    CHECK_INT(1, winners);
    OK(gs_delete(contested, text("file://%s/contested", dir), NULL, ERR));
    CHECK_STR("", listing(dir));
    pthread_barrier_destroy(&all_are_reading);
    gs_registry_free(reg);
}

/* Only files of that name go, and only files. */
static void stale_and_foreign_files(const char *part)
{
    static const char *const foreign[] = { "gs-1234.part", "image.part", ".gs-", ".gs.part", ".part", ".gs-note", ".gs-x.parts", "a.gs-b.part" };
    const char *outside = new_dir();
    check_context("stale and foreign files");
    MUST(part != NULL);
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        write_file(text("%s/%s", dir, foreign[i]), "abc", 3);
    write_file(text("%s/target", outside), "abc", 3);
    const char *before = listing(dir);

    write_file(text("%s/%s", dir, part), "stale", 5);
    gs_registry_free(file_registry(dir));
    CHECK_STR(before, listing(dir));

    /* A directory or a link of that name is not what a killed process leaves. */
    MUST(mkdir(text("%s/%s", dir, part), 0700) == 0);
    write_file(text("%s/%s/inside", dir, part), "abc", 3);
    gs_registry_free(file_registry(dir));
    CHECK(exists(text("%s/%s/inside", dir, part)));
    MUST(unlink(text("%s/%s/inside", dir, part)) == 0 && rmdir(text("%s/%s", dir, part)) == 0);
    MUST(symlink(text("%s/target", outside), text("%s/%s", dir, part)) == 0);
    gs_registry_free(file_registry(dir));
    CHECK_SIZE(3, file_size(text("%s/target", outside)));
    unlink(text("%s/%s", dir, part));
}

int main(void)
{
    len = small_run() ? 100 * KiB : 2 * MiB;
    data = new_data(len, RANDOM_DATA);
    dir = new_dir();

    with_unnamed_files();
    forbid_unnamed_files();
    removed_at_the_next_open();
    failures_leave_nothing();
    one_winner();
    stale_and_foreign_files(survives_while_written());
    free(data);
    return check_result();
}
