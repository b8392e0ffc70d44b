/* What one piece of work costs: wall time, CPU time of all threads, memory. */
#ifndef MEASURE_H
#define MEASURE_H

struct measure {
    double wall; /* seconds since the clock's start */
    double cpu;  /* user and system time, seconds */
    long memory; /* resident, KiB */
};

/* Starts: from here on the peak of resident memory is counted anew. */
struct measure measure_start(void);
/* Prints "wall-seconds cpu-seconds peak-KiB", each above the start's. */
void measure_print(const struct measure *start);

#endif
