/* An id is taken once: the second add of it is GS_DUPLICATE and the first image
 * stays; of many adds at the same time exactly one wins, and wholly. */
#include "testing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RIVALS = 16 };

static const char *dir;
static gs_store   *store;
static size_t      image_len;

static void second_add(void)
{
    static const uint64_t sizes[] = { GS_SIZE_UNKNOWN, 15, 3, 0 };
    const char           *uri = add_bytes(store, "image", "abc", 3);
    const char           *before = listing(dir);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct source source = { .data = (const uint8_t *)"nevergonnamakeit", .len = 15 };
        gs_image     *image = NULL;
        check_context("second add, size %llu", (unsigned long long)sizes[i]);
        FAILS(GS_DUPLICATE, gs_add(store, "image", sizes[i], source_read, &source, NULL, &image, ERR));
        CHECK_HAS("image", failure.message);
        CHECK_INT(0, source.calls);
        FAILS(GS_DUPLICATE, gs_add_fd(store, "image", sizes[i], 0, NULL, &image, ERR));
        FAILS(GS_DUPLICATE, gs_copy(store, "image", store, uri, NULL, &image, ERR));
        CHECK(image == NULL);
        CHECK_STR(before, listing(dir));
        check_image(store, uri, "abc", 3);
    }
    OK(gs_delete(store, uri, NULL, ERR));
    add_bytes(store, "image", "again", 5);
    check_image(store, uri, "again", 5);
    OK(gs_delete(store, uri, NULL, ERR));
}

static pthread_barrier_t all_are_reading;

struct rival {
    pthread_t     thread;
    struct source source;
    gs_status     status;
};

/* Nobody goes on before everybody is in the middle of an add. */
static int64_t read_together(void *user, uint8_t *buf, size_t len)
{
    struct rival *rival = user;
    if (rival->source.calls == 0)
        pthread_barrier_wait(&all_are_reading);
    return source_read(&rival->source, buf, len);
}

static void *compete(void *user)
{
    struct rival *rival = user;
    gs_image     *image = NULL;
    rival->status = RETURNS(gs_add(store, "contested", image_len, read_together, rival, NULL, &image, ERR));
    CHECK((rival->status == GS_OK) == (image != NULL));
    gs_image_free(image);
    return NULL;
}

static void race(void)
{
    struct rival rivals[RIVALS];
    const char  *uri = text("file://%s/contested", dir);
    int          winner = -1;
    check_context("%d adds of one id", RIVALS);
    pthread_barrier_init(&all_are_reading, NULL, RIVALS);
    for (int i = 0; i < RIVALS; i++) {
        uint8_t *data = malloc(image_len);
        MUST(data != NULL);
        memset(data, 'a' + i, image_len);
        rivals[i] = (struct rival){ .source = { .data = data, .len = image_len, .piece = 4096 } };
        rivals[i].thread = start(compete, &rivals[i]);
    }
    for (int i = 0; i < RIVALS; i++) {
        join(rivals[i].thread);
        if (rivals[i].status == GS_OK) {
            CHECK_INT(-1, winner);
            winner = i;
        } else {
            CHECK_STR("GS_DUPLICATE", status_name(rivals[i].status));
        }
    }
    if (CHECK(winner >= 0)) {
        check_image(store, uri, rivals[winner].source.data, image_len);
        OK(gs_delete(store, uri, NULL, ERR));
    }
    for (int i = 0; i < RIVALS; i++)
        free((void *)rivals[i].source.data);
    pthread_barrier_destroy(&all_are_reading);
    CHECK_STR("", listing(dir));
}

/* The id may already be there in another shape. */
static void other_things_in_the_way(void)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    check_context("a directory in the way");
    MUST(mkdir(text("%s/thing", dir), 0700) == 0);
    FAILS(GS_DUPLICATE, gs_add(store, "thing", 3, source_read, &source, NULL, &image, ERR));
    MUST(rmdir(text("%s/thing", dir)) == 0);

    check_context("a dangling symlink in the way");
    MUST(symlink("nowhere", text("%s/thing", dir)) == 0);
    FAILS(GS_DUPLICATE, gs_add(store, "thing", 3, source_read, &source, NULL, &image, ERR));
    CHECK(!exists(text("%s/nowhere", dir)));
    MUST(unlink(text("%s/thing", dir)) == 0);
    CHECK_STR("", listing(dir));
}

int main(void)
{
    image_len = small_run() ? 40 * KiB : MiB;
    dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);

    second_add();
    for (int round = 0; round < (small_run() ? 2 : 10); round++)
        race();
    other_things_in_the_way();

    gs_registry_free(reg);
    return check_result();
}
