/* fuzz.h - the one function that a fuzz target is: libFuzzer calls it, and so does replay.c. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0; anything that must not happen aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
