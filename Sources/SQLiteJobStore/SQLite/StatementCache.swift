import JobStore

/// The store's statements on one connection, each prepared when it is first used.
struct StatementCache {
  let connection: Connection
  private var statements: [Statement?]

  init(_ connection: Connection) {
    self.connection = connection
    statements = Array(repeating: nil, count: JobStatement.allCases.count)
  }

  /// The prepared statement.
  mutating func callAsFunction(_ name: JobStatement) throws(SQLiteError) -> Statement {
    if let statement = statements[name.rawValue] { return statement }
    let statement = try connection.prepare(name.sql)
    statements[name.rawValue] = statement
    return statement
  }

  /// Runs a step; true when it changed rows.
  mutating func run(_ step: SQLStep) throws(SQLiteError) -> Bool {
    try self(step.statement).run(step.values)
    return connection.changes > 0
  }
}
