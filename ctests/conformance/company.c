/* Many at once: each gets its own image, and of several adds of one id one wins. */
#include "backend.h"

#include <stdlib.h>

enum { WORKERS = 4 };

struct worker {
    pthread_t   thread;
    const char *id, *uri;
    uint8_t    *data;
    size_t      len;
    gs_status   status;
};

static void *add_and_read(void *user)
{
    struct worker *worker = user;
    check_context("a worker with %zu bytes", worker->len);
    const char *uri = add_bytes(store, worker->id, worker->data, worker->len);
    check_image(store, uri, worker->data, worker->len);
    OK(gs_delete(store, uri, NULL, ERR));
    return NULL;
}

static void *try_to_add(void *user)
{
    struct worker *worker = user;
    struct source  source = { .data = worker->data, .len = worker->len };
    gs_image      *image = NULL;
    gs_image_info  info = GS_IMAGE_INFO_INIT;
    check_context("a rival with %zu bytes", worker->len);
    worker->status = RETURNS(gs_add(store, worker->id, worker->len, source_read, &source, NULL, &image, ERR));
    gs_image_get_info(image, &info);
    if (worker->status == GS_OK)
        worker->uri = text("%s", info.uri);
    gs_image_free(image);
    return NULL;
}

static void run(struct worker *workers, void *(*function)(void *))
{
    for (int i = 0; i < WORKERS; i++)
        workers[i].thread = start(function, &workers[i]);
    for (int i = 0; i < WORKERS; i++)
        join(workers[i].thread);
}

static void side_by_side(struct worker *workers, const char *before)
{
    for (int i = 0; i < WORKERS; i++)
        workers[i].id = new_id();
    run(workers, add_and_read);
    check_context("after the workers");
    CHECK_STR(before, holdings());
}

static void rivals(struct worker *workers, const char *before)
{
    const char    *id = new_id();
    struct worker *winner = NULL;
    for (int i = 0; i < WORKERS; i++)
        workers[i].id = id;
    run(workers, try_to_add);
    check_context("after the rivals");
    for (int i = 0; i < WORKERS; i++) {
        CHECK(workers[i].status == GS_OK || workers[i].status == GS_DUPLICATE);
        CHECK(workers[i].status != GS_OK || winner == NULL);
        if (workers[i].status == GS_OK)
            winner = &workers[i];
    }
    MUST(winner != NULL);
    check_image(store, winner->uri, winner->data, winner->len);
    remove_image(winner->uri, before);
}

void check_company(void)
{
    struct worker workers[WORKERS] = { 0 };
    const char   *before = holdings();
    for (int i = 0; i < WORKERS; i++) {
        workers[i].len = (size_t)i * unit + 7;
        workers[i].data = new_data(workers[i].len, RANDOM_DATA);
    }
    side_by_side(workers, before);
    rivals(workers, before);
    for (int i = 0; i < WORKERS; i++)
        free(workers[i].data);
}
