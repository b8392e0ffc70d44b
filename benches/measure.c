#define _GNU_SOURCE
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* A line of /proc/self/status in KiB, such as "VmHWM:". */
static long status_line(const char *name)
{
    char line[256];
    long value = 0;
    FILE *status = fopen("/proc/self/status", "r");

    if (status == NULL)
        return 0;
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    fclose(status);
    return value;
}

static void reset_peak(void)
{
    FILE *references = fopen("/proc/self/clear_refs", "w");

    if (references == NULL)
        return;
    fputs("5", references);
    fclose(references);
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static struct measure measure_now(const char *memory)
{
    struct measure now;
    struct timespec clock;
    struct rusage usage;

    now.memory = status_line(memory);
    getrusage(RUSAGE_SELF, &usage);
    now.cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    clock_gettime(CLOCK_MONOTONIC, &clock);
    now.wall = (double)clock.tv_sec + (double)clock.tv_nsec / 1e9;
    return now;
}

struct measure measure_start(void)
{
    reset_peak();
    return measure_now("VmRSS:");
}

void measure_print(const struct measure *start)
{
    struct measure now = measure_now("VmHWM:");

    printf("%.6f %.6f %ld\n", now.wall - start->wall, now.cpu - start->cpu,
           now.memory - start->memory);
}
