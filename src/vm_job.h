/* vm_job.h - jobs in a vm: each runs as a task, from the letter that asks for it to the letter that answers.
 *
 * For the thread that owns the vm.
 */
#ifndef VM_JOB_H
#define VM_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "message.h"
#include "vm.h"

struct vm_jobs; /* what a vm keeps for its jobs */
struct vm_tasks;
struct value_mode;

/* Takes the letter (MAIL_RUN) that has become its job's outcome: body and FLAG_ERROR. */
typedef void vm_job_outcome(void *owner, struct message **letter);

/* Told that a job waits for the first time, and its worker is free for others. */
typedef void vm_job_parked(void *owner, const struct message *letter);

/* May the worker run the cleanup after that run of the job? */
typedef bool vm_job_claim(void *owner, uint64_t job, uint32_t run);

/* Sends the node a letter about the job that runs for `run`; takes it. */
typedef void vm_job_say(void *owner, const struct message *run, struct message **letter, enum message_kind kind);

struct vm_job_hooks {
    vm_job_outcome *outcome;
    vm_job_parked *parked;
    vm_job_claim *claim;
    vm_job_say *say;
};

/* NULL when memory is out. The hooks stay the caller's. */
struct vm_jobs *vm_jobs_new(struct vm *vm, struct vm_tasks *tasks, const struct vm_job_hooks *hooks, void *owner);

/* Before the vm is destroyed, after its tasks. Nulls; NULL is fine. */
void vm_jobs_destroy(struct vm_jobs **self);

/* Jobs begun and not ended. */
unsigned vm_jobs_count(const struct vm_jobs *self);

/* Keeps the bytecode under its hash. 0 or TROUPE_ENOMEM. */
int vm_jobs_learn(struct vm_jobs *self, uint64_t hash, const void *code, size_t size);

/* Begins the job that the letter (MAIL_RUN) asks for, and takes the letter. When the job ends, now or later, outcome is called. */
void vm_jobs_run(struct vm_jobs *self, struct message **letter);

/* The call that a letter's body holds, without a job: for a worker's init. Runs body's function with its arguments, an integer
 * first; 0, or TROUPE_EINVAL with the letter turned into the error outcome. */
int vm_jobs_call(struct vm_jobs *self, struct message *letter, lua_Integer first);

/* Pushes the values in the letter's body: how many. Raises when they are none. */
int vm_job_push_arguments(lua_State *L, const struct message *letter);

/* Makes the letter an error outcome with a text of at most 255 bytes and no traceback. */
void vm_job_fail_plainly(struct message *letter, const char *text);

/* From now on what jobs return leaves this process: no addresses cross. Once, before there are jobs. */
void vm_jobs_leave_process(void);

/* How results are encoded. */
const struct value_mode *vm_job_mode(void);

#endif
