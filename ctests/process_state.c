/* The library is a guest: its threads are named gs-... and block every signal,
 * the last registry takes them along, and no signal handler, mask, locale,
 * umask, directory, environment or descriptor of the host changes. */
#include "testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static const char *dir;

/* ---- Threads ------------------------------------------------------------- */

/* A thread that has just begun still has its parent's name: wait for its own. */
static const char *name_of_new_thread(const char *status)
{
    const char *inherited = line_of("/proc/self/status", "Name:"), *name;
    do {
        sched_yield();
        name = line_of(status, "Name:");
    } while (strcmp(name, inherited) == 0);
    return name;
}

/* Counts the threads beside this program's only one and checks their manners. */
static unsigned library_threads(void)
{
    unsigned count = 0;
    DIR     *tasks = opendir("/proc/self/task");
    MUST(tasks != NULL);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        if (*task->d_name == '.' || atoi(task->d_name) == getpid())
            continue;
        const char *status = text("/proc/self/task/%s/status", task->d_name);
        const char *name = name_of_new_thread(status);
        if (!exists(status))
            continue;
        check_context("thread %s", name);
        CHECK(strncmp(name, "gs-", 3) == 0);
        check_blocks_signals(status);
        count++;
    }
    closedir(tasks);
    return count;
}

struct counting { struct source source; unsigned most; };

static int64_t read_and_count(void *user, uint8_t *buf, size_t len)
{
    struct counting *counting = user;
    unsigned         count = library_threads();
    if (count > counting->most)
        counting->most = count;
    return source_read(&counting->source, buf, len);
}

/* ---- Everything else ----------------------------------------------------- */

static const char *descriptors(void)
{
    const char *all = "";
    for (int fd = 0; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            all = text("%s %d", all, fd);
    return all;
}

static const char *process_state(void)
{
    const char   *all = "";
    sigset_t      mask;
    struct rlimit files;
    char          directory[4096];
    mode_t        bits = umask(0);
    umask(bits);
    MUST(getcwd(directory, sizeof directory) != NULL);
    MUST(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    MUST(getrlimit(RLIMIT_NOFILE, &files) == 0);
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0)
            all = text("%s%d: %p %x %d\n", all, number, *(void **)&action.sa_handler, (unsigned)action.sa_flags,
                       sigismember(&mask, number));
    }
    for (char **variable = environ; *variable; variable++)
        all = text("%s%s\n", all, *variable);
    return text("%sumask %o\ncwd %s\nlocale %s\nfiles %llu\ndescriptors%s\nthread %s\n", all, (unsigned)bits, directory,
                setlocale(LC_ALL, NULL), (unsigned long long)files.rlim_cur, descriptors(),
                line_of("/proc/self/status", "Name:"));
}

/* ---- Calls that fail, and what they leave running --------------------------- */

static int write_nothing_more(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    (void)user, (void)data, (void)len;
    return offset == 0 ? 0 : -1;
}

static int write_slowly(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    struct timespec pause = { 0, 20000000 };
    (void)user, (void)data, (void)len, (void)offset;
    nanosleep(&pause, NULL);
    return 0;
}

static int write_and_cancel(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    (void)data, (void)len, (void)offset;
    gs_cancel_trigger(user);
    return 0;
}

static int stop(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return 1;
}

/* Whatever was in flight when a call failed, nobody waits for it afterwards. */
static void failed_calls(gs_store *store, const char *uri)
{
    gs_opts   opts = GS_OPTS_INIT;
    gs_image *image = NULL;
    int       ends[2];
    MUST(pipe(ends) == 0);
    check_context("failed calls");
    FAILS(GS_CALLBACK, gs_get(store, uri, write_nothing_more, NULL, NULL, ERR));
    opts.timeout_ms = 20;
    FAILS(GS_TIMEOUT, gs_get(store, uri, write_slowly, NULL, &opts, ERR));
    FAILS(GS_TIMEOUT, gs_add_fd(store, "silent", GS_SIZE_UNKNOWN, ends[0], &opts, &image, ERR));
    FAILS(GS_TIMEOUT, gs_get_fd(store, uri, ends[1], &opts, ERR));
    opts = (gs_opts)GS_OPTS_INIT;
    opts.progress = stop;
    FAILS(GS_CANCELLED, gs_get(store, uri, write_slowly, NULL, &opts, ERR));
    opts = (gs_opts)GS_OPTS_INIT;
    opts.cancel = gs_cancel_new();
    FAILS(GS_CANCELLED, gs_get(store, uri, write_and_cancel, opts.cancel, &opts, ERR));
    gs_cancel_free(opts.cancel);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    enum { LENGTH = 24 * MiB };
    static uint8_t  zeros[LENGTH];
    struct counting counting = { .source = { .data = zeros, .len = LENGTH, .piece = MiB } };
    gs_image       *image = NULL;
    gs_opts         opts = GS_OPTS_INIT;
    struct sink     sink = { 0 };
    dir = new_dir();
    umask(027);
    const char *before = process_state();
    CHECK_INT(0, library_threads());

    gs_registry *reg = file_registry(dir);
    gs_store    *store = default_store(reg);
    check_context("a registry that was only opened");
    CHECK_INT(0, library_threads());
    opts.hash_name = "sha512";
    OK(gs_add(store, "image", LENGTH, read_and_count, &counting, &opts, &image, ERR));
    CHECK(counting.most > 0);
    OK(gs_get(store, text("file://%s/image", dir), sink_write, &sink, NULL, ERR));
    failed_calls(store, text("file://%s/image", dir));
    OK(gs_delete(store, text("file://%s/image", dir), NULL, ERR));
    CHECK(RETURNS(gs_get(store, "file:///nowhere/at/all", sink_write, &sink, NULL, ERR)) != GS_OK);
    gs_image_free(image);
    gs_registry_free(reg);
    sink_free(&sink);

    check_context("after the last registry");
    /* A thread that was joined may be listed a moment longer; one that stays fails by the test's time limit. */
    while (library_threads() > 0)
        sched_yield();
    CHECK_STR(before, process_state());
    return check_result();
}
