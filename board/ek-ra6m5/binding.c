/* See binding.h. A core that was put into an image without being bound to it is not started. */
#include "binding.h"
#include "core_wasm.h"
#include <string.h>

bool binding_fits(void) {
  uint32_t magic;
  memcpy(&magic, binding_record + MBS_BINDING_OFF_MAGIC, sizeof magic);
  return magic == MBS_BINDING_MAGIC && binding_record[MBS_BINDING_OFF_VERSION] == MBS_BINDING_VERSION &&
         memcmp(binding_record + MBS_BINDING_OFF_CORE, core_wasm_sha256, sizeof core_wasm_sha256) == 0;
}
