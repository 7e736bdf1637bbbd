/** A byte stream to a device: what the link needs, and nothing else. tcp.ts and serial.ts make one; tests make their own. */
export interface Transport {
  /** What a person calls it: "tcp:127.0.0.1:4000", "/dev/ttyUSB0". */
  readonly name: string;
  /** Bits per second on the wire now, ten of them a byte; absent: fast enough not to count. */
  readonly bitRate?: number;
  /** The fastest rate that the link may go to; absent: the rate cannot be changed. */
  readonly fastest?: number;
  /** Sets the rate of what is sent and heard from here on. */
  setRate?(bits: number): Promise<void>;
  /** Resolves when the bytes were handed over. Answers may arrive before that. @throws DisconnectedError */
  write(bytes: Uint8Array): Promise<void>;
  /** Sets the one receiver of bytes; a later call replaces it. */
  onData(receive: (bytes: Uint8Array) => void): void;
  /** Sets the one listener for the end of the stream; a later call replaces it. Called at once when it has ended already. */
  onClose(closed: (error?: Error) => void): void;
  /** Ends the stream; a second call does nothing. */
  close(): Promise<void>;
}
