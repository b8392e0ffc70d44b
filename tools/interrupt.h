/* interrupt.h - SIGINT, SIGTERM and SIGHUP stop the running call; it cleans up. */
#ifndef INTERRUPT_H
#define INTERRUPT_H

#include "glance_store.h"

/* From now on the first such signal triggers `cancel`, which must live as long as
 * the process; a second one ends the process at once. */
void interrupt_install(gs_cancel *cancel);

/* The signal that came, or 0. */
int interrupt_signal(void);

#endif
