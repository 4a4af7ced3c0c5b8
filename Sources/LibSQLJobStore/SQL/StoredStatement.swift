import JobStore

/// SQL that the database keeps, so that a batch names it in a few words.
///
/// The server parses each statement of each batch anew, which costs it more than to run it; what a view or a trigger
/// holds was parsed with the schema. A name ends with a hash of the text, so that brokers of different versions have
/// each their own, side by side. A migration that drops or renames what they name has to drop them first.
enum StoredStatement {
  /// All of them: `CREATE` statements that do nothing where there is one of that name.
  static let definitions = views.map(\.definition) + calls.flatMap(\.definitions)
  static let names = views.map(\.name) + calls.map(\.name) + calls.map(\.trigger)

  private static let views = [LibSQLStatement.briefRows, LibSQLStatement.wholeRows]
  private static let calls =
    [LibSQLStatement.createJob, LibSQLStatement.claimNextOfType, LibSQLStatement.report]
    + LibSQLStatement.calls.values

  /// A name for the text: FNV-1a, for Swift's own hashes differ from one process to the next.
  fileprivate static func name(_ prefix: String, of text: String) -> String {
    let hash = text.utf8.reduce(into: UInt32(0x811C_9DC5)) { hash, byte in
      hash = (hash ^ UInt32(byte)) &* 0x0100_0193
    }
    return "\(prefix)_\(String(hash, radix: 16))"
  }
}

/// A query to read from.
struct StoredView: Sendable {
  let name: String
  let definition: String

  init(_ prefix: String, _ query: String) {
    name = StoredStatement.name(prefix, of: query)
    definition = "CREATE VIEW IF NOT EXISTS \(name) AS \(query)"
  }
}

/// Statements that change something, run one after the other as a single one, which an error undoes as a whole.
///
/// It is an INSERT into a view without rows, of which a trigger runs the statements.
struct StoredCall: Sendable {
  let name: String
  let definitions: [String]
  /// What to send.
  let sql: String

  /// - Parameters:
  ///   - parameters: As many are there: `?1` and so on in the statements.
  ///   - statements: Neither `INDEXED BY` in an UPDATE or DELETE nor `WITH`, which triggers do not have.
  init(_ prefix: String, parameters: Int, _ statements: [String]) {
    let body = statements.map { Self.naming(parameters, in: $0) + "; " }.joined()
    let columns = (1...parameters).map { "p\($0)" }.joined(separator: ", ")
    name = StoredStatement.name(prefix, of: columns + body)
    definitions = [
      """
      CREATE VIEW IF NOT EXISTS \(name) (\(columns)) AS
      SELECT \(Array(repeating: "NULL", count: parameters).joined(separator: ", "))
      """,
      "CREATE TRIGGER IF NOT EXISTS \(name)_called INSTEAD OF INSERT ON \(name) BEGIN \(body)END",
    ]
    let values = (1...parameters).map { "?\($0)" }.joined(separator: ", ")
    sql = "INSERT INTO \(name) VALUES (\(values))"
  }

  /// The name of the trigger.
  var trigger: String { "\(name)_called" }

  /// The statement with the columns of the view in place of its parameters. From the last one, for `?1` begins `?10`.
  private static func naming(_ parameters: Int, in statement: String) -> String {
    (1...parameters).reversed().reduce(statement) { $0.replacing("?\($1)", with: "NEW.p\($1)") }
  }
}
