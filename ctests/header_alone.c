/* The header needs nothing before it; compiled, never run, once per language. */
#include <glance_store.h>

extern int (*header_alone)(gs_config **);
int (*header_alone)(gs_config **);
