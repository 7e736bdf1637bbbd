/* Instead of libFuzzer: plays the files that are named, one after the other, each once. */
#include "device.h"
#include <stddef.h>
#include <stdio.h>

enum { LENGTH_MAX = 1 << 20 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv) {
  static uint8_t input[LENGTH_MAX];
  LLVMFuzzerInitialize(&argc, &argv);
  for (int i = 1; i < argc; i++) {
    FILE *file = fopen(argv[i], "rb");
    MUST(file, "an input cannot be read");
    size_t size = fread(input, 1, sizeof input, file);
    fclose(file);
    fprintf(stderr, "%s\n", argv[i]);
    LLVMFuzzerTestOneInput(input, size);
  }
  return 0;
}
