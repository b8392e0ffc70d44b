/* interrupt.c - SIGINT, SIGTERM and SIGHUP stop the running call; it cleans up. */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

/* A signal handler has no argument to carry these. */
static gs_cancel *cancel_on_signal;
static volatile sig_atomic_t received;

static void on_signal(int number)
{
    received = number;
    gs_cancel_trigger(cancel_on_signal);
}

static void install_handlers(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction present;

        /* nohup and background jobs of a script ask for signals to be ignored. */
        if (sigaction(signals[i], NULL, &present) == 0 && present.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

gs_cancel *interrupt_catch(void)
{
    if (cancel_on_signal == NULL) {
        cancel_on_signal = gs_cancel_new();
        install_handlers();
    }
    return cancel_on_signal;
}

int interrupt_signal(void)
{
    return received;
}
