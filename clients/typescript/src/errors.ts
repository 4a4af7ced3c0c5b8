import type { ClaimToken, Job, JobStatus } from "./job.js";

/**
 * What kind of error it is.
 *
 * - `INVALID_ARGUMENT`: the message names the field and what is allowed: fix the caller.
 * - `NOT_FOUND`: there is no such job.
 * - `STALE_CLAIM`: the claim is no longer valid; `job` is the job as it is. Stop working on it.
 * - `JOB_FINISHED`: too late; `job` is the job as it is.
 * - `ALREADY_EXISTS`: the id belongs to a job with other content (`job`), or the file exists.
 * - `PERMISSION_DENIED`: not for this user, or not on a read-only connection.
 * - `RESOURCE_EXHAUSTED`: a limit or the disk is used up: later, or less.
 * - `UNAVAILABLE`: no broker, or it is shutting down. Nothing happened, or repeating the same call is safe.
 * - `UNKNOWN_OUTCOME`: it may have happened, and repeating it could do it twice: read the job first.
 * - `UNSUPPORTED`: this broker, or this client, does not know the operation, value or version.
 * - `INTERNAL`: a fault of the broker.
 */
export type ErrorCode =
  | "INVALID_ARGUMENT" | "NOT_FOUND" | "STALE_CLAIM" | "JOB_FINISHED" | "ALREADY_EXISTS" | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED" | "UNAVAILABLE" | "UNKNOWN_OUTCOME" | "UNSUPPORTED" | "INTERNAL";

/** What a call is rejected with when the broker refuses it, or can't be reached. */
export class JobBrokerError extends Error {
  override readonly name: string = "JobBrokerError";

  /**
   * @param job the job as it is, where the code promises it; without metadata and result.
   */
  constructor(readonly code: ErrorCode, message: string, readonly job?: Job) {
    super(message);
  }
}

/** A claim was revoked: its job was cancelled, deleted, reaped, finished by another, or its lease ran out. */
export class ClaimRevoked extends JobBrokerError {
  override readonly name = "ClaimRevoked";

  /**
   * @param status what the job is now; undefined: deleted, or not known.
   * @param reason why, as the broker says it.
   */
  constructor(readonly claim: ClaimToken, readonly status: JobStatus | undefined, readonly reason: string) {
    super("STALE_CLAIM", `job ${claim.id} is no longer held under attempt ${claim.attempt}: ${reason}`);
  }
}

/** Thrown by a handler whose job can't succeed: it fails, whatever retries are left. */
export class PermanentFailure extends Error {
  override readonly name = "PermanentFailure";
}

/** Thrown by a handler whose job may succeed next time: it goes back to the queue while it has retries left. */
export class RetryableFailure extends Error {
  override readonly name = "RetryableFailure";
}
