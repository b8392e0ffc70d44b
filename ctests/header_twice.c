/* The header may come twice; compiled, never run, once per language. */
#include <glance_store.h>
#include <glance_store.h>

extern gs_status (*header_twice)(const gs_config *, gs_registry **, gs_error **);
gs_status (*header_twice)(const gs_config *, gs_registry **, gs_error **) = gs_registry_open;
