/* vm_job.h - jobs in a vm: each runs as a coroutine, from the letter that asks for it to the letter that answers.
 *
 * For the thread that owns the vm.
 */
#ifndef VM_JOB_H
#define VM_JOB_H

#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "message.h"
#include "vm.h"

struct ear;
struct vm_jobs; /* what a vm keeps for its jobs: code, idle coroutines */
struct vm_job;  /* one that has begun and not ended */

/* TROUPE_ENOMEM when there is no memory. */
int vm_jobs_new(struct vm_jobs **out, struct vm *vm);

/* Calls hook(L, context) under a pcall. 0 or TROUPE_ENOMEM. */
int vm_jobs_attach(struct vm_jobs *self, void (*hook)(lua_State *L, struct ear *ear), struct ear *ear);

/* Before the vm is destroyed. Jobs that still wait are dropped with their letters. Nulls; NULL is fine. */
void vm_jobs_destroy(struct vm_jobs **self);

/* Keeps the bytecode under its hash. */
int vm_jobs_learn(struct vm_jobs *self, uint64_t hash, const void *code, size_t size);

/* Begins the job that the letter (MAIL_RUN) asks for. When it ends, the letter has become its outcome (body and
 * FLAG_ERROR); when it parks first, *letter is NULL until vm_jobs_resume gives it back. */
void vm_jobs_run(struct vm_jobs *self, struct message **letter);

/* Goes on with a job whose wait is over. *letter as with vm_jobs_run. */
void vm_jobs_resume(struct vm_jobs *self, struct vm_job *job, struct message **letter);

/* The job whose own coroutine L is, when it may park; NULL elsewhere. */
struct vm_job *vm_job_running(lua_State *L);

/* The next job that was woken; NULL when there is none. */
struct vm_job *vm_jobs_next_woken(struct vm_jobs *self);

/* The job parks (its C function returns vm_job_park(...)); vm_job_wake makes it go on with continuation k. */
int vm_job_park(struct vm_job *job, lua_State *L, lua_KContext context, lua_KFunction k);
void vm_job_wake(struct vm_job *job);

/* The call that a letter's body holds, without a job: for a worker's init. Runs body's function with its arguments, an integer
 * first; 0, or TROUPE_EINVAL with the letter turned into the error outcome. */
int vm_jobs_call(struct vm_jobs *self, struct message *letter, lua_Integer first);

/* Makes the letter an error outcome with a text of at most 255 bytes and no traceback. */
void vm_job_fail_plainly(struct message *letter, const char *text);

#endif
