/* What a debugger and the self-test in RAM tell each other; its numbers are in firmware/defs/selftest.ts.
 * The debugger writes command and argument, and last a request number that is new; the self-test writes the request
 * number as answered when result and words are there. */
#pragma once
#include "defs.h"
#include <stddef.h>
#include <stdint.h>

struct page {
  uint32_t hello;
  uint32_t request;
  uint32_t command;
  uint32_t argument;
  uint32_t answered;
  uint32_t result;
  uint32_t words[MBS_SELFTEST_WORDS];
};

_Static_assert(offsetof(struct page, request) == MBS_SELFTEST_OFF_REQUEST, "as the debugger has it");
_Static_assert(offsetof(struct page, command) == MBS_SELFTEST_OFF_COMMAND, "as the debugger has it");
_Static_assert(offsetof(struct page, answered) == MBS_SELFTEST_OFF_ANSWERED, "as the debugger has it");
_Static_assert(offsetof(struct page, result) == MBS_SELFTEST_OFF_RESULT, "as the debugger has it");
_Static_assert(offsetof(struct page, words) == MBS_SELFTEST_OFF_WORDS, "as the debugger has it");
