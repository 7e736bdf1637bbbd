/** The link: COBS frames with CRC-32 on a byte stream, driven by the host. SPEC.md §8. Little-endian.
 *  The device only answers: a fragment with an Ack, a whole message with all fragments of the response (or Busy, then those). */
export const PROTOCOL_VERSION: i32 = 4; // raised when a byte on the wire changes meaning

export enum FrameType {
  /** Host: begin; link = the host's random nonce. Payload: u8 protocol version. */
  Open = 1,
  /** Device: link = the nonce answered; payload: u16 link id to use, u16 largest payload, u8 protocol version. */
  Opened = 2,
  /** Either side: a fragment of a message; FRAME_MORE when another follows. */
  Data = 3,
  /** Device: a fragment was taken, and all before it. */
  Ack = 4,
  /** Host: send the answer to `sequence` again, from fragment `index` on. */
  Next = 5,
  /** Device: the answer comes within u32 milliseconds; then u8 BusyReason (payload). Send nothing meanwhile, or give up what waits for a touch. */
  Busy = 6,
  /** Device: this link id is not open (restart). Open again. */
  Closed = 7,
  /** Device: the message is longer than MESSAGE_MAX; it was dropped. */
  Overflow = 8,
  /** Host: go on at u32 bits per second (payload). */
  Rate = 9,
  /** Device: from here on it speaks and hears at u32 bits per second (payload): the rate asked for, or the present one. */
  Rated = 10,
}

/** Why the answer takes a while. */
export enum BusyReason {
  /** It computes or writes flash; what comes meanwhile waits. */
  Work = 0,
  /** It waits for somebody to touch S1; the next Data frame of the host ends the wait. */
  Touch = 1,
}

export const LINE_RATE: i32 = 115200; // bits per second at every start, and after a frame that does not decode
export const RATE_MS: i32 = 1000; // a raised rate at which no frame comes for so long is given up
export const FRAME_MORE: i32 = 0x80; // flag in the type byte
export const FRAME_OFF_TYPE: i32 = 0; // u8, FrameType | flags
export const FRAME_OFF_LINK: i32 = 1; // u16, link id (or nonce)
export const FRAME_OFF_SEQUENCE: i32 = 3; // u16, number of the host's Data frame, from 1, modulo 2^16
export const FRAME_OFF_INDEX: i32 = 5; // u16, fragment of the answer, from 0
export const FRAME_HEADER: i32 = 7;
export const FRAME_CRC: i32 = 4; // CRC-32 (IEEE 802.3) over header and payload
export const PAYLOAD_MAX: i32 = 1024; // bytes of a message in one frame
export const FRAME_MAX: i32 = 1035; // header + payload + CRC, before COBS
export const MESSAGE_MAX: i32 = 33280; // bytes of one message on the link
export const INNER_MAX: i32 = 33261; // bytes of the CBOR map in it: less envelope and tag
export const BUSY_MAX: i32 = 600000; // milliseconds that Busy announces at the most
