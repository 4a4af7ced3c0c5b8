import JobModel

/// Tells in the words of the protocol which of the schema's constraints a change would have broken.
public enum ConstraintViolation {
  /// The error for the message of a failed constraint, as in `CHECK constraint failed: metadata_is_json_object`;
  /// nil when it names none that a request can break.
  public static func error(message: String) -> JobError? {
    for (name, explanation) in explanations where message.hasSuffix(name) {
      return JobError(.invalidArgument, explanation)
    }
    return nil
  }

  /// Whether the message says that another unfinished job has the unique key.
  public static func isUniqueKey(message: String) -> Bool { message.hasSuffix("jobs.unique_key") }

  private static let explanations = [
    ("metadata_is_json_object", "metadata must be a JSON object."),
    ("result_is_json_object", "result must be a JSON object."),
    ("progress_is_percentage", "progress must be between 0 and 100."),
    ("type_is_not_empty", "type must not be empty."),
    ("max_retries_is_not_negative", "max_retries must not be negative."),
    ("max_lost_is_not_negative", "max_lost must not be negative."),
    ("retry_count_is_not_negative", "retry_count must not be negative."),
  ]
}
