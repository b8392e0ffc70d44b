/* steps.h - what this process does in librbd: it can stop between two steps, look away, and count. */
#ifndef STEPS_H
#define STEPS_H

#include <stdbool.h>

/* Before or after a call of a function of librbd. */
struct moment { const char *function; bool after; };

/* There this process stops itself (SIGSTOP), the next time and once. */
void     stop_at(struct moment moment);
/* This process sees nobody who has an image open, the next time that it looks and once. */
void     hide_watchers_once(void);
/* How many images this process has opened to read. */
unsigned opens(void);

#endif /* STEPS_H */
