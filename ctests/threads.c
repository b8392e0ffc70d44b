/* 64 threads share one registry, one store and one reader, each with images of
 * its own and one that all read. A registry freed by one thread lets the call of
 * another finish. */
#include "testing.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 64 };

static const char  *dir, *shared_uri;
static gs_registry *reg;
static gs_reader   *shared_reader;
static uint8_t     *shared_data;
static size_t       shared_len;
static int          rounds;

static void read_shared(unsigned seed)
{
    uint8_t  buf[1000];
    uint64_t offset = seed * 7919u % shared_len;
    size_t   count = 0, expected = shared_len - offset < sizeof buf ? shared_len - offset : sizeof buf;
    OK(gs_reader_pread(shared_reader, buf, sizeof buf, offset, &count, ERR));
    CHECK_BYTES(shared_data + offset, expected, buf, count);
    CHECK_SIZE(shared_len, gs_reader_size(shared_reader));
}

static void *work(void *user)
{
    unsigned  number = (unsigned)(uintptr_t)user;
    gs_store *store = gs_registry_get(reg, "file");
    check_context("thread %u", number);
    for (int round = 0; round < rounds; round++) {
        const char *content = repeated((char)('0' + number), 100 + number * 97);
        const char *uri = add_bytes(store, text("image-%u", number), content, strlen(content));
        gs_store   *found = NULL;
        OK(gs_registry_resolve(reg, uri, &found, ERR));
        CHECK(found == store);
        check_image(store, uri, content, strlen(content));
        read_shared(number * 100 + (unsigned)round);
        OK(gs_delete(store, uri, NULL, ERR));
        check_absent(store, uri);
        check_image(store, shared_uri, shared_data, shared_len);
    }
    return NULL;
}

static void many_threads(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        threads[i] = start(work, (void *)i);
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
}

/* ---- A registry freed by another thread ---------------------------------- */

struct running {
    gs_store     *store;
    struct source source;
    sem_t         inside, go_on;
};

static int64_t read_when_told(void *user, uint8_t *buf, size_t len)
{
    struct running *running = user;
    if (running->source.calls == 0) {
        sem_post(&running->inside);
        while (sem_wait(&running->go_on) != 0)
            continue;
    }
    return source_read(&running->source, buf, len);
}

static void *add_slowly(void *user)
{
    struct running *running = user;
    gs_image       *image = NULL;
    gs_image_info   info = GS_IMAGE_INFO_INIT;
    check_context("an add whose registry another thread frees");
    OK(gs_add(running->store, "slow", running->source.len, read_when_told, running, NULL, &image, ERR));
    gs_image_get_info(image, &info);
    CHECK_STR(text("file://%s/slow", dir), info.uri);
    gs_image_free(image);
    return NULL;
}

static void freed_while_running(void)
{
    gs_registry   *other = file_registry(dir);
    struct running running = { .store = default_store(other), .source = { .data = shared_data, .len = shared_len } };
    sem_init(&running.inside, 0, 0);
    sem_init(&running.go_on, 0, 0);
    pthread_t thread = start(add_slowly, &running);
    while (sem_wait(&running.inside) != 0)
        continue;
    gs_registry_free(other);
    sem_post(&running.go_on);
    join(thread);
    check_context("the image of that add");
    check_image(gs_registry_get(reg, "file"), text("file://%s/slow", dir), shared_data, shared_len);
    OK(gs_delete(gs_registry_get(reg, "file"), text("file://%s/slow", dir), NULL, ERR));
}

/* Readers and images outlive the registry that they came from. */
static void handles_outlive_registry(void)
{
    gs_registry  *other = file_registry(dir);
    gs_store     *store = default_store(other);
    gs_reader    *reader = NULL;
    gs_image     *image = NULL;
    gs_location  *location = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_location_info where = GS_LOCATION_INFO_INIT;
    uint8_t       byte;
    size_t        count;
    check_context("handles after their registry");
    OK(gs_copy(store, "copy", store, shared_uri, NULL, &image, ERR));
    OK(gs_reader_open(store, shared_uri, NULL, &reader, ERR));
    OK(gs_location_parse(other, store, shared_uri, &location, ERR));
    gs_registry_free(other);
    OK(gs_reader_pread(reader, &byte, 1, 5, &count, ERR));
    CHECK_INT(shared_data[5], byte);
    gs_image_get_info(image, &info);
    CHECK_STR(text("file://%s/copy", dir), info.uri);
    gs_location_get_info(location, &where);
    CHECK_STR(shared_uri, where.uri);
    OK(gs_delete(gs_registry_get(reg, "file"), info.uri, NULL, ERR));
    gs_reader_free(reader);
    gs_image_free(image);
    gs_location_free(location);
}

/* Registries come and go in many threads at once. */
static void *open_and_close(void *user)
{
    (void)user;
    for (int round = 0; round < rounds; round++) {
        gs_registry *mine = file_registry(dir);
        check_image(default_store(mine), shared_uri, shared_data, shared_len);
        gs_registry_free(mine);
    }
    return NULL;
}

static void many_registries(void)
{
    pthread_t threads[16];
    check_context("many registries");
    for (int i = 0; i < 16; i++)
        threads[i] = start(open_and_close, NULL);
    for (int i = 0; i < 16; i++)
        join(threads[i]);
}

int main(void)
{
    rounds = small_run() ? 1 : 10;
    shared_len = small_run() ? 20000 : 300000;
    shared_data = new_data(shared_len, RANDOM_DATA);
    dir = new_dir();
    reg = file_registry(dir);
    shared_uri = add_bytes(default_store(reg), "shared", shared_data, shared_len);
    MUST(OK(gs_reader_open(default_store(reg), shared_uri, NULL, &shared_reader, ERR)));
    const char *before = listing(dir);

    many_threads();
    freed_while_running();
    handles_outlive_registry();
    many_registries();

    CHECK_STR(before, listing(dir));
    gs_reader_free(shared_reader);
    gs_registry_free(reg);
    free(shared_data);
    return check_result();
}
