/// What this store keeps beside the tables of `JobSchema`.
///
/// `brokers` has a row for each store that was opened, with the number of its last transaction. A transaction
/// begins by raising that number; when it is there already, the constraint makes that step fail. So one that is
/// sent twice, because its answer was lost, takes effect once.
///
/// `job_changes` is a journal: which jobs each command of a transaction changed. It answers a repeated transaction
/// as the first was answered, hands the jobs a command has chosen to the statements that change them, and tells
/// brokers what others did. Transactions write one after the other, so that a broker that has read up to a number
/// has missed nothing before it.
enum LibSQLSchema {
  static let statements = [
    """
    CREATE TABLE IF NOT EXISTS brokers (
      id INTEGER PRIMARY KEY,
      last_transaction INTEGER NOT NULL,
      opened_at INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE IF NOT EXISTS job_changes (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      broker INTEGER NOT NULL,
      transaction_number INTEGER NOT NULL,
      command INTEGER NOT NULL,
      seq INTEGER NOT NULL,
      attempt INTEGER NOT NULL,
      id BLOB NOT NULL,
      type TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE INDEX IF NOT EXISTS job_changes_of_command
      ON job_changes (broker, transaction_number, command, seq)
    """,
  ]

  /// As many of the newest changes are kept: a broker that looks every second misses none of them up to this rate.
  static let keptChanges = 50_000
}
