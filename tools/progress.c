/* progress.c - counts a transfer's bytes and time, and draws them on a terminal. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "glance_store.h"
#include "output.h"

enum { DEFAULT_COLUMNS = 80, BAR_MINIMUM = 10, LINE_MAXIMUM = 512 };

/* How much the newest sample weighs in the rate: steady to read, yet it follows. */
static const double newest_weight = 0.2;

/* A clock's resolution; no rate is computed over less. */
static const double shortest_sample = 1e-6;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int terminal_columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_COLUMNS;
    return size.ws_col < LINE_MAXIMUM ? size.ws_col : LINE_MAXIMUM;
}

static void sample(struct progress *progress, uint64_t done)
{
    double time = now(), elapsed = time - progress->sampled;

    if (elapsed >= shortest_sample && done >= progress->done) {
        double newest = (double)(done - progress->done) / elapsed;

        progress->rate = progress->rate == 0 ? newest : progress->rate + newest_weight * (newest - progress->rate);
        progress->sampled = time;
    }
    progress->done = done;
}

/* Of the whole transfer once it is complete, of the moment until then. */
static struct human_size shown_rate(const struct progress *progress, uint64_t total)
{
    double elapsed = now() - progress->started;
    bool complete = progress->done == total && elapsed >= shortest_sample;

    return human_size(complete ? (double)total / elapsed : progress->rate);
}

/* "1:02:03" or "2:03" */
static void put_clock(char *text, size_t size, double seconds)
{
    unsigned long total = (unsigned long)(seconds + 0.5);
    unsigned long hours = total / 3600, minutes = total / 60 % 60;

    if (hours > 0)
        snprintf(text, size, "%lu:%02lu:%02lu", hours, minutes, total % 60);
    else
        snprintf(text, size, "%lu:%02lu", minutes, total % 60);
}

static void put_time(char *text, size_t size, const struct progress *progress, uint64_t total)
{
    char clock[24];
    bool remaining = total != GS_SIZE_UNKNOWN && progress->done < total && progress->rate >= 1;

    if (remaining)
        put_clock(clock, sizeof clock, (double)(total - progress->done) / progress->rate);
    else
        put_clock(clock, sizeof clock, now() - progress->started);
    snprintf(text, size, remaining ? "%s left" : "%s", clock);
}

static void draw_known(const struct progress *progress, uint64_t total)
{
    char time[32], figures[128], bar[LINE_MAXIMUM + 1];
    double fraction = progress->done >= total ? 1 : (double)progress->done / (double)total;
    int percent = (int)(fraction * 100);
    int width, filled;

    put_time(time, sizeof time, progress, total);
    snprintf(figures, sizeof figures, "%s of %s  %s/s  %s", human_size((double)progress->done).text,
             human_size((double)total).text, shown_rate(progress, total).text, time);
    width = terminal_columns() - (int)strlen(figures) - (int)strlen("100% []  ") - 1;
    if (width < BAR_MINIMUM) {
        fprintf(stderr, "\r%3d%%  %s\033[K", percent, figures);
        return;
    }
    filled = width * percent / 100;
    memset(bar, '=', (size_t)filled);
    memset(bar + filled, ' ', (size_t)(width - filled));
    bar[width] = '\0';
    fprintf(stderr, "\r%3d%% [%s]  %s\033[K", percent, bar, figures);
}

static void draw_unknown(const struct progress *progress)
{
    char time[32];

    put_time(time, sizeof time, progress, GS_SIZE_UNKNOWN);
    fprintf(stderr, "\r%s  %s/s  %s\033[K", human_size((double)progress->done).text,
            human_size(progress->rate).text, time);
}

void progress_start(struct progress *progress, bool visible)
{
    double time = now();

    *progress = (struct progress){.visible = visible, .started = time, .sampled = time};
}

int progress_update(void *user, uint64_t done, uint64_t total)
{
    struct progress *progress = user;

    sample(progress, done);
    if (!progress->visible)
        return 0;
    if (total == GS_SIZE_UNKNOWN)
        draw_unknown(progress);
    else
        draw_known(progress, total);
    progress->drawn = true;
    return 0;
}

double progress_end(struct progress *progress)
{
    double elapsed = now() - progress->started;

    if (progress->drawn)
        fputc('\n', stderr);
    progress->drawn = false;
    return elapsed < shortest_sample ? shortest_sample : elapsed;
}
