/* vm_warn.c - what warn() does in a vm: as in a state that luaL_newstate made.
 *
 *     off [any message but "@on"]       on -> continues [a piece that more follow]
 *     off -> on ["@on"]                 continues -> on [the last piece]
 *     on -> off ["@off"]
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "vm_state.h"

static void print(struct vm *self, const char *message, bool continues)
{
    const char *head = self->warning == WARNINGS_ON ? "Lua warning: " : "";
    fprintf(stderr, "%s%s%s", head, message, continues ? "" : "\n");
    fflush(stderr);
    self->warning = continues ? WARNING_CONTINUES : WARNINGS_ON;
}

void vm_warn(void *ud, const char *message, int continues)
{
    struct vm *self = ud;
    if (self->warning != WARNING_CONTINUES && !continues && message[0] == '@') {
        if (strcmp(message, "@on") == 0)
            self->warning = WARNINGS_ON;
        else if (strcmp(message, "@off") == 0)
            self->warning = WARNINGS_OFF;
    } else if (self->warning != WARNINGS_OFF) {
        print(self, message, continues != 0);
    }
}
