/* Several processes at once, and what one leaves that was killed or stopped: one add of an id wins, one delete,
 * a finished image is nobody's leftover, and nothing stays behind. */
#include "cluster.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORKERS = 3, LEN = 5000, TRIES = 300 };

enum task { ADD, DELETE, END };

/* What the processes share: all do their task with one id between two barriers. */
static struct shared {
    pthread_barrier_t begin, end;
    char              id[64];
    enum task         tasks[WORKERS];
    gs_status         statuses[WORKERS];
} *shared;

static pid_t workers[WORKERS];
static gs_registry *reg;
static gs_store    *store;

static unsigned rounds(unsigned count)
{
    return small_run() ? count / 4 : count;
}

/* What the worker of that number adds. */
static uint8_t *data_of(int number)
{
    static uint8_t data[LEN];
    memset(data, 'a' + number, sizeof data);
    return data;
}

static void work(int number)
{
    gs_registry *own = rbd_registry(NULL);
    for (;;) {
        pthread_barrier_wait(&shared->begin);
        enum task task = shared->tasks[number];
        if (task == END)
            break;
        shared->statuses[number] = task == ADD ? RETURNS(add(default_store(own), shared->id, data_of(number), LEN, true))
                                               : RETURNS(gs_delete(default_store(own), uri_of(shared->id), NULL, ERR));
        pthread_barrier_wait(&shared->end);
    }
    gs_registry_free(own);
    _exit(check_result());
}

/* Before this process has threads, which a child would lack. */
static void start_workers(void)
{
    pthread_barrierattr_t attributes;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(shared != MAP_FAILED);
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    MUST(pthread_barrier_init(&shared->begin, &attributes, WORKERS + 1) == 0);
    MUST(pthread_barrier_init(&shared->end, &attributes, WORKERS + 1) == 0);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = fork();
        MUST(workers[i] >= 0);
        if (workers[i] == 0)
            work(i);
    }
}

static void end_workers(void)
{
    for (int i = 0; i < WORKERS; i++)
        shared->tasks[i] = END;
    pthread_barrier_wait(&shared->begin);
    for (int i = 0; i < WORKERS; i++)
        CHECK_INT(0, wait_for(workers[i]));
}

/* All at once: the first `deletes` of them delete, the others add. */
static void run(const char *id, int deletes)
{
    MUST(strlen(id) < sizeof shared->id);
    strcpy(shared->id, id);
    for (int i = 0; i < WORKERS; i++)
        shared->tasks[i] = i < deletes ? DELETE : ADD;
    pthread_barrier_wait(&shared->begin);
    pthread_barrier_wait(&shared->end);
}

static int count_of(gs_status status)
{
    int count = 0;
    for (int i = 0; i < WORKERS; i++)
        count += shared->statuses[i] == status;
    return count;
}

/* Whose add succeeded. */
static int winner(void)
{
    for (int i = 0; i < WORKERS; i++)
        if (shared->tasks[i] == ADD && shared->statuses[i] == GS_OK)
            return i;
    return -1;
}

static void check_nothing_is_left(void)
{
    CHECK_STR("", objects());
    CHECK_STR("", output("glance trash ls images"));
}

/* ---- At the same moment ---------------------------------------------------------- */

static void adds(void)
{
    for (unsigned i = 0; i < rounds(80); i++) {
        check_context("%d adds at once, round %u", WORKERS, i);
        run("added", 0);
        CHECK_INT(1, count_of(GS_OK));
        CHECK_INT(WORKERS - 1, count_of(GS_DUPLICATE));
        if (winner() >= 0)
            check_image(store, uri_of("added"), data_of(winner()), LEN);
        OK(gs_delete(store, uri_of("added"), NULL, ERR));
    }
    check_nothing_is_left();
}

static void deletes(void)
{
    for (unsigned i = 0; i < rounds(60); i++) {
        check_context("%d deletes at once, round %u", WORKERS, i);
        MUST(OK(add(store, "deleted", data_of(0), LEN, true)));
        run("deleted", WORKERS);
        CHECK_INT(1, count_of(GS_OK));
        CHECK_INT(WORKERS - 1, count_of(GS_NOT_FOUND));
        check_absent(store, uri_of("deleted"));
    }
    check_nothing_is_left();
}

static void adds_and_a_delete(void)
{
    for (unsigned i = 0; i < rounds(60); i++) {
        check_context("adds and a delete at once, round %u", i);
        MUST(OK(add(store, "both", data_of(9), LEN, true)));
        run("both", 1);
        gs_status deleted = shared->statuses[0];
        CHECK(deleted == GS_OK);
        CHECK_INT(WORKERS, count_of(GS_OK) + count_of(GS_DUPLICATE));
        CHECK(count_of(GS_OK) <= 2);
        if (winner() >= 0) {
            check_image(store, uri_of("both"), data_of(winner()), LEN);
            OK(gs_delete(store, uri_of("both"), NULL, ERR));
        }
        check_absent(store, uri_of("both"));
    }
    check_nothing_is_left();
}

/* ---- Killed and stopped processes --------------------------------------------------- */

/* A source that tells, once so much was read, and then waits to be told. */
struct gate { struct source source; size_t at; int tells, told; };

static int64_t read_through(void *user, uint8_t *buf, size_t len)
{
    struct gate *gate = user;
    char         byte;
    if (gate->source.at >= gate->at && gate->tells >= 0) {
        MUST(write(gate->tells, "x", 1) == 1);
        /* The end is a failure of the source. */
        if (read(gate->told, &byte, 1) != 1)
            return -1;
        gate->tells = -1;
    }
    return source_read(&gate->source, buf, len);
}

/* A process that adds an image, and the ends of its pipes. */
struct adder { pid_t pid; int hears, tells; };

static struct adder start_adder(const char *id, const char *conf, const uint8_t *data, size_t len, size_t at)
{
    struct adder adder;
    int          up[2], down[2];
    char         byte;
    MUST(pipe(up) == 0 && pipe(down) == 0);
    adder.pid = fork();
    MUST(adder.pid >= 0);
    if (adder.pid == 0) {
        struct gate  gate = { .source = { .data = data, .len = len }, .at = at, .tells = up[1], .told = down[0] };
        gs_image    *image = NULL;
        close(up[0]), close(down[1]);
        check_forget();
        gs_registry *own = rbd_registry("rbd_store_ceph_conf", conf, NULL);
        _exit(RETURNS(gs_add(default_store(own), id, len, read_through, &gate, NULL, &image, ERR)) == GS_OK);
    }
    close(up[1]), close(down[0]);
    adder.hears = up[0], adder.tells = down[1];
    MUST(read(adder.hears, &byte, 1) == 1);
    return adder;
}

static int end_of(struct adder adder)
{
    close(adder.hears), close(adder.tells);
    return wait_for(adder.pid);
}

/* What a killed add left is taken over by one of several adds. */
static void leftovers(void)
{
    size_t   len = 4 * MiB;
    uint8_t *data = new_data(len, RANDOM_DATA);
    for (unsigned i = 0; i < rounds(4); i++) {
        struct adder adder = start_adder("left", ceph("CEPH_GLANCE_CONF"), data, len, len / 2);
        check_context("adds of an id whose add was killed, round %u", i);
        kill(adder.pid, SIGKILL);
        CHECK_INT(128 + SIGKILL, end_of(adder));
        do {
            usleep(20000);
            run("left", 0);
            CHECK_INT(WORKERS, count_of(GS_OK) + count_of(GS_DUPLICATE));
        } while (count_of(GS_OK) == 0 && count_of(GS_DUPLICATE) == WORKERS);
        CHECK_INT(1, count_of(GS_OK));
        if (winner() >= 0)
            check_image(store, uri_of("left"), data_of(winner()), LEN);
        OK(gs_delete(store, uri_of("left"), NULL, ERR));
        check_nothing_is_left();
    }
    free(data);
}

/* Who stops for so long that he is taken for dead does no harm when he goes on. */
static void stopped_adders(void)
{
    static const char *const features[] = { "1", "61" };
    size_t   len = 8 * MiB;
    uint8_t *data = new_data(len, RANDOM_DATA);
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        const char  *conf = conf_with("features", text("s/^\\[global\\]/&\\nrbd_default_features = %s/", features[i]));
        struct adder adder = start_adder("stopped", conf, data, len, len / 2);
        check_context("an add that was stopped, features %s", features[i]);
        kill(adder.pid, SIGSTOP);
        while (RETURNS(add(store, "stopped", data_of(7), LEN, true)) == GS_DUPLICATE)
            usleep(100000);
        check_image(store, uri_of("stopped"), data_of(7), LEN);
        kill(adder.pid, SIGCONT);
        MUST(write(adder.tells, "x", 1) == 1);
        CHECK_INT(0, end_of(adder));
        check_image(store, uri_of("stopped"), data_of(7), LEN);
        OK(gs_delete(store, uri_of("stopped"), NULL, ERR));
        check_nothing_is_left();
    }
    free(data);
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
        MUST(OK(add(store, id, data_of(1), LEN, true)));
        OK(gs_delete(store, uri_of(id), NULL, ERR));
    }
    MUST(OK(add(store, id, data_of(1), LEN, true)));
    check_image(store, uri_of(id), data_of(1), LEN);
    OK(gs_delete(store, uri_of(id), NULL, ERR));
}

/* At the moment when the image has no name any more, and at some others. */
static void killed_deletes(void)
{
    uint64_t    size;
    enum { MOMENTS = 6 };
    const char *ids[MOMENTS];
    gs_registry *thin = rbd_registry("rbd_thin_provisioning", "true", NULL);
    for (useconds_t i = 0; i < MOMENTS; i++) {
        ids[i] = text("killed%u", i);
        add_large(ids[i], default_store(thin));
        pid_t child = start_delete(ids[i]);
        check_context("a delete that was killed, %u", i);
        if (i > 0)
            usleep(i * 8000);
        else
            while (RETURNS(gs_get_size(store, uri_of(ids[0]), NULL, &size, ERR)) != GS_NOT_FOUND)
                ;
        kill(child, SIGKILL);
        wait_for(child);
    }
    for (int i = 0; i < MOMENTS; i++) {
        check_context("a delete that was killed, %d", i);
        check_is_reclaimed(ids[i]);
    }
    check_context("killed deletes");
    check_nothing_is_left();
    gs_registry_free(thin);
}

/* An add whose source fails, killed while it cleans up. */
static void killed_aborts(void)
{
    enum { MOMENTS = 4 };
    const char *ids[MOMENTS];
    size_t      len = 32 * MiB;
    uint8_t    *data = new_data(len, RANDOM_DATA);
    for (useconds_t i = 0; i < MOMENTS; i++) {
        ids[i] = text("aborted%u", i);
        struct adder adder = start_adder(ids[i], slow_conf(), data, len, len / 2);
        close(adder.tells);
        usleep(i * 8000);
        kill(adder.pid, SIGKILL);
        close(adder.hears);
        wait_for(adder.pid);
    }
    for (int i = 0; i < MOMENTS; i++) {
        check_context("an abort that was killed, %d", i);
        check_is_reclaimed(ids[i]);
    }
    check_context("killed aborts");
    check_nothing_is_left();
    free(data);
}

int main(void)
{
    start_workers();
    reg = rbd_registry(NULL);
    store = default_store(reg);
    adds();
    deletes();
    adds_and_a_delete();
    leftovers();
    stopped_adders();
    killed_deletes();
    killed_aborts();
    end_workers();
    gs_registry_free(reg);
    return check_result();
}
