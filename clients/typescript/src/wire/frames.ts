import { maximumFrame } from "./codec.js";

const prefixLength = 4;

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  private readonly prefix = Buffer.alloc(prefixLength);
  private prefixFilled = 0;
  private body: Buffer | undefined;
  private bodyFilled = 0;

  /** Whether part of a frame was taken and its rest is missing. */
  get isWithinFrame(): boolean {
    return this.prefixFilled > 0;
  }

  /**
   * Takes bytes as they arrived and hands over the body of each frame that is now whole; it may be part of `bytes`.
   *
   * @throws RangeError when a length is not that of a frame. Nothing that follows can be read then.
   */
  append(bytes: Buffer, take: (body: Buffer) => void): void {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.body === undefined) {
        const wanted = Math.min(prefixLength - this.prefixFilled, bytes.length - offset);
        bytes.copy(this.prefix, this.prefixFilled, offset, offset + wanted);
        this.prefixFilled += wanted;
        offset += wanted;
        if (this.prefixFilled < prefixLength) return;
        const length = this.takeLength();
        if (bytes.length - offset >= length) {
          // The usual case: the frame is here as a whole, and need not be copied.
          const body = bytes.subarray(offset, offset + length);
          offset += length;
          this.prefixFilled = 0;
          take(body);
          continue;
        }
        this.body = Buffer.allocUnsafe(length);
        this.bodyFilled = 0;
      }
      const part = Math.min(this.body.length - this.bodyFilled, bytes.length - offset);
      bytes.copy(this.body, this.bodyFilled, offset, offset + part);
      this.bodyFilled += part;
      offset += part;
      if (this.bodyFilled < this.body.length) return;
      const body = this.body;
      this.body = undefined;
      this.prefixFilled = 0;
      take(body);
    }
  }

  private takeLength(): number {
    const length = this.prefix.readUInt32BE(0);
    if (length >= 1 && length <= maximumFrame) return length;
    this.prefixFilled = 0;
    throw new RangeError(`a frame's length is ${length}; it must be 1 to ${maximumFrame}`);
  }
}
