/* Inputs, what they do, and what must hold after each. test/fuzz/steps.ts reads the same inputs; the grammar stands there.
 * Environment: MBS_FUZZ_TARGET link, message or session; MBS_FUZZ_IMAGE the media to start from. */
#include "host.h"
#include "layout.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum target { LINK, MESSAGE, SESSION };
enum operation { RAW, FRAME, WHOLE, FORGED, REQUEST, IDLE, SWITCHES, POWER };
static const uint8_t operations[3][8] = {
    [LINK] = {RAW, FRAME, FRAME, FRAME, FRAME, IDLE, SWITCHES, POWER},
    [MESSAGE] = {WHOLE, WHOLE, WHOLE, FORGED, FORGED, IDLE, SWITCHES, POWER},
    [SESSION] = {REQUEST, REQUEST, REQUEST, REQUEST, REQUEST, IDLE, SWITCHES, POWER},
};
enum { ALL_ROLES = 15, READS_EVERY = 32 };

static enum target target;
static struct answer answer;
static struct answer expected[DEVICE_RECORDS]; /* what a get of each record answers */

/* The input in hand. */
static const uint8_t *at, *end;
static uint8_t roles;
static bool changed;   /* some request that changes the store was answered Ok */
static bool may_reset; /* both switches were pressed at a power-up */

static uint8_t next_byte(void) {
  return at < end ? *at++ : 0;
}

static uint32_t next_word(void) {
  uint8_t low = next_byte();
  return low | next_byte() << 8;
}

static const uint8_t *next_bytes(uint32_t *length) {
  if (*length > (size_t)(end - at)) *length = end - at;
  const uint8_t *from = at;
  at += *length;
  return from;
}

/* A message: bytes of the input; with the high bit of its length, the last of them again and again up to length + 520. */
static uint32_t next_message(uint8_t *to, uint32_t most) {
  uint32_t word = next_word(), length = word & 0x7fff;
  const uint8_t *from = next_bytes(&length);
  if (length > most) length = most;
  memcpy(to, from, length);
  if (!(word & 0x8000)) return length;
  uint32_t whole = (word & 0x7fff) + 520;
  if (whole > most) whole = most;
  if (whole < length) return length;
  memset(to + length, length ? to[length - 1] : 0, whole - length);
  return whole;
}

static void raw(void) {
  uint32_t length = next_byte();
  const uint8_t *from = next_bytes(&length);
  if (length) host_bytes(from, length);
}

static void frame(void) {
  uint8_t payload[1100];
  uint8_t type = next_byte(), link = next_byte(), step = next_byte(), index = next_byte(), code = next_byte(),
          times = next_byte();
  uint32_t length = code < 200 ? code : (code - 200) * 20u, given = length;
  const uint8_t *from = next_bytes(&given);
  memset(payload, 0x5a, sizeof payload);
  memcpy(payload, from, given);
  if (host_link == 0) host_link = host_pending;
  uint16_t id = link == 0 ? host_link : link == 1 ? host_pending : link;
  for (int n = 0; n <= (times < 64 ? times : 0); n++) {
    host_sequence += (int8_t)step + 1;
    host_frame(type, id, host_sequence, index, payload, length);
  }
  if (link == 1) host_link = host_pending;
}

static void whole(void) {
  static uint8_t message[MBS_MESSAGE_MAX + 8];
  uint32_t length = next_message(message, sizeof message);
  host_message(message, length, &answer);
  if (answer.length == 0) return;
  MUST(answer.bytes[0] == MBS_ENVELOPE_CLEAR, "a message of nobody is answered as if it were somebody's");
  int32_t status = host_status(answer.bytes + 1, answer.length - 1);
  if (length > 0 && message[0] == MBS_ENVELOPE_HANDSHAKE)
    MUST(status == MBS_HANDSHAKE_REFUSED, "a handshake without a key is not refused");
  else
    MUST(status == MBS_NO_SESSION || status == MBS_OK, "a message of nobody has another answer than NoSession or hello's");
}

static void plant(uint8_t allowed) {
  host_plant(allowed, host_operator());
}

/* A message that names the running session, and is not of it. */
static void forged(void) {
  static uint8_t message[MBS_MESSAGE_MAX];
  static const uint8_t info[] = {0xa1, 0x00, MBS_COMMAND_INFO};
  if (host_session() == 0) plant(ALL_ROLES);
  message[0] = MBS_ENVELOPE_SEALED;
  message[1] = host_session();
  message[2] = host_session() >> 8;
  uint32_t length = 3 + next_message(message + 3, sizeof message - 3);
  host_message(message, length, &answer);
  MUST(answer.bytes[0] == MBS_ENVELOPE_CLEAR && host_status(answer.bytes + 1, answer.length - 1) == MBS_NO_SESSION,
       "a forged message is answered as if it were genuine");
  if (may_reset) return; /* the store may be gone, and the session with its operator */
  MUST(host_request(info, sizeof info, &answer) && host_status(answer.bytes, answer.length) == MBS_OK,
       "a forged message disturbs the running session");
}

/* Sends a request in a session that may do it; a planted one is over after a restart and when its operator is gone. */
static bool ask(uint8_t allowed, const uint8_t *request, uint32_t length) {
  if (host_session() == 0) plant(allowed);
  bool sealed = host_request(request, length, &answer);
  for (int again = 0; again < 2 && !sealed; again++) {
    host_plant(allowed, again ? MBS_NO_OPERATOR : host_operator());
    sealed = host_request(request, length, &answer);
  }
  return sealed;
}

/* Positions are claimed by whoever uses them. */
static bool changes_for_users(uint8_t command) {
  return command == MBS_COMMAND_FILEKEY_RESERVE || command == MBS_COMMAND_FILEKEY_RENEW;
}

static bool changes(uint8_t command) {
  switch (command) {
  case MBS_COMMAND_PUT:
  case MBS_COMMAND_EVICT:
  case MBS_COMMAND_REPLACE:
  case MBS_COMMAND_RELABEL:
  case MBS_COMMAND_POLICY:
  case MBS_COMMAND_GENERATE:
  case MBS_COMMAND_EPOCH:
  case MBS_COMMAND_ACCEPT:
  case MBS_COMMAND_PROVISION_BEGIN:
  case MBS_COMMAND_PROVISION_FINISH:
  case MBS_COMMAND_OPERATOR_ADD:
  case MBS_COMMAND_OPERATOR_ROTATE:
  case MBS_COMMAND_OPERATOR_ROLE:
  case MBS_COMMAND_OPERATOR_REMOVE:
  case MBS_COMMAND_RESET:
  case MBS_COMMAND_FILEKEY_CREATE:
  case MBS_COMMAND_FILEKEY_IMPORT:
  case MBS_COMMAND_FILEKEY_DELETE:
    return true;
  }
  return changes_for_users(command);
}

/* 16 equal bytes behind the head of a byte string of 16 name a record by its number. */
static void name_records(uint8_t *bytes, uint32_t length) {
  for (uint32_t i = 0; i + 17 <= length; i++) {
    uint8_t number = bytes[i + 1];
    if (bytes[i] != 0x50 || number >= device_records || memcmp(bytes + i + 1, bytes + i + 2, 15)) continue;
    memcpy(bytes + i + 1, device_handles[number], MBS_HANDLE_SIZE);
  }
}

static void request(void) {
  static uint8_t map[MBS_INNER_MAX];
  uint32_t length = next_message(map, sizeof map);
  name_records(map, length);
  uint32_t before = device_operations;
  bool sealed = ask(roles, map, length);
  int32_t status = host_status(answer.bytes, answer.length);
  if (!sealed) return;
  /* the command comes first in every request that is done; from 24 on it takes two bytes */
  uint8_t command = map[2] == 24 ? map[3] : map[2];
  if (status == MBS_OK && changes(command)) {
    uint8_t may = changes_for_users(command) ? MBS_ROLE_USER : MBS_ROLE_ADMIN | MBS_ROLE_SETUP;
    MUST(roles & may, "somebody changes the store who may not");
    changed = true;
  }
  if (status == MBS_MALFORMED || status == MBS_UNKNOWN_COMMAND || status == MBS_WRONG_ROLE)
    MUST(device_operations == before, "a request that is refused at once changes flash");
}

static void power(void) {
  if (device_switches == (MBS_SWITCH_S1 | MBS_SWITCH_S2)) may_reset = true;
  device_boot();
  host_reset();
}

/* What hello says the state is. */
static uint8_t hello(void) {
  static const uint8_t message[] = {MBS_ENVELOPE_CLEAR, 0xa1, 0x00, MBS_COMMAND_HELLO};
  host_link = 0;
  host_message(message, sizeof message, &answer);
  MUST(answer.length > 1 && answer.bytes[0] == MBS_ENVELOPE_CLEAR, "hello is not answered in clear");
  MUST(host_status(answer.bytes + 1, answer.length - 1) == MBS_OK, "hello is refused");
  /* instance: 22, 16 bytes; state: 23, one byte */
  for (uint32_t i = 1; i + 20 < answer.length; i++)
    if (answer.bytes[i] == MBS_KEY_INSTANCE && answer.bytes[i + 1] == 0x50 && answer.bytes[i + 18] == MBS_KEY_STATE)
      return answer.bytes[i + 19];
  MUST(false, "hello does not name the state");
  return 0;
}

static void get(uint32_t number) {
  uint8_t map[] = {0xa2, 0x00, MBS_COMMAND_GET, MBS_KEY_HANDLE, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  memcpy(map + 5, device_handles[number], MBS_HANDLE_SIZE);
  host_person = TOUCHES;
  MUST(ask(ALL_ROLES, map, sizeof map), "a get is not answered in its session");
}

static uint32_t list(struct answer *to) {
  static const uint8_t map[] = {0xa1, 0x00, MBS_COMMAND_LIST};
  MUST(ask(ALL_ROLES, map, sizeof map), "a list is not answered in its session");
  MUST(host_status(answer.bytes, answer.length) == MBS_OK, "a list is refused");
  memcpy(to, &answer, sizeof answer);
  return to->length;
}

/* After each input: the device lives, and the store is what it was, or what was asked for. */
static void check(uint64_t seed) {
  static struct answer before, after;
  device_switches = 0;
  host_idle(20000); /* what waits for a touch or a pause is over */
  host_reset();
  uint8_t state = hello();
  if (may_reset || state == MBS_STATE_BLANK || state == MBS_STATE_PROVISIONING) {
    MUST(may_reset || changed, "the store is gone, and nobody asked for it");
    power();
    hello();
    return;
  }
  MUST(state == MBS_STATE_READY, "the store is not ready any more");
  if (target != SESSION) MUST(device_store_changes == 0, "a message of nobody changes the store");
  if (changed) {
    list(&before);
    power();
    MUST(hello() == MBS_STATE_READY, "the store is not ready after a power cycle");
    list(&after);
    MUST(before.length == after.length && !memcmp(before.bytes, after.bytes, before.length),
         "a list is another one after a power cycle");
  } else {
    if (seed % READS_EVERY != 0) return;
    power();
    for (uint32_t i = 0; i < device_records; i++) {
      get(i);
      MUST(answer.length == expected[i].length && !memcmp(answer.bytes, expected[i].bytes, answer.length),
           "a record is not what it was");
    }
  }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  const char *name = getenv("MBS_FUZZ_TARGET"), *image = getenv("MBS_FUZZ_IMAGE");
  target = name && !strcmp(name, "session") ? SESSION : name && !strcmp(name, "message") ? MESSAGE : LINK;
  device_init(image ? image : "build/fuzz/store.image");
  host_reset();
  MUST(hello() == MBS_STATE_READY, "the store in the image is not ready");
  for (uint32_t i = 0; i < device_records; i++) {
    get(i);
    expected[i] = answer;
  }
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint64_t seed = 0xcbf29ce484222325; /* FNV-1a of the input */
  for (size_t i = 0; i < size; i++) seed = (seed ^ data[i]) * 0x100000001b3;
  device_restore(seed);
  host_reset();
  at = data;
  end = data + size;
  changed = may_reset = false;
  uint8_t options = next_byte();
  roles = options & 15 ? options & 15 : ALL_ROLES;
  host_person = (enum person)((options >> 4) % 3);
  while (at < end) {
    switch ((enum operation)operations[target][next_byte() & 7]) {
    case RAW: raw(); break;
    case FRAME: frame(); break;
    case WHOLE: whole(); break;
    case FORGED: forged(); break;
    case REQUEST: request(); break;
    case IDLE: host_idle(next_byte() * 10); break;
    case SWITCHES: device_switches = next_byte() & 3; break;
    case POWER: power(); break;
    }
  }
  check(seed);
  return 0;
}
