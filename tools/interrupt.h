/* interrupt.h - SIGINT, SIGTERM and SIGHUP stop the running call; it cleans up. */
#ifndef INTERRUPT_H
#define INTERRUPT_H

#include "glance_store.h"

/* From now on the first such signal triggers the switch that is returned, and a second
 * one ends the process at once.  The switch lives as long as the process. */
gs_cancel *interrupt_catch(void);

/* The signal that came, or 0. */
int interrupt_signal(void);

#endif
