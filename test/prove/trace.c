/* What somebody beside the chip could see of a program: every program counter and every data address, in their order, as a hash. Hooks for
 * libunicorn (unicorn.h 2.0), because a callback in JavaScript per instruction would be a hundred times slower.
 * A trace falls into stretches at each access to marked addresses; the long ones are kept. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { READ = 16, WRITE = 17 };   /* uc_mem_type */
enum { LR = 10, SP = 12, R0 = 66 };        /* uc_arm_reg */
enum { PIECE = 1 << 14 };       /* events between two kept hashes */
enum { PIECES = 1 << 16, STRETCHES = 256, LOG = PIECE, DEPTH = 64, MARKS = 6 };
enum { FUNCTION_OFF_WASM = 12 };  /* struct M3Function, m3_function.h: module, import (two pointers), wasm */

/* One event of a log, with the functions that were running, the innermost first; zeros behind them. */
struct event {
  uint64_t what;
  uint32_t pc;
  uint32_t functions[15];
};

struct stretch {
  uint64_t hash, events, first; /* of its hashes among the pieces */
};

static struct stretch stretches[STRETCHES];
static uint32_t kept, least; /* events of a stretch that is kept */
static struct stretch now;
static uint64_t pieces[PIECES];
static uint32_t used;
static struct {
  uint32_t from, to;
} marks[MARKS];
static bool on;
static uint32_t entry, pc;
static uint32_t log_which;
static uint64_t log_from;
static struct event events[LOG];
static uint32_t logged;
static struct {
  uint32_t wasm, back, sp; /* its code in the module, where it returns to and with which stack */
} calls[DEPTH];
static int depth;
static int (*reg_read)(void *, int, void *);
static int (*mem_read)(void *, uint64_t, void *, uint64_t);

static uint32_t reg(void *uc, int which) {
  uint32_t value = 0;
  reg_read(uc, which, &value);
  return value;
}

static uint32_t word(void *uc, uint32_t at) {
  uint32_t value = 0;
  mem_read(uc, at, &value, 4);
  return value;
}

static void keep(uint64_t what) {
  struct event *event = &events[logged++];
  memset(event, 0, sizeof *event);
  event->what = what;
  event->pc = pc;
  for (int i = depth - 1, n = 0; i >= 0 && n < 15; i--) event->functions[n++] = calls[i].wasm;
}

static void see(uint64_t what) {
  if (kept == log_which && now.events >= log_from && logged < LOG) keep(what);
  now.hash = (now.hash ^ what) * 0x9e3779b97f4a7c15;
  now.hash ^= now.hash >> 29;
  if (++now.events % PIECE == 0 && used < PIECES) pieces[used++] = now.hash;
}

static void begin(void) {
  now = (struct stretch){.hash = 0x6a09e667f3bcc908, .first = used};
  if (kept == log_which) logged = 0; /* what was logged of a short one */
}

static void split(void) {
  if (now.events > least && kept < STRETCHES) stretches[kept++] = now;
  else used = now.first;
  begin();
}

static bool marked(uint64_t address) {
  for (int i = 0; i < MARKS; i++)
    if (address >= marks[i].from && address < marks[i].to) return true;
  return false;
}

/* op_Entry begins a function: r0 points at the address of its struct M3Function. Those that a trap ended have no stack any more. */
static void called(void *uc) {
  uint32_t sp = reg(uc, SP);
  while (depth > 0 && calls[depth - 1].sp <= sp) depth--;
  if (depth == DEPTH) return;
  calls[depth].sp = sp;
  calls[depth].back = reg(uc, LR) & ~1u;
  calls[depth++].wasm = word(uc, word(uc, reg(uc, R0)) + FUNCTION_OFF_WASM);
}

void trace_code(void *uc, uint64_t address, uint32_t size, void *user) {
  (void)size, (void)user;
  if (!on) return;
  pc = (uint32_t)address;
  if (depth > 0 && pc == calls[depth - 1].back && reg(uc, SP) == calls[depth - 1].sp) depth--;
  if (entry != 0 && pc == entry) called(uc);
  see(address);
}

void trace_memory(void *uc, int type, uint64_t address, int size, int64_t value, void *user) {
  (void)uc, (void)value, (void)user;
  if (!on) return;
  if (marked(address)) split();
  else see(address | (uint64_t)size << 32 | (uint64_t)(type == WRITE ? 2 : 1) << 40);
}

/* Where op_Entry stands, 0 without an interpreter, and events of a stretch that is short. 0 when libunicorn is not there. */
int trace_open(uint32_t entry_address, uint32_t short_events) {
  void *lib = dlopen("libunicorn.so.2", RTLD_NOW);
  if (!lib) return 0;
  *(void **)&reg_read = dlsym(lib, "uc_reg_read");
  *(void **)&mem_read = dlsym(lib, "uc_mem_read");
  entry = entry_address & ~1u;
  least = short_events;
  return reg_read && mem_read;
}

/* Marks addresses from `from` up to `to`; `which` is below MARKS. */
void trace_mark(uint32_t which, uint32_t from, uint32_t to) {
  marks[which].from = from;
  marks[which].to = to;
}

/* Starts a trace; of those that are kept, stretch `which` is logged from event `first` on. */
void trace_start(uint32_t which, uint64_t first) {
  log_which = which;
  log_from = first;
  kept = used = logged = 0;
  depth = 0;
  begin();
  on = true;
}

/* Ends it. The number of stretches that were kept; too many of them, or of their pieces, make it 0. */
uint32_t trace_stop(void) {
  split();
  on = false;
  return kept == STRETCHES || used == PIECES ? 0 : kept;
}

const struct stretch *trace_stretches(void) { return stretches; }
const uint64_t *trace_pieces(void) { return pieces; }
uint32_t trace_logged(void) { return logged; }
const struct event *trace_events(void) { return events; }
