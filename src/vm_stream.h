/* vm_stream.h - what a running job sends its owner before it ends.
 *
 * Letters are numbered from 1 in each run. The owner says which it has taken; the job may be `window` letters ahead, then
 * it waits, parked on its run. One that synced waits until the owner lets it go on, whatever the window. Nobody wants what
 * a discarded or detached job and the calls of a batch send: it is dropped here.
 *
 * For the thread that owns the vm.
 */
#ifndef VM_STREAM_H
#define VM_STREAM_H

#include "vm_run.h"

/* As the run's letter says. */
void vm_stream_init(struct vm_run *run);

/* May the job send one more now? */
bool vm_stream_has_room(const struct vm_run *run);

/* Sends it; with sync the run is synced until it is resumed. */
void vm_stream_send(struct vm_run *run, struct message **letter, bool sync);

/* Tells the owner how far the job is, as last noted in run->progress, if there is anything new. */
void vm_stream_tell_progress(struct vm_run *run);

/* MAIL_WINDOW, MAIL_TAKEN or MAIL_RESUME, of one job or of all. */
void vm_stream_told(struct vm_jobs *jobs, const struct message *letter);

/* If the job waits to send or to be resumed, it looks again. */
void vm_stream_wake(struct vm_run *run);

#endif
