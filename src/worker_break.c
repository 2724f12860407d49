/* worker_break.c - breaking into what a worker runs, and what is known of it.
 *
 * Entered by the node's thread, or in a worker process by that of its uplink; what is looked at and asked of the vm is
 * under the worker's lock (worker.c, invariant 2). For a process it is the bridge that asks and knows.
 */
#include "bridge.h"
#include "run_note.h"
#include "vm.h"
#include "worker_inner.h"

void worker_interrupt(struct worker *self, uint64_t job)
{
    if (self->bridge) {
        bridge_interrupt(self->bridge, job);
        return;
    }
    pthread_mutex_lock(&self->lock);
    if (self->vm)
        vm_interrupt(self->vm, VM_INTERRUPT_ALWAYS, job);
    pthread_mutex_unlock(&self->lock);
}

void worker_interrupt_job(struct worker *self)
{
    if (self->bridge) {
        bridge_interrupt(self->bridge, 0);
        return;
    }
    pthread_mutex_lock(&self->lock);
    uint64_t target = self->vm ? vm_target(self->vm) : 0;
    bool is_job = target && !run_is_cleanup(target);
    if (self->vm && (is_job || (!self->up && self->options.init)))
        vm_interrupt(self->vm, VM_INTERRUPT_ALWAYS, is_job ? target : 0);
    pthread_mutex_unlock(&self->lock);
}

uint64_t worker_target(struct worker *self)
{
    if (self->bridge)
        return bridge_target(self->bridge);
    pthread_mutex_lock(&self->lock);
    uint64_t target = self->vm ? vm_target(self->vm) : 0;
    pthread_mutex_unlock(&self->lock);
    return target;
}

void worker_break(struct worker *self, uint64_t job)
{
    if (self->bridge || worker_runs(self, job))
        worker_interrupt(self, job);
}

void worker_calm(struct worker *self, uint64_t job)
{
    pthread_mutex_lock(&self->lock);
    if (self->vm)
        vm_calm(self->vm, job);
    pthread_mutex_unlock(&self->lock);
}

bool worker_runs(struct worker *self, uint64_t job)
{
    if (self->bridge)
        return bridge_runs(self->bridge, job);
    pthread_mutex_lock(&self->lock);
    bool runs = self->vm && vm_runs(self->vm, job);
    pthread_mutex_unlock(&self->lock);
    return runs;
}

bool worker_is_stuck(struct worker *self, uint64_t job)
{
    if (self->bridge)
        return bridge_runs(self->bridge, job);
    pthread_mutex_lock(&self->lock);
    bool stuck = self->vm && vm_is_stuck(self->vm, job);
    pthread_mutex_unlock(&self->lock);
    return stuck;
}
