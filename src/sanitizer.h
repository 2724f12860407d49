/* sanitizer.h - which sanitizers this build carries: some rooms step aside for them. */
#ifndef SANITIZER_H
#define SANITIZER_H

#if defined(__has_feature)
#define SANITIZER_FEATURE(name) __has_feature(name)
#else
#define SANITIZER_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SANITIZER_FEATURE(address_sanitizer)
#define WITH_ASAN 1
#else
#define WITH_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || SANITIZER_FEATURE(thread_sanitizer)
#define WITH_TSAN 1
#define NO_TSAN __attribute__((no_sanitize("thread")))
#else
#define WITH_TSAN 0
#define NO_TSAN
#endif

#endif
