/* vm_extra.h - functions that travel with a job: on_done_in_worker, which gets its results, and cleanup, which is run when
 * it has ended.
 *
 * For the thread that owns the vm.
 */
#ifndef VM_EXTRA_H
#define VM_EXTRA_H

#include "vm_run.h"

/* Lua: (run as pointer), of a letter with FLAG_EXTRA -> the results of its call, or of what they were given to. */
int vm_extra_body(lua_State *L);

/* The run has ended, as the word says, and its cleanup, if the run has one that shall run here, begins: `done` is called
 * when it has ended. False: there is none, or it is not this worker's matter, or memory is out. */
bool vm_extra_clean(struct vm_run *run, const char *word, void (*done)(struct vm_run *run));

/* A cleanup has failed, its error on top of co: the log is told. */
void vm_extra_complain(const struct vm_run *run, int status, lua_State *co);

/* The run is forgotten. */
void vm_extra_drop(struct vm_run *run);

#endif
