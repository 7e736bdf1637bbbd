/* claims.wasm in wasm3, for tests: loads a module without imports and calls its exports by name. Every argument and
 * the result travel as 64-bit numbers; an i32 takes the low half. Relies on the interpreter that scripts/build.mjs
 * compiles into build/host. */
#include "wasm3.h"
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS 8
#define WASM_STACK 8192u

struct claims {
  IM3Environment environment;
  IM3Runtime runtime;
  const char *trap;
  uint8_t wasm[];
};

struct claims *claims_new(const uint8_t *wasm, uint32_t length) {
  struct claims *claims = calloc(1, sizeof *claims + length);
  if (!claims) return NULL;
  memcpy(claims->wasm, wasm, length);
  claims->environment = m3_NewEnvironment();
  claims->runtime = m3_NewRuntime(claims->environment, WASM_STACK, NULL);
  IM3Module module;
  claims->trap = m3_ParseModule(claims->environment, &module, claims->wasm, length);
  if (!claims->trap) claims->trap = m3_LoadModule(claims->runtime, module);
  return claims;
}

/* NULL when all is well. */
const char *claims_trap(const struct claims *claims) {
  return claims->trap;
}

int64_t claims_call(struct claims *claims, const char *name, const int64_t *arguments, uint32_t count) {
  const void *pointers[ARGUMENTS];
  IM3Function function;
  int64_t result = 0;
  const void *results[] = {&result};
  if (claims->trap || count > ARGUMENTS) return 0;
  for (uint32_t i = 0; i < count; i++) pointers[i] = &arguments[i];
  claims->trap = m3_FindFunction(&function, claims->runtime, name);
  if (!claims->trap && m3_GetArgCount(function) != count) claims->trap = "an export has another signature";
  if (!claims->trap) claims->trap = m3_Call(function, count, pointers);
  if (!claims->trap) claims->trap = m3_GetResults(function, 1, results);
  if (!claims->trap && m3_GetRetType(function, 0) == c_m3Type_i32) return (int32_t)result;
  return result;
}

uint8_t *claims_memory(struct claims *claims) {
  uint32_t size;
  return m3_GetMemory(claims->runtime, &size, 0);
}
