/* See host.h. ChaCha20-Poly1305 is OpenSSL's. */
#include "host.h"
#include "layout.h"
#include <openssl/evp.h>
#include <string.h>

enum { TAG = 16, LOOK_MS = 10, GRACE_MS = 2000 };
/* one session in SESSIONS, firmware/session/channel.ts */
enum { OFF_FLAGS = 0, OFF_ID = 4, OFF_ROLE = 6, OFF_PLACE = 7, OFF_RECEIVED = 8, OFF_SENT = 16, OFF_MADE = 24,
       OFF_USED = 32, OFF_RECEIVE_KEY = 40, OFF_SEND_KEY = 72 };

enum person host_person;
uint16_t host_pending, host_link, host_sequence;

static struct {
  uint8_t type;
  uint16_t link, sequence, index;
  uint8_t payload[MBS_PAYLOAD_MAX];
  uint32_t length;
} frame; /* that came last */
static struct {
  uint8_t bytes[MBS_MESSAGE_MAX];
  uint32_t length;
  uint16_t link, sequence, first, next; /* indices of its fragments */
  bool follows;                         /* another one is announced */
} stream; /* the fragments of an answer that came one after the other */
static uint32_t frames; /* that came since this was set to 0 */
static uint16_t nonce;
static uint16_t planted;
static uint64_t sent, received;

static uint16_t get16(const uint8_t *at) {
  return at[0] | at[1] << 8;
}

static void put16(uint8_t *at, uint16_t value) {
  at[0] = value;
  at[1] = value >> 8;
}

static uint32_t crc32(const uint8_t *bytes, uint32_t length) {
  static uint32_t table[256];
  if (!table[1])
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0xedb88320 : value >> 1;
      table[i] = value;
    }
  uint32_t crc = 0xffffffff;
  for (uint32_t i = 0; i < length; i++) crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 255];
  return ~crc;
}

/* Fragments come in order, and nothing comes between them. */
static void take_fragment(bool follows) {
  if (!stream.follows) {
    stream.length = 0;
    stream.link = frame.link;
    stream.sequence = frame.sequence;
    stream.first = stream.next = frame.index;
  }
  MUST(frame.link == stream.link && frame.sequence == stream.sequence && frame.index == stream.next,
       "a fragment is not the one that follows");
  MUST(stream.length + frame.length <= sizeof stream.bytes, "an answer is longer than a message");
  MUST(!follows || frame.length == MBS_PAYLOAD_MAX, "a fragment is not full, and another follows");
  memcpy(stream.bytes + stream.length, frame.payload, frame.length);
  stream.length += frame.length;
  stream.next++;
  stream.follows = follows;
}

/* What the core sent must be one frame, in the one form that COBS has for it. */
static void receive(const uint8_t *bytes, uint32_t length) {
  uint8_t plain[MBS_TX_SIZE];
  uint32_t size = 0;
  uint8_t previous = 0;
  MUST(length > 0 && bytes[length - 1] == 0, "an answer does not end in a delimiter");
  for (uint32_t at = 0; at < length - 1;) {
    uint8_t code = bytes[at];
    uint32_t next = at + code;
    MUST(code != 0 && next <= length - 1, "an answer is no COBS");
    MUST(next < length - 1 || code != 1 || previous != 255, "an answer has an empty group too many");
    for (uint32_t i = at + 1; i < next; i++) {
      MUST(bytes[i] != 0, "an answer has a delimiter inside");
      plain[size++] = bytes[i];
    }
    if (code != 255 && next < length - 1) plain[size++] = 0;
    previous = code;
    at = next;
  }
  MUST(size >= MBS_FRAME_HEADER + MBS_FRAME_CRC && size <= MBS_FRAME_MAX, "an answer is too short or too long");
  uint32_t end = size - MBS_FRAME_CRC;
  uint32_t crc = get16(plain + end) | (uint32_t)get16(plain + end + 2) << 16;
  MUST(crc == crc32(plain, end), "an answer has a wrong CRC");
  frame.type = plain[MBS_FRAME_OFF_TYPE];
  frame.link = get16(plain + MBS_FRAME_OFF_LINK);
  frame.sequence = get16(plain + MBS_FRAME_OFF_SEQUENCE);
  frame.index = get16(plain + MBS_FRAME_OFF_INDEX);
  frame.length = end - MBS_FRAME_HEADER;
  memcpy(frame.payload, plain + MBS_FRAME_HEADER, frame.length);
  frames++;
  MUST(!stream.follows || (frame.type & ~MBS_FRAME_MORE) == MBS_FRAME_TYPE_DATA, "an answer is interrupted");
  switch (frame.type) {
  case MBS_FRAME_TYPE_OPENED:
    MUST(frame.length == 5, "Opened has another length");
    host_pending = get16(frame.payload);
    break;
  case MBS_FRAME_TYPE_BUSY:
    MUST(frame.length == 5 && frame.payload[4] <= 1, "Busy has another form");
    break;
  case MBS_FRAME_TYPE_ACK:
  case MBS_FRAME_TYPE_CLOSED:
  case MBS_FRAME_TYPE_OVERFLOW:
    MUST(frame.length == 0, "an answer without payload has one");
    break;
  case MBS_FRAME_TYPE_RATED:
    MUST(frame.length == 4, "Rated has another length");
    break;
  default:
    MUST((frame.type & ~MBS_FRAME_MORE) == MBS_FRAME_TYPE_DATA, "the device sends what only hosts send");
    take_fragment(frame.type & MBS_FRAME_MORE);
  }
}

static void collect(int32_t length) {
  for (; length > 0; length = device_give()) receive(device_tx(), length);
  MUST(!stream.follows, "an answer breaks off");
}

void host_reset(void) {
  host_link = host_pending = host_sequence = 0;
  planted = 0;
  nonce = 0x100;
}

void host_bytes(const uint8_t *bytes, uint32_t length) {
  for (uint32_t at = 0; at < length; at += MBS_RX_SIZE) {
    uint32_t piece = length - at < MBS_RX_SIZE ? length - at : MBS_RX_SIZE;
    collect(device_take(bytes + at, piece));
  }
}

void host_frame(uint8_t type, uint16_t link, uint16_t sequence, uint16_t index, const uint8_t *payload, uint32_t length) {
  uint8_t plain[2048], out[2 + sizeof plain + sizeof plain / 254];
  plain[MBS_FRAME_OFF_TYPE] = type;
  put16(plain + MBS_FRAME_OFF_LINK, link);
  put16(plain + MBS_FRAME_OFF_SEQUENCE, sequence);
  put16(plain + MBS_FRAME_OFF_INDEX, index);
  if (length) memcpy(plain + MBS_FRAME_HEADER, payload, length);
  uint32_t size = MBS_FRAME_HEADER + length, crc = crc32(plain, size);
  put16(plain + size, crc);
  put16(plain + size + 2, crc >> 16);
  size += MBS_FRAME_CRC;
  uint32_t code = 0, end = 1;
  for (uint32_t i = 0; i < size; i++) {
    if (end - code == 255) {
      out[code] = 255;
      code = end++;
    }
    if (plain[i]) out[end++] = plain[i];
    else {
      out[code] = end - code;
      code = end++;
    }
  }
  out[code] = end - code;
  out[end++] = 0;
  host_bytes(out, end);
}

void host_idle(uint32_t ms) {
  device_pass(ms);
  collect(device_take(NULL, 0));
}

/* After Busy: the person acts if a touch is awaited, and time passes until the answer is there. */
static void await_answer(void) {
  uint32_t ms = get16(frame.payload) | (uint32_t)get16(frame.payload + 2) << 16;
  bool touch = frame.payload[4] != 0;
  uint64_t end = device_time + ((uint64_t)ms + GRACE_MS) * 1000, began = device_time;
  uint32_t pressed = host_person == DENIES ? MBS_SWITCH_S2 : MBS_SWITCH_S1, before = device_switches;
  MUST(ms <= MBS_BUSY_MAX, "Busy announces more than it may");
  frames = 0;
  while (frames == 0 && device_time < end) {
    uint64_t waited = (device_time - began) / 1000;
    if (touch && host_person != ABSENT)
      device_switches = waited < 60 ? 0 : waited < 120 ? pressed : 0;
    host_idle(ms > 5000 && host_person == ABSENT ? 500 : LOOK_MS);
  }
  device_switches = before;
  MUST(frames > 0, "an answer does not come in the time that Busy named");
}

void host_message(const uint8_t *message, uint32_t length, struct answer *answer) {
  answer->length = 0;
  if (host_link == 0) {
    uint8_t version = MBS_PROTOCOL_VERSION, delimiter = 0;
    host_bytes(&delimiter, 1); /* whatever stood on the line is over */
    frames = 0;
    host_frame(MBS_FRAME_TYPE_OPEN, ++nonce, 0, 0, &version, 1);
    MUST(frames == 1 && frame.type == MBS_FRAME_TYPE_OPENED && frame.link == nonce, "Open is not answered");
    host_link = host_pending;
    host_sequence = 0;
  }
  for (uint32_t at = 0; at == 0 || at < length; at += MBS_PAYLOAD_MAX) {
    bool more = at + MBS_PAYLOAD_MAX < length;
    frames = 0;
    host_frame(MBS_FRAME_TYPE_DATA | (more ? MBS_FRAME_MORE : 0), host_link, ++host_sequence, 0, message + at,
               more ? MBS_PAYLOAD_MAX : length - at);
    MUST(frames > 0, "a message is not answered");
    MUST(!more || frame.type == MBS_FRAME_TYPE_ACK, "a fragment is not taken");
  }
  if (frame.type == MBS_FRAME_TYPE_OVERFLOW) {
    MUST(length > MBS_MESSAGE_MAX, "a message that fits is answered Overflow");
    return;
  }
  MUST(length <= MBS_MESSAGE_MAX, "a message that does not fit is not answered Overflow");
  for (int n = 0; frame.type == MBS_FRAME_TYPE_BUSY; n++) {
    MUST(n < 4, "Busy upon Busy");
    await_answer();
  }
  MUST(frame.type == MBS_FRAME_TYPE_DATA && stream.link == host_link && stream.sequence == host_sequence &&
           stream.first == 0,
       "an answer is not the one that was asked for");
  MUST(stream.length > 0, "an answer is empty");
  memcpy(answer->bytes, stream.bytes, stream.length);
  answer->length = stream.length;
  if (stream.next == 1) return;
  uint16_t again = host_sequence % stream.next; /* as if it had been lost, with all behind it */
  uint32_t before = again * MBS_PAYLOAD_MAX;
  frames = 0;
  host_frame(MBS_FRAME_TYPE_NEXT, host_link, host_sequence, again, NULL, 0);
  MUST(frames > 0 && frame.type == MBS_FRAME_TYPE_DATA && stream.first == again &&
           stream.length == answer->length - before && !memcmp(stream.bytes, answer->bytes + before, stream.length),
       "Next is answered with other bytes");
}

/* Sessions. */

static void key(uint8_t *to, uint8_t end) {
  for (int i = 0; i < 32; i++) to[i] = i * 7 + end + planted;
}

uint8_t host_operator(void) {
  const uint8_t *bits = device_memory() + AT_CURRENT + MBS_BODY_OFF_OPERATORS;
  for (uint8_t place = 0; place < MBS_OPERATOR_PLACES; place++)
    if (bits[place / 8] >> place % 8 & 1) return place;
  return MBS_NO_OPERATOR;
}

uint16_t host_session(void) {
  return planted;
}

void host_plant(uint8_t roles, uint8_t place) {
  uint8_t *at = device_memory() + AT_SESSIONS;
  planted++;
  sent = received = 0;
  memset(at, 0, AT_SESSION_SIZE);
  at[OFF_FLAGS] = 1;
  put16(at + OFF_ID, planted);
  at[OFF_ROLE] = roles;
  at[OFF_PLACE] = place;
  memcpy(at + OFF_MADE, &device_time, 8);
  memcpy(at + OFF_USED, &device_time, 8);
  key(at + OFF_RECEIVE_KEY, 1);
  key(at + OFF_SEND_KEY, 2);
}

/* Seals or opens `length` bytes in place with the tag behind them. Answers whether it is genuine. */
static bool aead(bool seals, uint64_t number, uint8_t *bytes, uint32_t length) {
  static EVP_CIPHER_CTX *context;
  if (!context) context = EVP_CIPHER_CTX_new();
  uint8_t secret[32], iv[12] = {0};
  int out;
  key(secret, seals ? 1 : 2);
  memcpy(iv + 4, &number, 8);
  EVP_CipherInit_ex(context, EVP_chacha20_poly1305(), NULL, secret, iv, seals);
  if (!seals) EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, bytes + length);
  EVP_CipherUpdate(context, bytes, &out, bytes, length);
  int fine = EVP_CipherFinal_ex(context, bytes + length, &out);
  if (seals) EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, bytes + length);
  return fine == 1;
}

bool host_request(const uint8_t *request, uint32_t length, struct answer *answer) {
  static uint8_t message[MBS_MESSAGE_MAX];
  message[0] = MBS_ENVELOPE_SEALED;
  put16(message + 1, planted);
  memcpy(message + 3, request, length);
  aead(true, sent++, message + 3, length);
  host_message(message, 3 + length + TAG, answer);
  bool sealed = answer->bytes[0] == MBS_ENVELOPE_SEALED;
  if (sealed) {
    MUST(answer->length >= 3 + TAG && get16(answer->bytes + 1) == planted, "a sealed answer is of another session");
    MUST(aead(false, received++, answer->bytes + 3, answer->length - 3 - TAG), "a sealed answer is not genuine");
    answer->length -= 3 + TAG;
    memmove(answer->bytes, answer->bytes + 3, answer->length);
  } else {
    MUST(answer->bytes[0] == MBS_ENVELOPE_CLEAR, "an answer has an envelope that there is not");
    answer->length -= 1;
    memmove(answer->bytes, answer->bytes + 1, answer->length);
    MUST(host_status(answer->bytes, answer->length) == MBS_NO_SESSION, "a request in a session is answered in clear");
  }
  return sealed;
}

/* Deterministic CBOR, RFC 8949 section 4.2, with the types that messages have. */

struct reader {
  const uint8_t *at, *end;
};

static uint32_t head(struct reader *r, uint8_t *major) {
  MUST(r->at < r->end, "a response ends too early");
  uint8_t first = *r->at++, info = first & 31;
  *major = first >> 5;
  if (info < 24) return info;
  MUST(info <= 26 && *major != 7, "a response has a head that messages do not have");
  uint32_t size = 1u << (info - 24), value = 0;
  for (uint32_t i = 0; i < size; i++) {
    MUST(r->at < r->end, "a response ends too early");
    value = value << 8 | *r->at++;
  }
  MUST(value >= (info == 24 ? 24u : info == 25 ? 0x100u : 0x10000u), "a response is not in shortest form");
  return value;
}

static void item(struct reader *r, int depth) {
  uint8_t major;
  MUST(depth < 4, "a response is deeper than any");
  uint32_t value = head(r, &major);
  if (major == 2 || major == 3) {
    MUST(value <= (uint32_t)(r->end - r->at), "a string in a response goes beyond its end");
    r->at += value;
  } else if (major == 4) {
    for (uint32_t i = 0; i < value; i++) item(r, depth + 1);
  } else if (major == 5) {
    int64_t last = -1;
    for (uint32_t i = 0; i < value; i++) {
      uint32_t next = head(r, &major);
      MUST(major == 0 && next > last, "the keys of a response do not ascend");
      last = next;
      item(r, depth + 1);
    }
  } else {
    MUST(major < 2 || (major == 7 && (value == 20 || value == 21)), "a response has a type that messages do not have");
  }
}

int32_t host_status(const uint8_t *map, uint32_t length) {
  struct reader r = {map, map + length};
  uint32_t first = map[0] == 0xb8 ? 2 : 1; /* from 24 pairs on their number takes a byte of its own */
  MUST(length >= first + 2 && map[0] >> 5 == 5 && map[first] == 0, "a response does not begin with a status");
  item(&r, 0);
  if (r.at < r.end) { /* a list: a sequence of maps, which ends with how many records it could not read */
    MUST(length > 3 && map[0] == 0xa1 && map[2] == 0, "more follows than the entries of a list");
    const uint8_t *last;
    do {
      last = r.at;
      MUST(*last >> 5 == 5, "an entry is no map");
      item(&r, 0);
    } while (r.at < r.end);
    MUST(last[0] == 0xa1 && last[1] == 0x18 && last[2] == MBS_KEY_CORRUPT, "a list does not end as lists do");
  }
  r = (struct reader){map + first + 1, map + length};
  uint8_t major;
  uint32_t value = head(&r, &major);
  MUST(major == 0 ? value == 0 : major == 1, "a status is no status");
  return major == 0 ? 0 : -1 - (int32_t)value;
}
