/* faults.h - a proxy between the library and servers that spoils what it is told
 * to, and records what was asked. proxy.py tells what its rules are. */
#ifndef FAULTS_H
#define FAULTS_H

#include "testing.h"

struct faults;

/* `server` is a name and an address, such as "swift=127.0.0.1:8080"; ends with NULL. */
struct faults *faults_start(const char *server, ...) __attribute__((sentinel));
void           faults_stop(struct faults *faults);

/* The proxy's address in front of the server of that name: http://127.0.0.1:PORT */
const char *faults_url(const struct faults *faults, const char *name);

/* METHOD PATTERN TIMES ACTION..., as proxy.py says. */
void faults_rule(struct faults *faults, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Forgets rules and records, lets go what is held, and waits until nothing is under way. */
void faults_clear(struct faults *faults);

/* Waits until a request is held there. From any thread. */
void faults_await(struct faults *faults, const char *hold);
void faults_release(struct faults *faults, const char *hold);
/* Waits until no request is under way. */
void faults_settle(struct faults *faults);

/* The requests so far, a line each: NAME METHOD TARGET STATUS HEADERS BODY. */
const char *faults_log(struct faults *faults);
/* How many of these lines begin with `start` and hold `part`. */
unsigned faults_count(struct faults *faults, const char *start, const char *part);

#endif /* FAULTS_H */
