/* value_utf8.h - is it UTF-8? What is crosses as MessagePack's str, what is not as bin. */
#ifndef VALUE_UTF8_H
#define VALUE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* True for well-formed UTF-8 as Unicode defines it: shortest forms, no surrogates, nothing above U+10FFFF. */
bool utf8_valid(const unsigned char *bytes, size_t size);

#endif
