/* child_results.h - what a child returned, as bytes. */
#ifndef CHILD_RESULTS_H
#define CHILD_RESULTS_H

#include <lua.h>

#include "buffer.h"

/* Appends all values on L's stack, encoded. What cannot cross, also inside tables, becomes a string that
 * says so. Never raises. 0; or TROUPE_ENOMEM, then the reason is pushed. */
int child_results_encode(lua_State *L, struct buffer *out);

#endif
