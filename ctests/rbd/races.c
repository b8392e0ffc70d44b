/* Several processes at once: one add of an id wins, one delete, and nothing stays behind. */
#include "gate.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORKERS = 3, LEN = 5000 };

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
    for (unsigned i = 0; i < rounds(40); i++) {
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
    for (unsigned i = 0; i < rounds(25); i++) {
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
    for (unsigned i = 0; i < rounds(25); i++) {
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

/* What a killed add left is taken over by one of several adds. */
static void leftovers(void)
{
    enum { LEFTOVERS = 8 };
    size_t   len = 4 * MiB;
    uint8_t *data = new_data(len, RANDOM_DATA);
    const char *ids[LEFTOVERS];
    for (int i = 0; i < LEFTOVERS; i++) {
        ids[i] = text("left%d", i);
        struct adder adder = start_adder(ids[i], ceph("CEPH_GLANCE_CONF"), data, len, len / 2);
        kill(adder.pid, SIGKILL);
        CHECK_INT(128 + SIGKILL, end_of(adder));
    }
    for (int i = 0; i < LEFTOVERS; i++) {
        check_context("adds of an id whose add was killed, %d", i);
        do
            run(ids[i], 0);
        while (count_of(GS_DUPLICATE) == WORKERS);
        CHECK_INT(1, count_of(GS_OK));
        CHECK_INT(WORKERS - 1, count_of(GS_DUPLICATE));
        if (winner() >= 0)
            check_image(store, uri_of(ids[i]), data_of(winner()), LEN);
        OK(gs_delete(store, uri_of(ids[i]), NULL, ERR));
    }
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
    end_workers();
    gs_registry_free(reg);
    return check_result();
}
