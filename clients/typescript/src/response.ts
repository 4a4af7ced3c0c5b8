import { JobBrokerError } from "./errors.js";
import { replyFrom } from "./replies.js";
import type { Reply } from "./replies.js";
import { UnreadableReply, decodeResponse } from "./wire/codec.js";

/** An answer of the broker: to the request `id`, or, if that is 0, a notice. */
export interface Response {
  id: number;
  reply: Reply;
}

/**
 * Reads the body of a frame from the broker.
 *
 * @throws UnreadableReply
 */
export function readResponse(body: Buffer): Response {
  const message = decodeResponse(body);
  try {
    return { id: message.id, reply: replyFrom(message) };
  } catch (error) {
    if (!(error instanceof JobBrokerError)) throw error;
    throw new UnreadableReply(message.id, error, false);
  }
}
