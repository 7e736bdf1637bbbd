/* The other end of the line: frames, whole messages, and requests sealed in a planted session. What comes back is checked as
 * a strict host would. SPEC.md sections 8, 9, 11. */
#pragma once
#include "device.h"

/* Who is at the board when a touch is awaited. */
enum person { TOUCHES, DENIES, ABSENT };

struct answer {
  uint8_t bytes[MBS_MESSAGE_MAX];
  uint32_t length; /* 0 = none came */
};

extern enum person host_person;
/* The link id of the last Opened, and the one that frames are sent on. */
extern uint16_t host_pending, host_link, host_sequence;

/* Forgets link and session, as after a power cycle. */
void host_reset(void);
/* Gives the core bytes and takes all that it sends: frames that a device may send, answers whole. */
void host_bytes(const uint8_t *bytes, uint32_t length);
/* Sends one frame, `length` bytes of payload. */
void host_frame(uint8_t type, uint16_t link, uint16_t sequence, uint16_t index, const uint8_t *payload, uint32_t length);
/* Lets time pass while nothing is sent. */
void host_idle(uint32_t ms);
/* Sends a whole message on a link of its own and collects the answer. */
void host_message(const uint8_t *message, uint32_t length, struct answer *answer);
/* Writes a session with these roles into the device. */
void host_plant(uint8_t roles, uint8_t place);
/* The first operator place in use, NO_OPERATOR when there is none. */
uint8_t host_operator(void);
/* The id of the planted session, 0 = none. */
uint16_t host_session(void);
/* Sends one request in the planted session. Answers whether the response was sealed; `answer` holds the map in it, or the
 * one that came in clear. */
bool host_request(const uint8_t *request, uint32_t length, struct answer *answer);
/* The status in a response, which must be a deterministic map. */
int32_t host_status(const uint8_t *map, uint32_t length);
