/* The library and those that it loads are guests of a process: threads block every signal, nothing of the
 * host changes, a child that was forked can begin anew. */
#include "cluster.h"

#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static uint8_t *data;
enum { LEN = 2 * MiB };

static void use(gs_registry *reg)
{
    const char *uri = add_bytes(default_store(reg), "im", data, LEN);
    check_image(default_store(reg), uri, data, LEN);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
}

/* ---- Signals, environment, standard error -------------------------------------------- */

static void check_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    MUST(tasks != NULL);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        const char *status = text("/proc/self/task/%s/status", task->d_name);
        if (*task->d_name == '.' || atoi(task->d_name) == getpid() || !exists(status))
            continue;
        check_context("a thread that was started for the store");
        check_blocks_signals(status);
    }
    closedir(tasks);
}

static const char *dispositions(void)
{
    const char *all = "";
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0)
            all = text("%s %p", all, *(void **)&action.sa_handler);
    }
    return all;
}

static const char *environment(void)
{
    const char *all = "";
    for (char **variable = environ; *variable; variable++)
        all = text("%s%s\n", all, *variable);
    return all;
}

/* Told of what goes wrong, too: it is not the library's to write to the host's standard error. */
static void manners(void)
{
    const char *signals = dispositions(), *variables = environment(), *locale = text("%s", setlocale(LC_ALL, NULL));
    const char *path = text("%s/stderr", new_dir());
    sigset_t    before = { 0 }, after = { 0 };
    uint64_t    size;
    size_t      len;
    int         saved = dup(2), fd = open(path, O_RDWR | O_CREAT, 0600);
    MUST(saved >= 0 && fd >= 0 && dup2(fd, 2) == 2);
    sigprocmask(SIG_SETMASK, NULL, &before);
    gs_registry *reg = rbd_registry(NULL), *wrong = rbd_registry("rbd_store_user", "nobody", NULL);
    use(reg);
    bool refused = gs_get_size(default_store(wrong), uri_of("im"), NULL, &size, NULL) == GS_NOT_AUTHENTICATED;
    check_threads();
    sigprocmask(SIG_SETMASK, NULL, &after);
    gs_registry_free(wrong);
    MUST(dup2(saved, 2) == 2);
    close(saved), close(fd);
    check_context("the host after a store was used");
    CHECK(refused);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    CHECK_STR(signals, dispositions());
    CHECK_STR(variables, environment());
    CHECK_STR(locale, setlocale(LC_ALL, NULL));
    char *written = read_file(path, &len);
    CHECK_BYTES("", 0, written, len);
    free(written);
    gs_registry_free(reg);
}

/* ---- Stores and processes -------------------------------------------------------------- */

/* Two stores with the same user share a connection: its threads come once. */
static void shared_connection(void)
{
    gs_registry *first = rbd_registry(NULL), *second = rbd_registry("rbd_store_chunk_size", "2", NULL);
    use(first);
    unsigned threads = entries_of("/proc/self/task");
    use(second);
    check_context("a second store of the same user");
    CHECK((int)entries_of("/proc/self/task") <= (int)threads + 3);
    gs_registry_free(first);
    use(second);
    gs_registry_free(second);
}

static void forked_child(void)
{
    gs_registry *reg = rbd_registry(NULL);
    gs_store    *store = default_store(reg);
    use(reg);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        uint64_t size;
        check_forget();
        check_context("in a child");
        FAILS(GS_FORKED, gs_get_size(store, uri_of("im"), NULL, &size, ERR));
        gs_registry *own = rbd_registry(NULL);
        use(own);
        gs_registry_free(own);
        gs_registry_free(reg);
        _exit(check_result());
    }
    CHECK_INT(0, wait_for(child));
    check_context("after a fork");
    use(reg);
    gs_registry_free(reg);
}

int main(void)
{
    data = new_data(LEN, RANDOM_DATA);
    manners();
    shared_connection();
    forked_child();
    free(data);
    return check_result();
}
