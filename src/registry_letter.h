/* registry_letter.h - what worker processes ask of the program's registry, by mail (doc/protocol.md).
 *
 * Answered by the bridge to the process, on its thread, in the order in which the process asked.
 */
#ifndef REGISTRY_LETTER_H
#define REGISTRY_LETTER_H

struct message;

/* When the letter is for the registry, does what it asks and makes the answer of it, or frees it where none is wanted.
 * Returns 1 then, else 0 and leaves the letter alone. */
int registry_take_letter(struct message **letter);

#endif
