/* gate.h - processes that add an image up to some byte, and then wait to be told, or killed. */
#ifndef GATE_H
#define GATE_H

#include "cluster.h"

/* The process, and the ends of its pipes. */
struct adder { pid_t pid; int hears, tells; };

/* Returns once it has read `at` bytes of the image; it goes on when a byte is written to `tells`, and fails when that is closed. */
struct adder start_adder(const char *id, const char *conf, const uint8_t *data, size_t len, size_t at);
/* Its status, or 128 + the signal that ended it. */
int          end_of(struct adder adder);

#endif /* GATE_H */
