/* config.h - the stores to use: files, single settings, or a store of the user's own. */
#ifndef CONFIG_H
#define CONFIG_H

#include "args.h"
#include "glance_store.h"

/* Whatever the command line and the environment say.  Returns an exit code. */
int config_fill(gs_config *config, const struct args *args);

#endif
