/* What native C costs on the same processor: operations of other people's libraries behind a mailbox in RAM, for the virtual board alone. It sleeps;
 * whoever wakes it has written which operation it is, over how many bytes, and reads what came of it. scripts/bench/native.ts. */
#include <blake3.h>
#include <bearssl.h>
#include <sodium/crypto_aead_xchacha20poly1305.h>
#include <sodium/crypto_hash_sha256.h>
#include <sodium/crypto_hash_sha512.h>
#include <sodium/crypto_scalarmult_curve25519.h>
#include <sodium/crypto_sign_ed25519.h>
#include <stdint.h>
#include <string.h>

#define MOST 32768

/* As scripts/bench/native.ts has them. */
enum {
  NOTHING,
  SODIUM_SEAL,
  SODIUM_OPEN,
  SODIUM_SHA256,
  SODIUM_SHA512,
  SODIUM_X25519,
  SODIUM_X25519_BASE,
  SODIUM_PUBLIC_KEY,
  SODIUM_SIGN,
  SODIUM_VERIFY,
  BEARSSL_SEAL,
  BEARSSL_OPEN,
  BEARSSL_SHA256,
  BEARSSL_SHA512,
  BEARSSL_X25519,
  BEARSSL_X25519_BASE,
  BLAKE3
};

struct {
  uint32_t operation, length, done;
  uint8_t key[32], nonce[24], aad[96]; /* as much as a record's seal covers */
  uint8_t point[32], signing[64];
  uint8_t result[64]; /* a hash, a tag, a point, a signature */
  uint8_t data[MOST];
} mailbox;

/* Both are constant-time and take ChaCha20 with a nonce of 12 bytes: without the HChaCha20 of the others. */
static uint32_t bearssl_seal(int encrypts) {
  uint8_t tag[16];
  br_poly1305_ctmul_run(mailbox.key, mailbox.nonce, mailbox.data, mailbox.length, mailbox.aad, sizeof mailbox.aad, tag,
                        br_chacha20_ct_run, encrypts);
  uint32_t same = memcmp(tag, mailbox.result, sizeof tag) == 0;
  memcpy(mailbox.result, tag, sizeof tag);
  return encrypts || same;
}

static uint32_t run(void) {
  uint8_t *data = mailbox.data, *result = mailbox.result;
  uint32_t length = mailbox.length;
  switch (mailbox.operation) {
    case NOTHING: return 1;
    case SODIUM_SEAL:
      return crypto_aead_xchacha20poly1305_ietf_encrypt_detached(data, result, NULL, data, length, mailbox.aad, sizeof mailbox.aad,
                                                                 NULL, mailbox.nonce, mailbox.key) == 0;
    case SODIUM_OPEN:
      return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(data, NULL, data, length, result, mailbox.aad, sizeof mailbox.aad,
                                                                 mailbox.nonce, mailbox.key) == 0;
    case SODIUM_SHA256: return crypto_hash_sha256(result, data, length) == 0;
    case SODIUM_SHA512: return crypto_hash_sha512(result, data, length) == 0;
    case SODIUM_X25519: return crypto_scalarmult_curve25519(result, mailbox.key, mailbox.point) == 0;
    case SODIUM_X25519_BASE: return crypto_scalarmult_curve25519_base(result, mailbox.key) == 0;
    case SODIUM_PUBLIC_KEY: return crypto_sign_ed25519_seed_keypair(result, mailbox.signing, mailbox.key) == 0;
    case SODIUM_SIGN: return crypto_sign_ed25519_detached(result, NULL, data, length, mailbox.signing) == 0;
    case SODIUM_VERIFY: return crypto_sign_ed25519_verify_detached(result, data, length, mailbox.signing + 32) == 0;
    case BEARSSL_SEAL: return bearssl_seal(1);
    case BEARSSL_OPEN: return bearssl_seal(0);
    case BEARSSL_SHA256: {
      br_sha256_context context;
      br_sha256_init(&context);
      br_sha256_update(&context, data, length);
      br_sha256_out(&context, result);
      return 1;
    }
    case BEARSSL_SHA512: {
      br_sha512_context context;
      br_sha512_init(&context);
      br_sha512_update(&context, data, length);
      br_sha512_out(&context, result);
      return 1;
    }
    case BEARSSL_X25519: {
      uint8_t scalar[32]; /* big-endian */
      for (int i = 0; i < 32; i++) scalar[i] = mailbox.key[31 - i];
      memcpy(result, mailbox.point, 32);
      return br_ec_c25519_m31.mul(result, 32, scalar, 32, BR_EC_curve25519);
    }
    case BEARSSL_X25519_BASE: {
      uint8_t scalar[32];
      for (int i = 0; i < 32; i++) scalar[i] = mailbox.key[31 - i];
      return br_ec_c25519_m31.mulgen(result, scalar, 32, BR_EC_curve25519) == 32;
    }
    case BLAKE3: {
      static blake3_hasher hasher; /* 1.9 KB */
      blake3_hasher_init(&hasher);
      blake3_hasher_update(&hasher, data, length);
      blake3_hasher_finalize(&hasher, result, 32);
      return 1;
    }
    default: return 0;
  }
}

/* libsodium's end of a program that misuses it. */
void sodium_misuse(void) {
  for (;;) __asm volatile("udf #0");
}

extern uint32_t __stack_top[], __zero_start[], __zero_end[], __data_load[], __data_start[], __data_end[];

void reset_handler(void) {
  const uint32_t *from = __data_load;
  for (uint32_t *to = __data_start; to < __data_end;) *to++ = *from++;
  for (uint32_t *to = __zero_start; to < __zero_end;) *to++ = 0;
  for (;;) {
    __asm volatile("wfi" ::: "memory");
    mailbox.done = run();
  }
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {__stack_top, reset_handler};
