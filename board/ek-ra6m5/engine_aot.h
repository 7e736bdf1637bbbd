/* What scripts/aot.mjs puts into the C made of core.wasm. */
#pragma once
#include <stdint.h>

/* The linear memory. */
#define CORE_PAGE_SIZE 65536u
extern uint8_t core_page[CORE_PAGE_SIZE];

/* A value of which gcc knows nothing. */
#define OPAQUE(value) __asm__("" : "+r"(value))
