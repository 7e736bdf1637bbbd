/* Between wasm3 and contract.h: the imports, with the one bounds check of every pointer that crosses, and the
 * exports. SPEC.md §1. The same file serves the board and the host. wasm3 does not validate modules, so only the
 * core that was built and hashed here may be loaded. */
#include "wasm3_glue.h"
#include "contract.h"
#include "defs.h"
#include "m3_env.h" /* the interpreter's stack has no accessor */
#include <string.h>

#define PAGE 65536u
#define WASM_STACK 6144u

const char core_stopped[] = "stopped by the board";
static const char not_one_page[] = "the core's memory is not exactly one page";
static const char wrong_export[] = "an export of the core has another signature";

/* `length` bytes at `pointer` of the core's memory, or NULL when they are not all inside. */
static uint8_t *window(IM3Runtime runtime, void *memory, uint32_t pointer, uint32_t length) {
  uint32_t size = m3_GetMemorySize(runtime);
  return pointer <= size && length <= size - pointer ? (uint8_t *)memory + pointer : NULL;
}

#define ANSWER(call)                                   \
  {                                                    \
    int32_t answer = call;                             \
    if (answer == CORE_STOP) m3ApiTrap(core_stopped);  \
    m3ApiReturn(answer);                               \
  }

m3ApiRawFunction(import_read) {
  m3ApiReturnType(int32_t) m3ApiGetArg(uint32_t, region) m3ApiGetArg(uint32_t, offset) m3ApiGetArg(uint32_t, pointer)
  m3ApiGetArg(uint32_t, length)
  uint8_t *out = window(runtime, _mem, pointer, length);
  if (!out) m3ApiTrap(m3Err_trapOutOfBoundsMemoryAccess);
  ANSWER(board_read(region, offset, out, length))
}

m3ApiRawFunction(import_program) {
  m3ApiReturnType(int32_t) m3ApiGetArg(uint32_t, region) m3ApiGetArg(uint32_t, offset) m3ApiGetArg(uint32_t, pointer)
  m3ApiGetArg(uint32_t, length)
  const uint8_t *data = window(runtime, _mem, pointer, length);
  if (!data) m3ApiTrap(m3Err_trapOutOfBoundsMemoryAccess);
  ANSWER(board_program(region, offset, data, length))
}

m3ApiRawFunction(import_erase) {
  m3ApiReturnType(int32_t) m3ApiGetArg(uint32_t, region) m3ApiGetArg(uint32_t, offset)
  ANSWER(board_erase(region, offset))
}

m3ApiRawFunction(import_blank) {
  m3ApiReturnType(int32_t) m3ApiGetArg(uint32_t, region) m3ApiGetArg(uint32_t, offset) m3ApiGetArg(uint32_t, length)
  ANSWER(board_blank(region, offset, length))
}

m3ApiRawFunction(import_entropy) {
  m3ApiReturnType(int32_t) m3ApiGetArg(uint32_t, pointer) m3ApiGetArg(uint32_t, length)
  uint8_t *out = window(runtime, _mem, pointer, length);
  if (!out) m3ApiTrap(m3Err_trapOutOfBoundsMemoryAccess);
  ANSWER(board_entropy(out, length))
}

m3ApiRawFunction(import_presence) {
  m3ApiReturnType(int32_t) m3ApiGetArg(uint32_t, lights)
  ANSWER(board_presence(lights))
}

m3ApiRawFunction(import_clock) {
  m3ApiReturnType(int64_t)
  m3ApiReturn((int64_t)board_clock());
}

m3ApiRawFunction(import_diag) {
  m3ApiGetArg(uint32_t, code)
  board_diag(code);
  m3ApiSuccess();
}

m3ApiRawFunction(import_rate) {
  m3ApiReturnType(int32_t) m3ApiGetArg(uint32_t, bits)
  ANSWER(board_rate(bits))
}

static const char *link_imports(IM3Module module) {
  static const struct {
    const char *name, *signature;
    M3RawCall function;
  } imports[] = {
    {"read", "i(iiii)", import_read},
    {"program", "i(iiii)", import_program},
    {"erase", "i(ii)", import_erase},
    {"blank", "i(iii)", import_blank},
    {"entropy", "i(ii)", import_entropy},
    {"presence", "i(i)", import_presence},
    {"clock", "I()", import_clock},
    {"diag", "v(i)", import_diag},
    {"rate", "i(i)", import_rate},
  };
  for (uint32_t i = 0; i < sizeof imports / sizeof *imports; i++) {
    M3Result error = m3_LinkRawFunction(module, "board", imports[i].name, imports[i].signature, imports[i].function);
    /* An import that the core does not use is not in the module. */
    if (error && error != m3Err_functionLookupFailed) return error;
  }
  return NULL;
}

/* Finds an export that takes `arguments` i32 and gives one i32. */
static const char *find(struct core *core, const char *name, uint32_t arguments, IM3Function *function) {
  M3Result error = m3_FindFunction(function, core->runtime, name);
  if (error) return error;
  if (m3_GetArgCount(*function) != arguments || m3_GetRetCount(*function) != 1) return wrong_export;
  if (m3_GetRetType(*function, 0) != c_m3Type_i32) return wrong_export;
  for (uint32_t i = 0; i < arguments; i++)
    if (m3_GetArgType(*function, i) != c_m3Type_i32) return wrong_export;
  return NULL;
}

const char *core_load(struct core *core, const uint8_t *wasm, uint32_t length) {
  memset(core, 0, sizeof *core);
  core->environment = m3_NewEnvironment();
  if (!core->environment) return m3Err_mallocFailed;
  core->runtime = m3_NewRuntime(core->environment, WASM_STACK, NULL);
  if (!core->runtime) return m3Err_mallocFailed;
  IM3Module module;
  M3Result error = m3_ParseModule(core->environment, &module, wasm, length);
  if (error) return error;
  error = m3_LoadModule(core->runtime, module);
  if (error) {
    m3_FreeModule(module); /* once loaded it belongs to the runtime */
    return error;
  }
  if (m3_GetMemorySize(core->runtime) != PAGE) return not_one_page;
  error = link_imports(module);
  if (!error) error = m3_CompileModule(module);
  if (!error) error = find(core, "start", 2, &core->start);
  if (!error) error = find(core, "take", 1, &core->take);
  if (!error) error = find(core, "give", 0, &core->give);
  return error;
}

/* After work that may have used keys (an answer stands ready, the store was mounted, or nothing was received and the core did what it does
 * while nobody asks) the interpreter's stack is wiped: the core wipes its linear memory, but not the locals of functions that have returned.
 * Not after every byte received: it takes 20 us. */
static const char *call(struct core *core, IM3Function function, uint32_t count, const void *arguments[], int32_t *answer) {
  const void *answers[] = {answer};
  M3Result error = m3_Call(function, count, arguments);
  if (!error) error = m3_GetResults(function, 1, answers);
  bool received = function == core->take && *(const int32_t *)arguments[0] > 0;
  if (error || *answer > 0 || !received)
    memset(core->runtime->stack, 0, core->runtime->numStackSlots * sizeof(m3slot_t));
  return error;
}

const char *core_start(struct core *core, int32_t mode, int32_t trap_code, int32_t *answer) {
  return call(core, core->start, 2, (const void *[]){&mode, &trap_code}, answer);
}

const char *core_take(struct core *core, int32_t count, int32_t *answer) {
  return call(core, core->take, 1, (const void *[]){&count}, answer);
}

const char *core_give(struct core *core, int32_t *answer) {
  return call(core, core->give, 0, NULL, answer);
}

uint8_t *core_memory(struct core *core) {
  uint32_t size;
  return m3_GetMemory(core->runtime, &size, 0);
}
