/* A target that went away is an error with EPIPE, not the end of the process,
 * although SIGPIPE has its default action; and signals that arrive during a
 * call disturb nothing. */
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *dir, *uri;
static gs_store   *store;
static uint8_t    *data;
static size_t      len;

static void closed_at_once(bool socket)
{
    int ends[2];
    check_context("a closed %s", socket ? "socket" : "pipe");
    MUST((socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) == 0);
    close(ends[0]);
    FAILS(GS_FAILED, gs_get_fd(store, uri, ends[1], NULL, ERR));
    CHECK_INT(EPIPE, failure.errnum);
    close(ends[1]);
}

static void *read_some_and_close(void *user)
{
    int     fd = *(int *)user;
    uint8_t piece[5000];
    MUST(read(fd, piece, sizeof piece) > 0);
    close(fd);
    return NULL;
}

static void closed_in_the_middle(bool socket)
{
    int ends[2];
    check_context("a %s closed in the middle", socket ? "socket" : "pipe");
    MUST((socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) == 0);
    pthread_t thread = start(read_some_and_close, &ends[0]);
    FAILS(GS_FAILED, gs_get_fd(store, uri, ends[1], NULL, ERR));
    CHECK(failure.errnum == EPIPE || (socket && failure.errnum == ECONNRESET));
    join(thread);
    close(ends[1]);
}

/* ---- Signals during a call ----------------------------------------------- */

static atomic_int signals_seen;

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals_seen, 1);
}

struct disturbance { pthread_t thread, target; int fd; };

/* Every piece that went through the pipe is followed by a signal to the thread
 * that is inside the library. */
static void *feed_and_disturb(void *user)
{
    struct disturbance *disturbance = user;
    for (size_t done = 0; done < len;) {
        size_t  piece = len - done < 10000 ? len - done : 10000;
        ssize_t count = write(disturbance->fd, data + done, piece);
        MUST(count > 0);
        done += (size_t)count;
        MUST(pthread_kill(disturbance->target, SIGUSR1) == 0);
    }
    close(disturbance->fd);
    return NULL;
}

static void *drain_and_disturb(void *user)
{
    struct disturbance *disturbance = user;
    uint8_t             piece[10000];
    size_t              done = 0;
    for (ssize_t count; (count = read(disturbance->fd, piece, sizeof piece)) > 0; done += (size_t)count) {
        if (done + (size_t)count > len || memcmp(piece, data + done, (size_t)count) != 0)
            CHECK(!"the bytes of the image, in order");
        if (done + (size_t)count < len)
            MUST(pthread_kill(disturbance->target, SIGUSR1) == 0);
    }
    CHECK_SIZE(len, done);
    return NULL;
}

static void interrupted_calls(int flags)
{
    struct sigaction   action = { .sa_handler = count_signal, .sa_flags = flags };
    struct disturbance disturbance = { .target = pthread_self() };
    gs_image          *image = NULL;
    gs_image_info      info = GS_IMAGE_INFO_INIT;
    int                ends[2];
    MUST(sigaction(SIGUSR1, &action, NULL) == 0);
    check_context("signals during gs_add_fd, %s SA_RESTART", flags ? "with" : "without");
    MUST(pipe(ends) == 0);
    disturbance.fd = ends[1];
    disturbance.thread = start(feed_and_disturb, &disturbance);
    if (OK(gs_add_fd(store, "disturbed", len, ends[0], NULL, &image, ERR))) {
        gs_image_get_info(image, &info);
        check_image(store, info.uri, data, len);
        OK(gs_delete(store, info.uri, NULL, ERR));
    }
    gs_image_free(image);
    join(disturbance.thread);
    close(ends[0]);

    check_context("signals during gs_get_fd, %s SA_RESTART", flags ? "with" : "without");
    MUST(pipe(ends) == 0);
    disturbance.fd = ends[0];
    disturbance.thread = start(drain_and_disturb, &disturbance);
    OK(gs_get_fd(store, uri, ends[1], NULL, ERR));
    close(ends[1]);
    join(disturbance.thread);
    close(ends[0]);
    CHECK(atomic_load(&signals_seen) > 0);
}

/* A host may block SIGPIPE itself and have one waiting: it is still there afterwards. */
static void pending_signal(void)
{
    sigset_t pipe_signal, before, pending;
    int      ends[2];
    check_context("a SIGPIPE that the host holds back");
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    MUST(pthread_sigmask(SIG_BLOCK, &pipe_signal, &before) == 0);
    MUST(raise(SIGPIPE) == 0);
    MUST(pipe(ends) == 0);
    close(ends[0]);
    FAILS(GS_FAILED, gs_get_fd(store, uri, ends[1], NULL, ERR));
    CHECK_INT(EPIPE, failure.errnum);
    close(ends[1]);
    MUST(sigpending(&pending) == 0);
    CHECK(sigismember(&pending, SIGPIPE) == 1);
    struct timespec at_once = { 0, 0 };
    sigtimedwait(&pipe_signal, NULL, &at_once);
    MUST(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

int main(void)
{
    len = small_run() ? MiB : 8 * MiB;
    data = new_data(len, RANDOM_DATA);
    dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    uri = add_bytes(store, "image", data, len);
    const char *before = listing(dir);
    MUST(signal(SIGPIPE, SIG_DFL) != SIG_ERR);

    for (int socket = 0; socket < 2; socket++) {
        closed_at_once(socket);
        closed_in_the_middle(socket);
    }
    pending_signal();
    interrupted_calls(0);
    interrupted_calls(SA_RESTART);

    CHECK_STR(before, listing(dir));
    gs_registry_free(reg);
    free(data);
    return check_result();
}
